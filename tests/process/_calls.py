"""Calls the tool of ``_tools.py`` many times at once: ``python _calls.py EXAMPLES PLACE --url URL|COMMAND < CALLS``.

CALLS is JSON, a list of ``[way, tag]``; what is printed is ``[[way, tag, port, pids], ...]``. Each call has somebody of
its own to connect to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

sys.path.insert(0, sys.argv[1])
from client import connect

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A listener for plain connections and for HTTP."""
    if await reader.read(1):
        writer.write(ANSWER)
    writer.close()


async def call(session: Any, way: str, tag: str, place: str) -> list[Any]:
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    result = await session.call_tool("act", {"way": way, "tag": tag, "port": port, "place": place})
    if getattr(result, "is_error", None) or getattr(result, "isError", False):
        raise RuntimeError(f"{way}: {result}")
    if way == "connect_later":
        await asyncio.sleep(1)
    return [way, tag, port, json.loads(result.content[0].text)]


async def main() -> None:
    place, *command = sys.argv[2:]
    url = command[1] if command[0] == "--url" else ""
    options = argparse.Namespace(url=url, server_command=command, mode="auto")
    async with connect(options) as session:
        calls = [call(session, way, tag, place) for way, tag in json.load(sys.stdin)]
        print(json.dumps(await asyncio.gather(*calls)), flush=True)


asyncio.run(main())
