"""One tool call through in-memory streams, client and server in this process, both sides recorded: off and on, paired.

Run with the interpreter of an environment that has bluerock-hooks and mcp::

    python benchmarks/tool_call.py [PAIRS]

Each run is a process of its own that makes its calls and prints CPU microseconds a call, of the whole process (our
drain included) and of the host's thread alone.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from _paired import need_installed, pairs, spread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WARM, CALLS = 200, 1500


def build() -> Any:
    """A server with one tool."""
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        from mcp.server.fastmcp import FastMCP as MCPServer

    server = MCPServer("bench", log_level="CRITICAL")

    @server.tool()
    async def add(a: int, b: int) -> int:
        return a + b

    return server


@asynccontextmanager
async def connect(server: Any, mode: str) -> AsyncIterator[Any]:
    """A client of it, in memory."""
    try:
        from mcp import Client
    except ImportError:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(server._mcp_server) as session:
            yield session
    else:
        async with Client(server, mode=mode) as client:
            yield client


async def child(mode: str) -> None:
    """Make the calls, print both figures."""
    async with connect(build(), mode) as session:
        for _ in range(WARM):
            await session.call_tool("add", {"a": 1, "b": 2})
        process, thread = time.process_time_ns(), time.thread_time_ns()
        for _ in range(CALLS):
            await session.call_tool("add", {"a": 1, "b": 2})
        process, thread = time.process_time_ns() - process, time.thread_time_ns() - thread
    print(process / CALLS / 1000, thread / CALLS / 1000)


def main() -> None:
    """Pairs of children; medians."""
    if len(sys.argv) > 2 and sys.argv[1] == "child":
        asyncio.run(child(sys.argv[2]))
        return
    need_installed()
    import importlib.metadata

    version = importlib.metadata.version("mcp")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for mode in ["legacy"] if version.startswith("1.") else ["legacy", "auto"]:
        found = pairs([sys.executable, __file__, "child", mode], count, BLUEROCK_ENABLE="1")
        for index, name in enumerate(("process", "host's thread")):
            off = [float(a.output.split()[index]) for a, _ in found]
            on = [float(b.output.split()[index]) for _, b in found]
            ratio = [b / a for a, b in zip(off, on, strict=True)]
            middle = sorted(off)[len(off) // 2]
            print(
                f"mcp {version} {mode:6s} {name:13s} off {middle:7.1f} us  on {sorted(on)[len(on) // 2]:7.1f} us"
                f"  ratio {spread(ratio)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
