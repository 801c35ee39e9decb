"""Run inside an environment with the sensor and mcp 2.x: a low-level server over HTTP, observed as a sensor would.

Before it calls a tool the SDK lists the tools, to itself. Both handlers open a file that does not exist. Prints one
JSON list ``[place, method, span id, ended]`` a line, of the request that was current then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import Any

import mcp_types as types
import uvicorn
from mcp import Client
from mcp.server.lowlevel import Server

from bluerock_hooks.hooks import _attribution

seen: list[Any] = []
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and str(args[0]).startswith("/nonexistent/"):
        span = _attribution.current()
        owner = (span.method, span.span_id, span.ended) if span is not None else ()
        seen.append((str(args[0]).rpartition("/")[2], *owner))


def touch(place: str) -> None:
    with contextlib.suppress(OSError):
        os.open(f"/nonexistent/{place}", os.O_RDONLY)


async def on_list_tools(context: Any, params: Any) -> types.ListToolsResult:
    touch("list")
    return types.ListToolsResult(tools=[types.Tool(name="add", input_schema=SCHEMA)])


async def on_call_tool(context: Any, params: Any) -> types.CallToolResult:
    touch("call")
    return types.CallToolResult(content=[])


async def main() -> None:
    sys.addaudithook(audit)
    server = Server("phantom", on_list_tools=on_list_tools, on_call_tool=on_call_tool)
    listener = socket.create_server(("127.0.0.1", 0))
    http = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical"))
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    async with Client(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp") as client:
        await client.list_tools()
        await client.call_tool("add", {"a": 1})
    http.should_exit = True
    await serving


asyncio.run(main())
for row in seen:
    print(json.dumps(row))
