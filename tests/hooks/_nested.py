"""Run inside an environment with the sensor and an SDK: tools that are clients themselves.

Usage: ``python _nested.py PACKAGE MODE``. ``outer`` calls ``inner`` of another server in this process, with a client of
its own and with one that all calls share; that one is opened by a call of ``opener``, which is over by then.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import _in_memory

package, mode = sys.argv[1:]
if package == "fastmcp":
    from fastmcp import FastMCP as Server
else:
    try:
        from mcp.server.mcpserver import MCPServer as Server
    except ImportError:
        from mcp.server.fastmcp import FastMCP as Server

inside: Any = Server("inside")
outside: Any = Server("outside")
shared: Any = None
opened, done = asyncio.Event(), asyncio.Event()
tasks: list[Any] = []


@inside.tool()
async def inner(number: int, way: str) -> str:
    await asyncio.sleep(0.01)
    return f"{number} {way}"


@outside.tool()
async def outer(number: int) -> str:
    async with _in_memory.session(inside, mode) as own:
        await own.call_tool("inner", {"number": number, "way": "own"})
    await shared.call_tool("inner", {"number": number, "way": "shared"})
    return "x"


async def keep_open() -> None:
    global shared
    async with _in_memory.session(inside, mode) as shared:
        opened.set()
        await done.wait()


@outside.tool()
async def opener() -> str:
    tasks.append(asyncio.create_task(keep_open()))
    await opened.wait()
    return "x"


async def main() -> None:
    async with _in_memory.session(outside, mode) as top:
        await top.call_tool("opener", {})
        await asyncio.gather(*(top.call_tool("outer", {"number": number}) for number in range(20)))
        done.set()
        await tasks[0]


asyncio.run(main())
