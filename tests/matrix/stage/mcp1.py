"""mcp 1.x: a server that has everything, and the client that asks for it."""

# No "from __future__ import annotations": older SDKs find the Context parameter by its class.

import asyncio
import inspect
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import mcp.types as types
from mcp import ClientSession, StdioServerParameters
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.session import ServerSession
from mcp.shared.message import SessionMessage
from pydantic import AnyUrl, BaseModel
from steps import cancelled, flood, mark, step

URI = AnyUrl("res://x")


class Region(BaseModel):
    """What is elicited."""

    region: str


def related(ctx: Any) -> dict[str, Any]:
    """Ties a request of the server to the stream of the call, where this version can."""
    known = "related_request_id" in inspect.signature(ServerSession.create_message).parameters
    return {"related_request_id": ctx.request_id} if known else {}


def build(**settings: Any) -> Any:
    """The server."""
    app = FastMCP("matrix", instructions="Has everything.", log_level="CRITICAL", **settings)

    @app.tool()
    def add(a: int, b: int) -> int:
        return a + b

    @app.tool()
    async def slow(n: int, ctx: Context) -> str:
        for i in range(n):
            await ctx.report_progress(i, n)
            await asyncio.sleep(0.01)
        await ctx.info("done")
        return "slow"

    @app.tool(name="mark")
    async def marking(number: int, ctx: Context) -> str:
        return await mark(number, ctx.report_progress, ctx.info)

    @app.tool()
    def boom() -> str:
        raise ValueError("boom")

    @app.tool()
    async def sample(ctx: Context) -> str:
        question = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="?"))
        return (await ctx.session.create_message([question], max_tokens=5, **related(ctx))).content.text

    @app.tool()
    async def roots(ctx: Context) -> str:
        return " ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)

    @app.tool()
    async def elicit(ctx: Context) -> str:
        return (await ctx.elicit("Which region?", Region)).data.region

    @app.tool()
    async def change(ctx: Context) -> str:
        await ctx.session.send_tool_list_changed()
        await ctx.session.send_resource_updated(URI)
        return "changed"

    @app.tool()
    async def late() -> str:
        await asyncio.sleep(0.6)
        return "late"

    @app.tool()
    async def sleepy() -> str:
        await asyncio.sleep(30)
        return "never"

    @app.resource(str(URI))
    def fixed() -> str:
        return "resource"

    @app.resource("tpl://{key}")
    def template(key: str) -> str:
        return key

    @app.prompt()
    def greet(name: str) -> str:
        return f"hi {name}"

    low = app._mcp_server

    @low.subscribe_resource()
    async def subscribe(uri: Any) -> None:
        pass

    @low.completion()
    async def complete(*asked: Any) -> Any:
        return types.Completion(values=["Ada", "Alan"])

    return app


def run_stdio() -> None:
    """Serve on stdin and stdout."""
    build().run("stdio")


def asgi(transport: str, words: list[str]) -> Any:
    """The ASGI application of an HTTP transport; ``words``: ``json``, ``stateless``."""
    app = build(json_response="json" in words, stateless_http="stateless" in words)
    if transport == "http":
        return app.streamable_http_app()
    if transport == "sse":
        return app.sse_app()
    return websocket_app(app._mcp_server)


def websocket_app(low: Any) -> Any:
    """One session a websocket."""
    from mcp.server.websocket import websocket_server

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with websocket_server(scope, receive, send) as (read, write):
            await low.run(read, write, low.create_initialization_options())

    return app


async def on_sampling(context: Any, params: Any) -> Any:
    """Answers 42."""
    content = types.TextContent(type="text", text="42")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def on_roots(context: Any) -> Any:
    """One root."""
    return types.ListRootsResult(roots=[types.Root(uri="file:///tmp/x")])


async def on_elicitation(context: Any, params: Any) -> Any:
    """Accepts."""
    return types.ElicitResult(action="accept", content={"region": "eu"})


