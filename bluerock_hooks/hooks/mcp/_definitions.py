"""Definitions of tools, resources, templates and prompts, as a client sees them: read off SDK objects and list results.

A definition is the plain JSON object that stands in a list result. The same definition has the same digest, whether it
was registered or listed, on whichever side. ``_meta`` is no part of it: it may differ from one answer to the next.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ... import _stdlib
from ...events import PromptArgument, ServerElement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...events import ElementType

    Definition = dict[str, Any]
    Described = tuple[ElementType, Definition] | None

_MAX_ARGUMENTS = 64

# (method of a list request) -> its member of the result, and what that is a list of
LISTS: dict[str, tuple[str, ElementType]] = {
    "tools/list": ("tools", "tool"),
    "resources/list": ("resources", "resource"),
    "resources/templates/list": ("resourceTemplates", "template"),
    "prompts/list": ("prompts", "prompt"),
}

# The official SDKs' own classes: (attribute, member of the definition)
_COMMON = (("title", "title"), ("description", "description"), ("annotations", "annotations"), ("icons", "icons"))
_TYPED = (*_COMMON, ("mime_type", "mimeType"))
_ATTRIBUTES: dict[ElementType, tuple[tuple[str, str], ...]] = {
    "tool": (("name", "name"), *_COMMON, ("parameters", "inputSchema"), ("output_schema", "outputSchema")),
    "resource": (("uri", "uri"), ("name", "name"), *_TYPED),
    "template": (("uri_template", "uriTemplate"), ("name", "name"), *_TYPED),
    "prompt": (("name", "name"), *_COMMON, ("arguments", "arguments")),
}
_ARGUMENT = ("name", "description", "required")

# fastmcp's classes say it themselves: (method, what may be given another name on the way to the client)
_CONVERSIONS: tuple[tuple[ElementType, str, str], ...] = (
    ("tool", "to_mcp_tool", "name"),
    ("resource", "to_mcp_resource", "uri"),
    ("template", "to_mcp_template", "uriTemplate"),
    ("prompt", "to_mcp_prompt", "name"),
)


def official(kind: ElementType) -> Callable[[Any], Described]:
    """For components of ``mcp.server.fastmcp`` (1.x) and ``mcp.server.mcpserver`` (2.x)."""

    def describe(component: Any) -> Described:
        found = {member: _plain(getattr(component, name, None)) for name, member in _ATTRIBUTES[kind]}
        if kind == "prompt":
            arguments = getattr(component, "arguments", None) or ()
            found["arguments"] = [_known({name: getattr(one, name, None) for name in _ARGUMENT}) for one in arguments]
        if kind == "resource":
            found["name"] = found["name"] or ""
        return kind, _known(found)

    return describe


def converted(component: Any) -> Described:
    """For components of fastmcp 3 and later; None for what no list result has."""
    return _convert(component, None)


def keyed(component: Any) -> Described:
    """For components of fastmcp 2, whose ``key`` is the name that clients see: imported ones have a prefix."""
    return _convert(component, component.key)


def listed(method: str, result: dict[str, Any]) -> Iterator[tuple[ElementType, Definition]]:
    """The definitions in the result of one of ``LISTS``."""
    member, kind = LISTS[method]
    for definition in _member(result, member, list) or ():
        if type(definition) is dict:
            yield kind, definition


def name_of(kind: ElementType, definition: Definition) -> str | None:
    """What tells it from others of its kind: the name of a tool or prompt, the URI of a resource or template."""
    name: str | None = _member(definition, {"resource": "uri", "template": "uriTemplate"}.get(kind, "name"), str)
    return name


def digest(definition: Definition) -> str:
    """SHA-256 of the canonical JSON without ``_meta``."""
    seen = {member: value for member, value in definition.items() if member != "_meta"}
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_foreign)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def element(kind: ElementType, definition: Definition, sha256: str) -> ServerElement:
    """What an event has of ``definition``. A member of the wrong type is left out."""
    arguments = _member(definition, "arguments", list)
    return ServerElement(
        type=kind,
        name=_member(definition, "name", str),
        title=_member(definition, "title", str),
        description=_member(definition, "description", str),
        uri=_member(definition, "uri", str) or _member(definition, "uriTemplate", str),
        mime_type=_member(definition, "mimeType", str),
        parameters=_member(definition, "inputSchema", dict),
        output_schema=_member(definition, "outputSchema", dict),
        annotations=_member(definition, "annotations", dict),
        arguments=None if arguments is None else [_argument(one) for one in arguments[:_MAX_ARGUMENTS]],
        definition_sha256=sha256,
    )


def _argument(argument: Any) -> PromptArgument:
    return PromptArgument(
        name=_member(argument, "name", str),
        description=_member(argument, "description", str),
        required=_member(argument, "required", bool),
    )


def _member(members: Any, name: str, kind: type) -> Any:
    value = members.get(name) if type(members) is dict else None
    return value if type(value) is kind else None


def _convert(component: Any, key: str | None) -> Described:
    for kind, method, name in _CONVERSIONS:
        convert = getattr(component, method, None)
        if convert is not None:
            return kind, _plain(convert() if key is None else convert(**{name: key}))
    return None


def _known(members: Definition) -> Definition:
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: Any) -> Any:
    """A member as the SDK writes it: models without what is None, URLs as text."""
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", by_alias=True, exclude_none=True)
    if type(value) is list:
        return [_plain(item) for item in value]
    if value is None or type(value) in (str, dict, bool, int, float):
        return value
    return str(value)


def _foreign(value: object) -> str:
    return f"<{_stdlib.type_name(type(value))}>"
