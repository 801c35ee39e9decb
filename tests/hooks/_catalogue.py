"""Run inside an environment with the sensor and an SDK: a server that gets its elements in every way there is.

Usage: ``python _catalogue.py PACKAGE MODE``. Prints as one JSON object what the client was told:
``{"first": [[type, definition], ...], "second": [...]}``, the second after a tool was added from inside a tool, one
was replaced, and the description of one was changed behind the server's back.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import sys
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parent.parent))
import _in_memory

package, mode = sys.argv[1:]
logging.disable(logging.CRITICAL)


def constructed(x: int) -> int:
    """Given to the constructor."""
    return x


def plain(a: int, b: str | None = None, c: Literal["x", "y"] = "x") -> dict[str, int]:
    """Ü: a default that is null, a choice, a result with a schema."""
    return {"a": a}


def changing() -> str:
    """At first."""
    return "x"


def changed() -> str:
    """Then."""
    return "x"


def replaced() -> str:
    """The first of its name."""
    return "x"


def fixed() -> str:
    """A resource."""
    return "x"


def shaped(name: str) -> str:
    """A template."""
    return name


def asked(topic: str, tone: str = "dry") -> str:
    """A prompt."""
    return topic


server: Any
if package == "fastmcp":
    from fastmcp import FastMCP
    from fastmcp.tools import Tool

    child = FastMCP("child")
    child.tool(changing)
    server = FastMCP("catalogue", tools=[Tool.from_function(constructed)])
    try:
        server.mount(child, namespace="sub")
    except TypeError:
        server.mount(child, prefix="sub")
else:
    try:
        from mcp.server.mcpserver import MCPServer as Server
        from mcp.server.mcpserver.tools.base import Tool
    except ImportError:
        from mcp.server.fastmcp import FastMCP as Server
        from mcp.server.fastmcp.tools.base import Tool
    server = Server("catalogue", tools=[Tool.from_function(constructed)])

try:
    import mcp_types as types
except ImportError:
    from mcp import types


def known(method: Any, **options: Any) -> dict[str, Any]:
    """Those of the options that this version takes."""
    return {name: value for name, value in options.items() if name in inspect.signature(method).parameters}


ICONS = [types.Icon(src="data:image/png;base64,AAAA")] if hasattr(types, "Icon") else []
MORE = {"title": "For people", "icons": ICONS, "meta": {"theirs": 1}}
AUDIENCE = types.Annotations(audience=["user"], priority=0.5)


def add(function: Any, **options: Any) -> Any:
    """With the public way of the framework that takes a ready tool, or a function."""
    if package == "fastmcp":
        return server.add_tool(Tool.from_function(function, **options))
    return server.add_tool(function, **options)


server.tool(annotations=types.ToolAnnotations(title="Plain", readOnlyHint=True), **known(server.tool, **MORE))(plain)
add(changing)
add(replaced)
described = known(server.resource, annotations=AUDIENCE, **MORE)
server.resource("res://fixed", mime_type="text/plain", **described)(fixed)
server.resource("res://shaped/{name}", **described)(shaped)
server.prompt(**known(server.prompt, **MORE))(asked)


@server.tool()
def grow() -> str:
    """Adds a tool while it is called."""
    add(constructed, name="grown")
    return "x"


def dumped(item: Any) -> dict[str, Any]:
    return item.model_dump(mode="json", by_alias=True, exclude_none=True)


async def told(client: Any) -> list[Any]:
    found = []
    for kind, call, member in (
        ("tool", "list_tools", "tools"),
        ("resource", "list_resources", "resources"),
        ("template", "list_resource_templates", "resource_templates"),
        ("prompt", "list_prompts", "prompts"),
    ):
        result = await getattr(client, call)()
        if type(result) is not list:  # fastmcp's client gives the list itself
            result = getattr(result, member, None) or getattr(result, "resourceTemplates", [])
        found += [[kind, dumped(item)] for item in result]
    return found


async def main() -> None:
    async with _in_memory.session(server, mode) as client:
        first = await told(client)
        await client.call_tool("grow", {})
        if package == "fastmcp":
            tool = Tool.from_function(changed, name="replaced")
            server.add_tool(tool)
            target = (
                child._tool_manager._tools["changing"]
                if hasattr(child, "_tool_manager")
                else await child.get_tool("changing")
            )
            target.description = changed.__doc__
        else:
            del server._tool_manager._tools["replaced"]
            add(changed, name="replaced")
            add(changed, name="replaced")  # exists: nothing happens
            server._tool_manager._tools["changing"].description = changed.__doc__
        await told(client)
        print(json.dumps({"first": first, "second": await told(client)}))


asyncio.run(main())
