"""What the conformance suite asks of a 2026-07-28 server: tools that answer with a request for input."""

# No "from __future__ import annotations": the SDK reads the annotations of local functions.

from typing import Any

import mcp.types as types
from mcp.server.mcpserver import Context


def elicitation(words: str, name: str) -> Any:
    """Asks for one text."""
    schema = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
    params = {"message": words, "requestedSchema": schema}
    return types.ElicitRequest.model_validate({"method": "elicitation/create", "params": params})


def sampling(words: str) -> Any:
    """Asks a model."""
    question = {"role": "user", "content": {"type": "text", "text": words}}
    params = {"messages": [question], "maxTokens": 100}
    return types.CreateMessageRequest.model_validate({"method": "sampling/createMessage", "params": params})


def roots() -> Any:
    """Asks for the client's roots."""
    return types.ListRootsRequest.model_validate({"method": "roots/list"})


def asked(requests: dict[str, Any], state: str | None = None) -> Any:
    """The answer that asks."""
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def done(words: str) -> Any:
    """The answer that is one."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=words)])


Answer = types.CallToolResult | types.InputRequiredResult


def add_to(server: Any) -> None:
    """Register the tools and the prompt."""

    @server.tool(description="Asks back.")
    async def test_input_required_result_elicitation(ctx: Context) -> Answer:
        given = (ctx.input_responses or {}).get("user_name")
        return done(f"Hello, {given.content['name']}!") if given else asked({"user_name": elicitation("?", "name")})

    @server.tool(description="Asks back.")
    async def test_input_required_result_sampling(ctx: Context) -> Answer:
        given = (ctx.input_responses or {}).get("capital_question")
        return done(given.content.text) if given else asked({"capital_question": sampling("Capital of France?")})

    @server.tool(description="Asks back.")
    async def test_input_required_result_list_roots(ctx: Context) -> Answer:
        given = (ctx.input_responses or {}).get("client_roots")
        return done(f"{len(given.roots)} roots") if given else asked({"client_roots": roots()})

    @server.tool(description="Asks back.")
    async def test_input_required_result_request_state(ctx: Context) -> Answer:
        if ctx.request_state is not None:
            return done("state-ok")
        return asked({"confirm": elicitation("Please confirm", "ok")}, "state")

    @server.tool(description="Asks back.")
    async def test_input_required_result_multiple_inputs(ctx: Context) -> Answer:
        if ctx.input_responses:
            return done(" ".join(sorted(ctx.input_responses)))
        questions = {"user_name": elicitation("?", "name"), "greeting": sampling("Greet"), "client_roots": roots()}
        return asked(questions, "state")

    @server.tool(description="Asks back.")
    async def test_input_required_result_multi_round(ctx: Context) -> Answer:
        if ctx.request_state is None:
            return asked({"step1": elicitation("Name?", "name")}, "round 1")
        if "step2" not in (ctx.input_responses or {}):
            return asked({"step2": elicitation("Colour?", "color")}, "round 2")
        return done("both rounds")

    @server.tool(description="Asks back.")
    async def test_input_required_result_tampered_state(ctx: Context) -> Answer:
        return done("ok") if ctx.request_state else asked({"confirm": elicitation("Please confirm", "ok")}, "sealed")

    @server.tool(description="Asks back.")
    async def test_input_required_result_capabilities(ctx: Context) -> Answer:
        offered = ctx.client_capabilities
        questions = {}
        if offered is not None and offered.elicitation is not None:
            questions["user_name"] = elicitation("?", "name")
        if offered is not None and offered.sampling is not None:
            questions["greeting"] = sampling("Greet")
        return asked(questions) if questions and not ctx.input_responses else done("ok")

    @server.prompt(description="Asks back.")
    async def test_input_required_result_prompt(ctx: Context) -> Any:
        given = (ctx.input_responses or {}).get("user_context")
        return "With context." if given else asked({"user_context": elicitation("Context?", "context")})
