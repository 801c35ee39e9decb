"""The server that the protocol's own conformance suite talks to: it has what the suite's scenarios ask for by name.

It prints its address and serves streamable HTTP until it is stopped. The same file runs on mcp 1.2x and 2.x.
"""

# No "from __future__ import annotations": the SDK reads the annotations of local functions.

import asyncio
import base64
import enum
import socket
from typing import Any

import mcp.types as types
import uvicorn
from pydantic import BaseModel, Field

try:
    from mcp.server.mcpserver import Context, MCPServer  # mcp 2.x
except ImportError:
    from mcp.server.fastmcp import Context  # mcp 1.x
    from mcp.server.fastmcp import FastMCP as MCPServer

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\2\0\0\0\0\0"
).decode()

server: Any = MCPServer("conformance", log_level="CRITICAL")


def tool(function: Any) -> Any:
    """A tool without an output schema."""
    return server.tool(structured_output=False, description=f"The suite's {function.__name__}.")(function)


def prompt(function: Any) -> Any:
    """A prompt."""
    return server.prompt(description=f"The suite's {function.__name__}.")(function)


def text(words: str) -> Any:
    """Text content."""
    return types.TextContent(type="text", text=words)


def embedded(uri: str, words: str) -> Any:
    """An embedded resource."""
    inner = types.TextResourceContents(uri=uri, mimeType="text/plain", text=words)
    return types.EmbeddedResource(type="resource", resource=inner)


def image() -> Any:
    """One pixel."""
    return types.ImageContent(type="image", data=PIXEL, mimeType="image/png")


# -- tools


@tool
def test_simple_text() -> Any:
    return "This is a simple text response for testing."


@tool
def test_image_content() -> Any:
    return [image()]


@tool
def test_audio_content() -> Any:
    return [types.AudioContent(type="audio", data=SILENCE, mimeType="audio/wav")]


@tool
def test_embedded_resource() -> Any:
    return [embedded("test://embedded-resource", "This is an embedded resource content.")]


@tool
def test_multiple_content_types() -> Any:
    return [text("Multiple content types test:"), image(), embedded("test://mixed-content-resource", "{}")]


@tool
async def test_tool_with_logging(ctx: Context) -> Any:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(words)
        await asyncio.sleep(0.05)
    return "logged"


@tool
async def test_tool_with_progress(ctx: Context) -> Any:
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
        await asyncio.sleep(0.05)
    return "progressed"


@tool
def test_error_handling() -> Any:
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool
async def test_sampling(prompt: str, ctx: Context) -> Any:
    question = types.SamplingMessage(role="user", content=text(prompt))
    answer = await ctx.session.create_message([question], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {answer.content.text}"


class Answer(BaseModel):
    """What is elicited."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


@tool
async def test_elicitation(message: str, ctx: Context) -> Any:
    answer = await ctx.elicit(message, Answer)
    return f"User response: action={answer.action}"


class Status(str, enum.Enum):
    """Choices."""

    active = "active"
    inactive = "inactive"
    pending = "pending"


class Defaults(BaseModel):
    """Members with defaults."""

    name: str = Field(default="John Doe", description="User name")
    age: int = Field(default=30, description="User age")
    score: float = Field(default=95.5, description="User score")
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = Field(default=True, description="Verification status")


@tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> Any:
    answer = await ctx.elicit("Please review the defaults", Defaults)
    return f"Elicitation completed: action={answer.action}"


class Choices(BaseModel):
    """All shapes of a choice."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})  # noqa: N815
    titledSingle: str = Field(  # noqa: N815
        json_schema_extra={"oneOf": [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]}
    )
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
    )
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"anyOf": [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]}}
    )


@tool
async def test_elicitation_sep1330_enums(ctx: Context) -> Any:
    answer = await ctx.elicit("Please choose", Choices)
    return f"Elicitation completed: action={answer.action}"


@tool
async def test_reconnection(ctx: Context) -> Any:
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return "Reconnection test completed successfully"


class Address(BaseModel):
    """A definition that a schema refers to."""

    street: str = ""
    city: str = ""


@tool
def json_schema_2020_12_tool(name: str = "", address: Address | None = None) -> Any:
    return f"{name} {address}"


# -- resources, prompts, completion


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    return base64.b64decode(PIXEL)


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    return "watched"


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002  the name in the URI
    return f'{{"id": "{id}", "templateTest": true, "data": "Data for ID: {id}"}}'


@prompt
def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> Any:  # noqa: N803
    return [message(embedded(resourceUri, "Embedded.")), message(text("Please process the embedded resource."))]


@prompt
def test_prompt_with_image() -> Any:
    return [message(image()), message(text("Please analyze the image above."))]


def message(content: Any) -> dict[str, Any]:
    """One message of a prompt."""
    return {"role": "user", "content": content}


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> Any:
    return types.Completion(values=[argument.value + "aris", argument.value + "ark"], total=2)


if hasattr(types, "InputRequiredResult"):
    import rounds

    rounds.add_to(server)


def main() -> None:
    """Bind, say where, serve."""
    app = server.streamable_http_app()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
