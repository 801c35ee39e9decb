"""Run inside an environment with the sensor and an SDK or fastmcp: clients of every transport, credentials or not.

Usage: ``python _connects.py EXAMPLES HTTP_URL SSE_URL``. Prints what each connect is expected to say of itself.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import shlex
import socket
import sys
from contextlib import asynccontextmanager
from typing import Any

sys.path.insert(0, sys.argv[1])
from client import SERVER, Client
from mcp import ClientSession, StdioServerParameters
from mcp.client import streamable_http
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client

HTTP, SSE = sys.argv[2:4]
BEARER = {"Authorization": "Bearer sk-connect-0123456789abcdef"}
expected: list[dict[str, Any]] = []


async def visit(transport: Any, **says: Any) -> None:
    """Open a transport, talk, close it."""
    expected.append(says)
    async with transport as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        assert (await session.call_tool("add", {"a": 1, "b": 2})).content[0].text == "3"


async def over_stdio() -> None:
    """Directly, and through a shell that stays in between."""
    await visit(
        stdio_client(StdioServerParameters(command=sys.executable, args=[str(SERVER)])), type="stdio", auth=None
    )
    line = f"{shlex.quote(sys.executable)} {shlex.quote(str(SERVER))}; true"
    await visit(stdio_client(StdioServerParameters(command="sh", args=["-c", line])), type="stdio", auth=None)


async def over_sse() -> None:
    """With and without, and with a callback of the caller's own for the session."""
    await visit(sse_client(SSE), type="sse", auth=False)
    await visit(sse_client(SSE, BEARER), type="sse", auth=True)
    if "on_session_created" in inspect.signature(sse_client).parameters:
        told: list[str] = []
        await visit(sse_client(SSE, on_session_created=told.append), type="sse", auth=False)
        assert len(told) == 1
        assert len(told[0]) == 32


async def over_http() -> None:
    """The old function takes headers, the new one a client."""
    old = getattr(streamable_http, "streamablehttp_client", None)
    new = getattr(streamable_http, "streamable_http_client", None)
    with_user = HTTP.replace("http://", "http://user:secret@")
    if old is not None:
        await visit(old(HTTP), type="http", auth=False)
        await visit(old(HTTP, headers=BEARER), type="http", auth=True)
        await visit(old(with_user), type="http", auth=True)
    if new is not None:
        try:
            import httpx2 as httpx  # mcp 2.x
        except ImportError:
            import httpx
        await visit(new(HTTP), type="http", auth=False)
        await visit(new(HTTP + "?api_key=x"), type="http", auth=True)
        async with httpx.AsyncClient(auth=("user", "secret")) as client:
            await visit(new(HTTP, http_client=client), type="http", auth=True)
        async with httpx.AsyncClient(headers={"X-Api-Key": "secret"}) as client:
            await visit(new(HTTP, http_client=client), type="http", auth=True)


@asynccontextmanager
async def websocket_address() -> Any:
    """A websocket server in this process."""
    import uvicorn
    from mcp.server.websocket import websocket_server
    from server import server

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            async with websocket_server(scope, receive, send) as streams:
                low = server._mcp_server
                await low.run(streams[0], streams[1], low.create_initialization_options())

    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    serving = asyncio.ensure_future(running.serve(sockets=[listener]))
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
    running.should_exit = True
    await serving


async def over_websocket() -> None:
    """Of 1.x only."""
    from mcp.client.websocket import websocket_client

    async with websocket_address() as address:
        await visit(websocket_client(address), type="websocket", auth=False)


async def with_fastmcp() -> None:
    """The clients of fastmcp, over the transports of the SDK."""
    import fastmcp
    from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

    local = fastmcp.FastMCP("local")

    @local.tool
    def add(a: int, b: int) -> int:
        return a + b

    for transport, says in (
        (StreamableHttpTransport(HTTP), {"type": "http", "auth": False}),
        (StreamableHttpTransport(HTTP, auth="token"), {"type": "http", "auth": True}),
        (SSETransport(SSE, headers=BEARER), {"type": "sse", "auth": True}),
        (StdioTransport(sys.executable, [str(SERVER)], keep_alive=False), {"type": "stdio", "auth": None}),
        (local, {"type": "memory", "auth": None}),
    ):
        expected.append(says)
        async with fastmcp.Client(transport) as client:
            await client.call_tool("add", {"a": 1, "b": 2})


async def main() -> None:
    try:
        await with_fastmcp()
    except ImportError:
        await over_stdio()
        await over_sse()
        await over_http()
        if Client is None:
            await over_websocket()
    print(json.dumps(expected))


if __name__ == "__main__":
    asyncio.run(main())
