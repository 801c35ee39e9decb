"""Run inside an environment with the sensor and mcp 2.x: a call whose connection is cut by a proxy in between.

Usage: ``python _bereft.py EXAMPLES URL``.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

sys.path.insert(0, sys.argv[1])
from client import Client


async def main() -> None:
    target = urlsplit(sys.argv[2])
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(target.hostname, target.port)
        writers.extend((writer, far_writer))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    proxy = await asyncio.start_server(accepted, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/mcp"
    async with Client(address, mode="legacy") as client:
        call = asyncio.ensure_future(client.call_tool("sleepy", {"seconds": 30}))
        await asyncio.sleep(0.5)
        for writer in writers:
            writer.transport.abort()
        try:
            await asyncio.wait_for(call, 10)
            print("answered")
        except Exception as exc:
            print("failed:", type(exc).__name__, exc)
        proxy.close()


if __name__ == "__main__":
    asyncio.run(main())
