"""The client that the protocol's own conformance suite tests: it connects to the address it is given, calls all tools.

Logs in where it is asked to, following the suite's authorization server as a browser would. On mcp 2.x.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

REDIRECT = "http://localhost:3000/callback"
METADATA_URL = "https://conformance-test.local/client-metadata.json"
SAMPLES = {"string": "x", "integer": 1, "number": 1.5, "boolean": True, "object": {}, "array": [], "null": None}


class Tokens:
    """Keeps what the authorization server gave, for this process."""

    def __init__(self, client: OAuthClientInformationFull | None) -> None:
        self.tokens: Any = None
        self.client = client

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


class Browser:
    """Goes to the authorization page and reads the answer off the redirect."""

    def __init__(self) -> None:
        self.answer: dict[str, list[str]] = {}

    async def visit(self, url: str) -> None:
        async with httpx2.AsyncClient() as client:
            response = await client.get(url, follow_redirects=False)
        self.answer = parse_qs(urlsplit(response.headers["location"]).query)

    async def result(self) -> AuthorizationCodeResult:
        given = {name: self.answer.get(name, [None])[0] for name in ("code", "state", "iss")}
        return AuthorizationCodeResult(**{name: value for name, value in given.items() if value is not None})


def login(url: str, context: dict[str, Any]) -> OAuthClientProvider:
    """Authentication for the client, as the scenario's context wants it."""
    registered = None
    if "client_id" in context:
        registered = OAuthClientInformationFull(
            client_id=context["client_id"], client_secret=context.get("client_secret"), redirect_uris=[REDIRECT]
        )
    browser = Browser()
    metadata = OAuthClientMetadata(
        client_name="conformance", redirect_uris=[REDIRECT], grant_types=["authorization_code", "refresh_token"]
    )
    return OAuthClientProvider(
        url, metadata, Tokens(registered), browser.visit, browser.result, client_metadata_url=METADATA_URL
    )


def sample(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments that a tool with this schema takes."""
    members = schema.get("properties", {})
    return {name: SAMPLES.get(members[name].get("type"), "x") for name in schema.get("required", members)}


async def on_elicitation(context: Any, params: Any) -> Any:
    """Accepts, with the defaults."""
    members = getattr(params, "requested_schema", {}).get("properties", {})
    given = {name: member.get("default", SAMPLES.get(member.get("type"), "x")) for name, member in members.items()}
    return types.ElicitResult(action="accept", content=given)


async def main() -> None:
    """Connect, list, call."""
    url = sys.argv[-1]
    scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    auth = login(url, context) if scenario.startswith("auth/") else None
    async with (
        httpx2.AsyncClient(auth=auth, follow_redirects=True, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), elicitation_callback=on_elicitation) as client,
    ):
        calls = {call["name"]: call["arguments"] for call in context.get("toolCalls", [])}
        for tool in (await client.list_tools()).tools:
            with contextlib.suppress(Exception):  # a scenario may refuse some; the suite judges
                await client.call_tool(tool.name, calls.get(tool.name, sample(tool.input_schema)))


if __name__ == "__main__":
    asyncio.run(main())
