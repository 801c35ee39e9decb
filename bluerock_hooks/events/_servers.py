"""What servers are and have: their objects, tools, resources, templates and prompts."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from ._base import Event, Known, Url
from ._mcp import Role

ElementType = Literal["tool", "resource", "template", "prompt"]


class ServerInfo(msgspec.Struct, omit_defaults=True):
    """What a server says of itself."""

    name: str | None = None
    title: str | None = None
    version: Known | None = None
    instructions: str | None = None
    sdk: Known | None = None
    """Generation of the SDK: ``1`` or ``2``."""
    framework: Known | None = None
    """Name and version of the package on top of the SDK that made it, where it is one we know: ``fastmcp 3.4.11``."""


class McpServerInit(Event, kw_only=True):
    """An MCP server object was made."""

    NAME: ClassVar[str] = "python_mcp_server_init"

    server: ServerInfo


class PromptArgument(msgspec.Struct, omit_defaults=True):
    """One argument of a prompt."""

    name: str | None = None
    description: str | None = None
    required: bool | None = None


class ServerElement(msgspec.Struct, omit_defaults=True):
    """A tool, resource, resource template or prompt, as clients see it."""

    type: ElementType
    name: str | None = None
    title: str | None = None
    description: str | None = None
    uri: Url | None = None
    """Of a resource its URI, of a template its URI template."""
    mime_type: str | None = None
    parameters: dict[str, Any] | None = None
    """Of a tool: the JSON Schema of its input, kept as far as ``BLUEROCK_PAYLOADS`` says."""
    output_schema: dict[str, Any] | None = None
    """Of a tool: the JSON Schema of its structured output, likewise."""
    annotations: dict[str, Any] | None = None
    """Hints such as ``readOnlyHint``, likewise."""
    arguments: list[PromptArgument] | None = None
    """Of a prompt."""
    cut: bool | None = None
    """True where schemas, annotations and arguments were left out: the event was above ``BLUEROCK_MAX_EVENT_BYTES``."""
    definition_sha256: Known | None = None
    """Of the whole definition before redaction and cutting, without its ``_meta``, as JSON with sorted keys and no
    spaces: what ``jq -cSj 'del(._meta)'`` prints.
    """


class McpServerAdd(Event, kw_only=True):
    """A server has an element that was not known: it was registered, replaced, or appeared in a list result.

    What a registration has told is not told again when it is listed, and what was listed is told once on each side of
    each process. A definition that changed is another definition, with a digest of its own.
    """

    NAME: ClassVar[str] = "python_mcp_server_add"

    element: ServerElement
    learned: Literal["registered", "listed"]
    """From code that registered it in this process, or from the result of a list request."""
    source: Role
    """The side that learned it; ``client`` is what a client was told by its server."""
    server_name: Known | None = None
    """Redacted when it was learned."""
    replaces: Known | None = None
    """Digest of the last other definition under the same type and name on a server of this name, if there was one."""
    connection_id: Known | None = None
    """Of a listed one: the connection."""

    def lighten(self) -> bool:
        """Without schemas and arguments; the digest covers them."""
        element = self.element
        heavy = (element.parameters, element.output_schema, element.annotations, element.arguments)
        if all(part is None for part in heavy):
            return False
        element.parameters = element.output_schema = element.annotations = element.arguments = None
        element.cut = True
        return True
