"""Run inside an environment with the sensor and an SDK or fastmcp: everything is imported before the sensor starts.

Usage: ``python _late.py mcp|fastmcp EXAMPLES``, without ``BLUEROCK_ENABLE``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module
from typing import Any

package, examples = sys.argv[1:]
sys.path.insert(0, examples)
sys.path.insert(1, __file__.rpartition("/hooks/")[0])
import_module(package)
import _in_memory
import client

if package == "fastmcp":
    import fastmcp.client.transports  # binds the SDK's functions by name
else:
    import mcp  # so does the package

assert "bluerock_hooks._bootstrap" not in sys.modules or not sys.modules["bluerock_hooks._bootstrap"].status()["active"]
os.environ["BLUEROCK_ENABLE"] = "1"
import bluerock_hooks

started = bluerock_hooks.start()


async def with_sdk() -> None:
    async with _in_memory.connect("legacy") as session:
        await session.call_tool("add", {"a": 1, "b": 2})
    parameters = mcp.StdioServerParameters(command=sys.executable, args=[str(client.SERVER)])
    async with mcp.stdio_client(parameters) as streams, mcp.ClientSession(*streams) as session:
        await session.initialize()
        await session.call_tool("add", {"a": 1, "b": 2})


async def with_fastmcp() -> None:
    server = fastmcp.FastMCP("local")
    server.tool(add)
    stdio: Any = fastmcp.client.transports.StdioTransport(sys.executable, [str(client.SERVER)], keep_alive=False)
    for target in (server, stdio):
        async with fastmcp.Client(target) as session:
            await session.call_tool("add", {"a": 1, "b": 2})


def add(a: int, b: int) -> int:
    return a + b


asyncio.run(with_fastmcp() if package == "fastmcp" else with_sdk())
print("started", started)
