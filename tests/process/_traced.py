"""A server whose tools do something of everything, and a client that calls them; what ``trace`` is tested on.

Usage: ``python _traced.py client MODE`` starts ``python _traced.py server`` over stdio and calls its tools;
``python _traced.py memory MODE`` does it all in one process. MODE is of mcp 2.x: ``legacy`` or ``auto``.
"""

# No "from __future__ import annotations": older SDKs find the Context parameter by its class.

import asyncio
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import _in_memory

try:
    from mcp.server.mcpserver import Context, MCPServer  # mcp 2.x
except ImportError:
    from mcp.server.fastmcp import Context  # mcp 1.x
    from mcp.server.fastmcp import FastMCP as MCPServer

server: Any = MCPServer("traced", log_level="CRITICAL")
inside: Any = MCPServer("inside", log_level="CRITICAL")
CHILD = """
import socket, subprocess, sys, wave
socket.socket(type=socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
open(sys.argv[1]).close()
subprocess.run(["true", "grandchild"])
"""
tasks: list[Any] = []
mode = sys.argv[2] if len(sys.argv) > 2 else "legacy"


def touch() -> None:
    """A file of each kind, a connect, a Python child below a shell, code from text."""
    for _ in range(3):
        Path(__file__).read_bytes()
    Path("traced.txt").write_text("x")
    Path("traced.txt").rename("renamed.txt")
    Path("renamed.txt").unlink()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(("localhost", listener.getsockname()[1])).close()
    subprocess.run(["/bin/sh", "-c", '"$0" -c "$1" "$2"; exit 3', sys.executable, CHILD, __file__])
    exec("made = 1", {})


def look(path: str = __file__) -> None:
    open(path).close()


@server.tool()
async def publish(ctx: Context) -> str:
    """Report progress, and do all of it."""
    await ctx.report_progress(1, 2)
    touch()
    return "published"


@inside.tool()
async def inner(number: int) -> str:
    """What another tool calls."""
    look()
    return f"inner {number}"


@server.tool()
async def outer() -> str:
    """A tool that is a client itself."""
    async with _in_memory.session(inside, mode) as client:
        await client.call_tool("inner", {"number": 1})
    return "outer"


@server.tool()
async def late() -> str:
    """It leaves work behind."""

    async def later() -> None:
        await asyncio.sleep(0.2)
        look("/dev/../etc/hostname")

    tasks.append(asyncio.create_task(later()))
    return "answered"


@server.tool()
def fail(text: str) -> str:
    """It fails, and its arguments are hostile."""
    raise ValueError(text)


@server.tool()
async def slow() -> str:
    """Nobody waits for it."""
    await asyncio.sleep(0.3)
    return "slow"


@server.tool()
async def mark(number: int) -> str:
    """One of many at the same time."""
    await asyncio.sleep(0.01)
    await asyncio.to_thread(Path(f"{number}.txt").write_text, "x")
    process = await asyncio.create_subprocess_exec("true", str(number))
    await process.wait()
    return str(number)


async def noted(*_: Any) -> None:
    """Take a progress notification."""


async def talk(client: Any) -> None:
    await client.list_tools()
    await client.call_tool("publish", {}, progress_callback=noted)
    await client.call_tool("outer", {})
    await client.call_tool("late", {})
    await client.call_tool("fail", {"text": "\x1b[31mred\u202e"})
    await asyncio.gather(client.call_tool("slow", {}), client.call_tool("slow", {}))
    await asyncio.gather(*tasks)
    await asyncio.gather(*(client.call_tool("mark", {"number": number}) for number in range(30)))


@asynccontextmanager
async def child() -> Any:
    """A session with a server that is started over stdio."""
    from mcp import StdioServerParameters

    parameters = StdioServerParameters(command=sys.executable, args=[__file__, "server", mode])
    try:
        from mcp import Client  # mcp 2.x
    except ImportError:
        from mcp import ClientSession
        from mcp.client.stdio import stdio_client

        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            yield session
    else:
        async with Client(parameters, mode=mode) as session:
            yield session


async def main() -> None:
    async with child() if sys.argv[1] == "client" else _in_memory.session(server, mode) as client:
        await talk(client)


if sys.argv[1] == "server":
    server.run()
else:
    asyncio.run(main())
