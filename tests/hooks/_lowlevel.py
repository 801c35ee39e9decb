"""Run inside an environment with the sensor and an SDK: a low-level server, which registers nothing, lists in pages.

Usage: ``python _lowlevel.py MODE SECRET``; the secret stands in a description and, as a default, in a schema.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import _in_memory
from mcp.server.lowlevel import Server

try:
    import mcp_types as types
except ImportError:
    from mcp import types

mode, secret = sys.argv[1:]
HUGE = {
    "type": "object",
    "properties": {f"member_{n}": {"type": "string", "description": "x" * 4000} for n in range(99)},
}


def tool(name: str, description: str, schema: dict[str, Any]) -> Any:
    return types.Tool.model_validate({"name": name, "description": description, "inputSchema": schema})


PAGES: dict[str | None, tuple[list[Any], str | None]] = {
    None: ([tool("first", f"Use {secret} to sign in.", {"type": "object"})], "two"),
    "two": (
        [
            tool("secretive", "", {"type": "object", "properties": {"api_key": {"type": "string", "default": secret}}}),
            tool("huge", "y" * 100_000, HUGE),
        ],
        None,
    ),
}


def page(cursor: str | None) -> Any:
    tools, following = PAGES[cursor]
    return types.ListToolsResult.model_validate({"tools": tools, "nextCursor": following})


server: Any
if hasattr(Server, "list_tools"):
    server = Server("low", version="7.1", instructions="Told to models.")

    @server.list_tools()
    async def list_tools(request: types.ListToolsRequest) -> types.ListToolsResult:
        return page(request.params.cursor if request.params else None)
else:

    async def on_list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return page(params.cursor if params else None)

    server = Server("low", version="7.1", title="Low", instructions="Told to models.", on_list_tools=on_list_tools)


async def main() -> None:
    async with _in_memory.session(server, mode) as client:
        for _ in range(2):
            result = await client.list_tools()
            following = getattr(result, "next_cursor", None) or result.nextCursor
            await client.list_tools(cursor=following)


asyncio.run(main())
