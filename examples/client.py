"""A small MCP client: it starts ``server.py``, calls everything the server has and prints the answers.

The same file runs on mcp 1.9 to 2.x. Usage::

    python client.py                                     # starts server.py beside this file, over stdio
    python client.py --server-command python my_server.py --flag
    python client.py --url http://127.0.0.1:8000/mcp     # connects to http_server.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

try:
    from mcp import Client  # mcp 2.x
except ImportError:
    Client = None  # mcp 1.x

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVER = Path(__file__).with_name("server.py")


@asynccontextmanager
async def connect(options: argparse.Namespace) -> AsyncIterator[Any]:
    """A session that has been initialised."""
    program, *arguments = options.server_command
    target = options.url or StdioServerParameters(command=program, args=arguments)
    if Client is not None:
        async with Client(options.url or stdio_client(target), mode=options.mode) as client:
            yield client
    else:
        async with open_streams(target) as streams, ClientSession(streams[0], streams[1]) as session:
            await session.initialize()
            yield session


def open_streams(target: Any) -> Any:
    """The transport of mcp 1.x for a command or an address."""
    if not isinstance(target, str):
        return stdio_client(target)
    from mcp.client import streamable_http

    newest = getattr(streamable_http, "streamable_http_client", None)  # 1.24 renamed it
    return (newest or streamable_http.streamablehttp_client)(target)


async def talk(session: Any, secret: str) -> None:
    """Call everything once, in a fixed order."""
    tools = await session.list_tools()
    print("tools:", ", ".join(tool.name for tool in tools.tools))
    print("add:", text(await session.call_tool("add", {"a": 2, "b": 3})))

    steps: list[float] = []

    async def note(progress: float, *_: Any) -> None:
        steps.append(progress)

    print("count:", text(await session.call_tool("count", {"up_to": 3}, progress_callback=note)))
    await asyncio.sleep(0.05)  # the last report may arrive beside the answer
    print("progress:", ", ".join(f"{step:g}" for step in sorted(steps)))

    print("divide:", text(await session.call_tool("divide", {"a": 1, "b": 0})))
    print("sign_in:", text(await session.call_tool("sign_in", {"user": "ada", "api_key": secret})))

    resources = await session.list_resources()
    print("resources:", ", ".join(str(resource.uri) for resource in resources.resources))
    print("welcome:", (await session.read_resource("notes://welcome")).contents[0].text)
    print("greeting:", (await session.read_resource("greeting://Ada")).contents[0].text)

    prompts = await session.list_prompts()
    print("prompts:", ", ".join(prompt.name for prompt in prompts.prompts))
    prompt = await session.get_prompt("summarise", {"topic": "tides"})
    print("summarise:", prompt.messages[0].content.text)


def text(result: Any) -> str:
    """The text of a tool's answer, marked where the answer is an error."""
    failed = getattr(result, "is_error", None) or getattr(result, "isError", False)
    first_line = str(result.content[0].text).splitlines()[0]
    return f"failed: {first_line}" if failed else first_line


async def main() -> None:
    """Read the command line, connect, talk."""
    parser = argparse.ArgumentParser(description="Call everything that the example server has.")
    parser.add_argument("--url", default="", help="address of a streamable HTTP server, instead of starting one")
    parser.add_argument("--mode", default="auto", help="mcp 2.x: auto, or legacy for the protocol before 2026-07-28")
    parser.add_argument("--secret", default="sk-example-0123456789abcdef0123456789abcdef", help="what sign_in is given")
    parser.add_argument(
        "--server-command", nargs=argparse.REMAINDER, default=[sys.executable, str(SERVER)], help="how to start it"
    )
    options = parser.parse_args()
    async with connect(options) as session:
        await talk(session, options.secret)


if __name__ == "__main__":
    asyncio.run(main())
