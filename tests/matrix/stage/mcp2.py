"""mcp 2.x: a server that has everything, and the client that asks for it, in both eras of the protocol."""

# No "from __future__ import annotations": the SDK reads the annotations of local functions.

import asyncio
from contextlib import asynccontextmanager
from typing import Annotated, Any

import mcp.types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.shared.message import SessionMessage
from pydantic import BaseModel
from steps import cancelled, flood, mark, step

URI = "res://x"


class Region(BaseModel):
    """What is elicited."""

    region: str


async def where(ctx: Context) -> Elicit[Region]:
    """2025: an elicitation request; 2026: an answer that asks for input, and a second call."""
    return Elicit("Which region?", Region)


def build() -> Any:
    """The server."""
    app = MCPServer("matrix", version="9.9", instructions="Has everything.", log_level="CRITICAL")

    @app.tool()
    def add(a: int, b: int) -> int:
        return a + b

    @app.tool()
    async def slow(n: int, ctx: Context) -> str:
        for i in range(n):
            await ctx.report_progress(i, n)
            await asyncio.sleep(0.01)
        await ctx.log("info", "done")
        return "slow"

    @app.tool(name="mark")
    async def marking(number: int, ctx: Context) -> str:
        return await mark(number, ctx.report_progress, lambda said: ctx.log("info", said))

    @app.tool()
    def boom() -> str:
        raise ValueError("boom")

    @app.tool()
    async def sample(ctx: Context) -> str:
        question = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="?"))
        options = {"max_tokens": 5, "related_request_id": ctx.request_id}
        return (await ctx.session.create_message([question], **options)).content.text

    @app.tool()
    async def roots(ctx: Context) -> str:
        return " ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)

    @app.tool()
    async def provision(region: Annotated[Region, Resolve(where)]) -> str:
        return region.region

    @app.tool()
    async def change(ctx: Context) -> str:
        await ctx.notify_tools_changed()
        await ctx.notify_resource_updated(URI)
        await ctx.session.send_tool_list_changed()
        return "changed"

    @app.tool()
    async def sleepy() -> str:
        await asyncio.sleep(30)
        return "never"

    @app.resource(URI)
    def fixed() -> str:
        return "resource"

    @app.resource("tpl://{key}")
    def template(key: str) -> str:
        return key

    @app.prompt()
    def greet(name: str) -> str:
        return f"hi {name}"

    @app.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> Any:
        return types.Completion(values=["Ada", "Alan"])

    return app


def run_stdio() -> None:
    """Serve on stdin and stdout."""
    build().run("stdio")


def asgi(transport: str, words: list[str]) -> Any:
    """The ASGI application of an HTTP transport; ``words``: ``json``, ``stateless``."""
    app = build()
    if transport == "sse":
        return app.sse_app()
    return app.streamable_http_app(json_response="json" in words, stateless_http="stateless" in words)


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


@asynccontextmanager
async def connect(transport: str, target: Any, era: str) -> Any:
    """A client that has connected; ``target`` is a command, an address or, in memory, nothing."""
    options = {
        "sampling_callback": on_sampling,
        "list_roots_callback": on_roots,
        "elicitation_callback": on_elicitation,
        "log_level": "info",
        "mode": "legacy" if era == "2025" else "auto",
    }
    async with Client(server(transport, target), **options) as client:
        yield client


def server(transport: str, target: Any) -> Any:
    """What ``Client`` connects to."""
    if transport == "memory":
        return build()
    if transport == "stdio":
        return stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    if transport == "sse":
        from mcp.client.sse import sse_client

        return sse_client(target)
    return target


async def drive(client: Any, *, asks: bool, raw: bool) -> None:
    """Everything once. ``asks``: the server can ask back. ``raw``: one stream, on which anything can be written."""
    modern = client.protocol_version >= "2026"
    await step("tools", client.list_tools())
    await step("resources", client.list_resources())
    await step("templates", client.list_resource_templates())
    await step("prompts", client.list_prompts())
    await step("add", client.call_tool("add", {"a": 1, "b": 2}))
    await step("slow", client.call_tool("slow", {"n": 3}, progress_callback=note))
    await step("boom", client.call_tool("boom", {}))
    await step("unknown tool", client.call_tool("nope", {}))
    await step("bad arguments", client.call_tool("add", {"a": "x"}))
    await step("sample", client.call_tool("sample", {}))  # refused where the server cannot ask back
    if asks or modern:
        await step("roots", client.call_tool("roots", {}))
        await step("provision", client.call_tool("provision", {}))
    await asyncio.gather(*(step("at once", client.call_tool("slow", {"n": 2})) for _ in range(3)))
    if not modern:
        await step("ping", client.send_ping())
        await client.send_roots_list_changed()
        await step("subscribe", client.subscribe_resource(URI))
    await step("change", client.call_tool("change", {}))
    await step("resource", client.read_resource(URI))
    await step("template", client.read_resource("tpl://k"))
    await step("unknown resource", client.read_resource("res://nope"))
    await step("prompt", client.get_prompt("greet", {"name": "bob"}))
    reference = types.PromptReference(type="ref/prompt", name="greet")
    await step("complete", client.complete(reference, {"name": "name", "value": "A"}))
    await step("no handler", client.set_logging_level("info"))
    if raw:
        unknown = types.JSONRPCRequest(jsonrpc="2.0", id="by hand", method="no/such", params={"a": [1, None, "ü"]})
        await client.session._dispatcher._write_stream.send(SessionMessage(unknown))
    await step("timeout", client.call_tool("sleepy", {}, read_timeout_seconds=0.3))
    print("cancel:", await cancelled(client.call_tool("sleepy", {})))
    if modern:
        await step("listen", listened(client))
    await asyncio.sleep(0.3)


async def listened(client: Any) -> list[Any]:
    """Opens ``subscriptions/listen``, has the server change, waits for the event of it."""
    async with client.listen(tools_list_changed=True) as subscription:
        await client.call_tool("change", {})
        async for _ in subscription:
            return []
    return []


async def note(*_: Any) -> None:
    """Progress."""


async def crowd(client: Any) -> None:
    """Many calls at once."""
    await flood(lambda name, arguments: client.call_tool(name, arguments, progress_callback=note))
