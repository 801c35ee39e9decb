"""A small MCP server: tools, a resource, a template and a prompt. It speaks over stdin and stdout.

Nothing here knows of bluerock-hooks. The same file runs on mcp 1.9 to 2.x.
"""

# No "from __future__ import annotations": older SDKs find the Context parameter by its class.

import asyncio
from typing import Any

try:
    from mcp.server.mcpserver import Context, MCPServer  # mcp 2.x
except ImportError:
    from mcp.server.fastmcp import Context  # mcp 1.x
    from mcp.server.fastmcp import FastMCP as MCPServer

# CRITICAL: a tool below fails on purpose, and the SDK would show its traceback.
server: Any = MCPServer("example-server", instructions="Adds, counts, fails and greets.", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def count(up_to: int, ctx: Context) -> str:
    """Count slowly and report progress."""
    for number in range(1, up_to + 1):
        await ctx.report_progress(number, up_to)
        await asyncio.sleep(0.01)
    return f"counted to {up_to}"


@server.tool()
def divide(a: float, b: float) -> float:
    """Divide; division by zero is an error that the client sees."""
    return a / b


@server.tool()
def sign_in(user: str, api_key: str) -> str:
    """Take a secret, as real tools do. It never reaches the recorded events."""
    return f"{user} signed in with a key of {len(api_key)} characters"


@server.resource("notes://welcome", mime_type="text/plain")
def welcome() -> str:
    """A fixed text."""
    return "Welcome to the example."


@server.resource("greeting://{name}", mime_type="text/plain")
def greeting(name: str) -> str:
    """A text for one person."""
    return f"Hello, {name}!"


@server.prompt()
def summarise(topic: str) -> str:
    """Ask for a summary."""
    return f"Summarise {topic} in one sentence."


if __name__ == "__main__":
    server.run()
