"""The events: one msgspec Struct a kind, one line of NDJSON an event.

Hooks build these Structs; ``encode`` stamps the envelope (``meta``, ``context.process``, ``ts``), redacts and encodes.
A member that is ``None`` is unknown and left out of the line. The schema only grows: a new member has a default.

Text members are redacted by default. The annotation says otherwise where it matters:

* ``Known``: our own words, digests and ids; never looked at.
* ``Message``: payload, kept as far as ``BLUEROCK_PAYLOADS`` / ``BLUEROCK_RESULTS`` say.
* ``Argv``, ``Url``: redacted by their own grammar.
"""

from __future__ import annotations

from ._activity import (
    ProcessExec,
    ProcessExit,
    ProcessSpawn,
)
from ._base import Context, CutEvent, Event, Line, Meta, Process, Request, RequestId, Span
from ._mcp import (
    Body,
    ConnectTarget,
    End,
    McpClientConnect,
    McpMessage,
    McpRejected,
    McpRequestEnded,
    McpSessionCreated,
    McpSessionTerminated,
    MessageEvent,
    Outcome,
    Role,
    Transport,
)
from ._sensor import (
    Ancestor,
    EventsDropped,
    HookOutcome,
    InternalException,
    SensorHooks,
    SensorShutdown,
    SensorStartup,
)
from ._servers import ElementType, McpServerAdd, McpServerInit, PromptArgument, ServerElement, ServerInfo

__all__ = [
    "KINDS",
    "Ancestor",
    "Body",
    "ConnectTarget",
    "Context",
    "CutEvent",
    "ElementType",
    "End",
    "Event",
    "EventsDropped",
    "HookOutcome",
    "InternalException",
    "Line",
    "McpClientConnect",
    "McpMessage",
    "McpRejected",
    "McpRequestEnded",
    "McpServerAdd",
    "McpServerInit",
    "McpSessionCreated",
    "McpSessionTerminated",
    "MessageEvent",
    "Meta",
    "Outcome",
    "Process",
    "ProcessExec",
    "ProcessExit",
    "ProcessSpawn",
    "PromptArgument",
    "Request",
    "RequestId",
    "Role",
    "SensorHooks",
    "SensorShutdown",
    "SensorStartup",
    "ServerElement",
    "ServerInfo",
    "Span",
    "Transport",
]

KINDS: tuple[type[Event], ...] = (
    EventsDropped,
    InternalException,
    McpClientConnect,
    McpMessage,
    McpRejected,
    McpRequestEnded,
    McpServerAdd,
    McpServerInit,
    McpSessionCreated,
    McpSessionTerminated,
    ProcessExec,
    ProcessExit,
    ProcessSpawn,
    SensorHooks,
    SensorShutdown,
    SensorStartup,
)
