"""fastmcp 2.14 to 4.x: its own server, with a mounted one, and its own client."""

# No "from __future__ import annotations": the framework reads the annotations of local functions.

import asyncio
import inspect
import os
from contextlib import asynccontextmanager
from typing import Any

os.environ["FASTMCP_LOG_LEVEL"] = "CRITICAL"
os.environ["FASTMCP_CHECK_FOR_UPDATES"] = "off"

from fastmcp import Client, Context, FastMCP
from steps import cancelled, flood, mark, step


def build() -> Any:
    """The server."""
    app = FastMCP("matrix", version="7.7")

    @app.tool
    def add(a: int, b: int) -> int:
        return a + b

    @app.tool
    async def slow(n: int, ctx: Context) -> str:
        for i in range(n):
            await ctx.report_progress(i, n)
            await asyncio.sleep(0.01)
        await ctx.info("done")
        return "slow"

    @app.tool(name="mark")
    async def marking(number: int, ctx: Context) -> str:
        return await mark(number, ctx.report_progress, ctx.info)

    @app.tool
    def boom() -> str:
        raise ValueError("boom")

    @app.tool
    async def sample(ctx: Context) -> str:
        return (await ctx.sample("?", max_tokens=5)).text or ""

    @app.tool
    async def elicit(ctx: Context) -> str:
        return str(getattr(await ctx.elicit("Which region?", response_type=str), "data", None))

    @app.tool
    async def sleepy() -> str:
        await asyncio.sleep(30)
        return "never"

    @app.resource("res://x")
    def fixed() -> str:
        return "resource"

    @app.resource("tpl://{key}")
    def template(key: str) -> str:
        return key

    @app.prompt
    def greet(name: str) -> str:
        return f"hi {name}"

    child = FastMCP("child")

    @child.tool
    def kid(x: int) -> int:
        return x

    prefix = "namespace" if "namespace" in inspect.signature(app.mount).parameters else "prefix"  # 3.x renamed it
    app.mount(child, **{prefix: "sub"})
    return app


def run_stdio() -> None:
    """Serve on stdin and stdout."""
    build().run(transport="stdio", show_banner=False)


def asgi(transport: str, words: list[str]) -> Any:
    """The ASGI application of an HTTP transport; ``words``: ``json``, ``stateless``."""
    options = {} if transport == "sse" else {"json_response": "json" in words, "stateless_http": "stateless" in words}
    return build().http_app(transport=transport, **options)


async def on_sampling(messages: Any, params: Any, context: Any) -> str:
    """Answers 42."""
    return "42"


async def on_elicitation(message: Any, response_type: Any, params: Any, context: Any) -> Any:
    """Accepts."""
    return response_type(value="eu") if response_type else {}


@asynccontextmanager
async def connect(transport: str, target: Any, era: str) -> Any:
    """A client that has connected; ``target`` is a command, an address or, in memory, nothing."""
    options: dict[str, Any] = {
        "sampling_handler": on_sampling,
        "elicitation_handler": on_elicitation,
        "roots": ["file:///tmp/x"],
    }
    if "mode" in inspect.signature(Client.__init__).parameters:  # 4.x, on mcp 2.x
        options["mode"] = "legacy" if era == "2025" else "auto"
    async with Client(server(transport, target), **options) as client:
        yield client


def server(transport: str, target: Any) -> Any:
    """What ``Client`` connects to."""
    from fastmcp.client import transports

    if transport == "memory":
        return build()
    if transport == "stdio":
        # fastmcp passes on what it is given and nothing else.
        return transports.StdioTransport(target[0], target[1:], env=dict(os.environ), keep_alive=False)
    return transports.SSETransport(target) if transport == "sse" else transports.StreamableHttpTransport(target)


async def drive(client: Any, *, asks: bool, raw: bool) -> None:
    """Everything once. ``asks``: the server can ask back."""
    del raw  # its streams are out of reach

    def call(name: str, arguments: Any = None, **options: Any) -> Any:
        return client.call_tool(name, arguments or {}, raise_on_error=False, **options)

    tools = await client.list_tools()
    print("tools:", " ".join(tool.name for tool in tools))
    await step("resources", client.list_resources())
    await step("templates", client.list_resource_templates())
    await step("prompts", client.list_prompts())
    await step("add", call("add", {"a": 1, "b": 2}))
    await step("slow", call("slow", {"n": 3}))
    await step("boom", call("boom"))
    await step("unknown tool", call("nope"))
    await step("bad arguments", call("add", {"a": "x"}))
    if asks:
        await step("sample", call("sample"))
        await step("elicit", call("elicit"))
    await step("mounted", call(next(tool.name for tool in tools if "kid" in tool.name), {"x": 1}))
    await asyncio.gather(*(step("at once", call("slow", {"n": 2})) for _ in range(3)))
    await step("ping", client.ping())
    await step("resource", client.read_resource("res://x"))
    await step("template", client.read_resource("tpl://k"))
    await step("unknown resource", client.read_resource("res://nope"))
    await step("prompt", client.get_prompt("greet", {"name": "bob"}))
    async with given_up(client):
        await step("timeout", call("sleepy", timeout=0.3))
    async with given_up(client):
        print("cancel:", await cancelled(call("sleepy")))
    await asyncio.sleep(0.3)


@asynccontextmanager
async def given_up(client: Any) -> Any:
    """Tells the server that nobody waits for the call inside any more, which mcp 1.x does not by itself."""
    request_id = getattr(client.session, "_request_id", None)
    yield
    if request_id is not None:
        await client.cancel(request_id, "given up")


async def crowd(client: Any) -> None:
    """Many calls at once."""
    await flood(client.call_tool)
