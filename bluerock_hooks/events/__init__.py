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
    CodeExec,
    FileOpen,
    FileRemove,
    FileRename,
    NativeLoad,
    ProcessExec,
    ProcessExit,
    ProcessSpawn,
    SocketBind,
    SocketConnect,
    SocketResolve,
    SocketSend,
)
from ._base import Context, CutEvent, Event, Line, Meta, Process, Request, RequestId, Span
from ._imports import DirectUrl, ImportStdlib, PythonImport, PythonPackage
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
    StartupFile,
)
from ._servers import ElementType, McpServerAdd, McpServerInit, PromptArgument, ServerElement, ServerInfo

__all__ = [
    "KINDS",
    "Ancestor",
    "Body",
    "CodeExec",
    "ConnectTarget",
    "Context",
    "CutEvent",
    "DirectUrl",
    "ElementType",
    "End",
    "Event",
    "EventsDropped",
    "FileOpen",
    "FileRemove",
    "FileRename",
    "HookOutcome",
    "ImportStdlib",
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
    "NativeLoad",
    "Outcome",
    "Process",
    "ProcessExec",
    "ProcessExit",
    "ProcessSpawn",
    "PromptArgument",
    "PythonImport",
    "PythonPackage",
    "Request",
    "RequestId",
    "Role",
    "SensorHooks",
    "SensorShutdown",
    "SensorStartup",
    "ServerElement",
    "ServerInfo",
    "SocketBind",
    "SocketConnect",
    "SocketResolve",
    "SocketSend",
    "Span",
    "StartupFile",
    "Transport",
]

KINDS: tuple[type[Event], ...] = (
    CodeExec,
    EventsDropped,
    FileOpen,
    FileRemove,
    FileRename,
    ImportStdlib,
    InternalException,
    McpClientConnect,
    McpMessage,
    McpRejected,
    McpRequestEnded,
    McpServerAdd,
    McpServerInit,
    McpSessionCreated,
    McpSessionTerminated,
    NativeLoad,
    ProcessExec,
    ProcessExit,
    ProcessSpawn,
    PythonImport,
    PythonPackage,
    SensorHooks,
    SensorShutdown,
    SensorStartup,
    SocketBind,
    SocketConnect,
    SocketResolve,
    SocketSend,
)
