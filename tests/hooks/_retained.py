"""Run inside an environment with the sensor and an SDK: an HTTP server and its client in one process.

Usage: ``python _retained.py EXAMPLES``. Prints how many HTTP requests, of us, are alive while only the session is.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys

sys.path.insert(0, sys.argv[1])
import client as example
import uvicorn
from bluerock_hooks.hooks.mcp._rejections import HttpRequest
from mcp import ClientSession
from server import server


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical"))
    serving = asyncio.ensure_future(running.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    async with example.open_streams(address) as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        for _ in range(20):
            await session.call_tool("add", {"a": 1, "b": 2})
        await asyncio.sleep(0.5)
        gc.collect()
        print(sum(type(thing) is HttpRequest for thing in gc.get_objects()))
    running.should_exit = True
    await serving


asyncio.run(main())