def session_options() -> dict[str, Any]:
    """What this version's client can answer."""
    options = {"sampling_callback": on_sampling, "list_roots_callback": on_roots}
    if "elicitation_callback" in inspect.signature(ClientSession.__init__).parameters:
        options["elicitation_callback"] = on_elicitation
    return options


@asynccontextmanager
async def connect(transport: str, target: Any, era: str) -> Any:
    """A client that has connected; ``target`` is a command, an address or, in memory, nothing."""
    del era  # there is one
    if transport == "memory":
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(build()._mcp_server, **session_options()) as session:
            yield session
        return
    async with streams(transport, target) as opened, ClientSession(*opened[:2], **session_options()) as session:
        await session.initialize()
        yield session


def streams(transport: str, target: Any) -> Any:
    """The client transport."""
    if transport == "stdio":
        from mcp.client.stdio import stdio_client

        return stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    if transport == "sse":
        from mcp.client.sse import sse_client

        return sse_client(target)
    if transport == "websocket":
        from mcp.client.websocket import websocket_client

        return websocket_client(target)
    from mcp.client import streamable_http

    newest = getattr(streamable_http, "streamable_http_client", None)  # 1.24 renamed it
    return (newest or streamable_http.streamablehttp_client)(target)


async def drive(session: Any, *, asks: bool, raw: bool) -> None:
    """Everything once. ``asks``: the server can ask back. ``raw``: one stream, on which anything can be written."""
    await step("tools", session.list_tools())
    await step("resources", session.list_resources())
    await step("templates", session.list_resource_templates())
    await step("prompts", session.list_prompts())
    await step("add", session.call_tool("add", {"a": 1, "b": 2}))
    await step("slow", session.call_tool("slow", {"n": 3}, **progress(session)))
    await step("boom", session.call_tool("boom", {}))
    await step("unknown tool", session.call_tool("nope", {}))
    await step("bad arguments", session.call_tool("add", {"a": "x"}))
    if asks:
        await step("sample", session.call_tool("sample", {}))
        await step("roots", session.call_tool("roots", {}))
        if "elicitation_callback" in session_options():
            await step("elicit", session.call_tool("elicit", {}))
    await asyncio.gather(*(step("at once", session.call_tool("slow", {"n": 2})) for _ in range(3)))
    await step("ping", session.send_ping())
    await session.send_roots_list_changed()
    await step("subscribe", session.subscribe_resource(URI))
    await step("change", session.call_tool("change", {}))
    await step("resource", session.read_resource(URI))
    await step("template", session.read_resource(AnyUrl("tpl://k")))
    await step("unknown resource", session.read_resource(AnyUrl("res://nope")))
    await step("prompt", session.get_prompt("greet", {"name": "bob"}))
    reference = types.PromptReference(type="ref/prompt", name="greet")
    await step("complete", session.complete(reference, {"name": "name", "value": "A"}))
    await step("no handler", session.set_logging_level("info"))
    if raw:
        unknown = types.JSONRPCRequest(jsonrpc="2.0", id="by hand", method="no/such", params={"a": [1, None, "ü"]})
        await session._write_stream.send(SessionMessage(types.JSONRPCMessage(unknown)))
    await step("late", session.call_tool("late", {}, read_timeout_seconds=timedelta(seconds=0.3)))
    await asyncio.sleep(0.6)  # its answer
    # Last: servers of 1.9 do not survive it.
    request_id = session._request_id
    print("cancel:", await cancelled(session.call_tool("sleepy", {})))
    params = types.CancelledNotificationParams(requestId=request_id, reason="given up")
    notification = types.CancelledNotification(method="notifications/cancelled", params=params)
    await session.send_notification(types.ClientNotification(notification))
    await asyncio.sleep(0.3)


def progress(session: Any) -> dict[str, Any]:
    """Asks for progress, where this version can."""

    async def note(*_: Any) -> None:
        pass

    known = "progress_callback" in inspect.signature(session.call_tool).parameters
    return {"progress_callback": note} if known else {}


async def crowd(session: Any) -> None:
    """Many calls at once."""
    await flood(lambda name, arguments: session.call_tool(name, arguments, **progress(session)))
