"""Run inside an environment with the sensor and fastmcp: a server whose tool comes from somewhere else.

A local provider that was there before the server (fastmcp 3 and later), or a server that is imported (fastmcp 2).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logging.disable(logging.CRITICAL)
from fastmcp import Client, FastMCP


def provided() -> str:
    """From somewhere else."""
    return "x"


async def main() -> None:
    server: Any
    try:
        from fastmcp.server.providers import LocalProvider
    except ImportError:
        source: Any = FastMCP("source")
        source.tool(provided)
        server = FastMCP("served")
        await server.import_server(source, prefix="sub")
    else:
        provider = LocalProvider()
        provider.tool(provided)
        server = FastMCP("served", providers=[provider])
    for _ in range(2):
        async with Client(server) as client:
            await client.list_tools()


asyncio.run(main())
