"""The events: one msgspec Struct a kind, one line of NDJSON an event.

Hooks build these Structs; ``encode`` stamps the envelope (``meta``, ``context.process``, ``ts``), redacts and encodes.
A member that is ``None`` is unknown and left out of the line. The schema only grows: a new member has a default.

Text members are redacted by default. The annotation says otherwise where it matters:

* ``Known``: our own words, digests and ids; never looked at.
* ``Params``, ``Results``: payload, kept as far as ``BLUEROCK_PAYLOADS`` / ``BLUEROCK_RESULTS`` say.
* ``Argv``, ``Url``: redacted by their own grammar.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

Known = Annotated[str, msgspec.Meta(extra={"redact": "known"})]
Url = Annotated[str, msgspec.Meta(extra={"redact": "url"})]
Argv = Annotated[list[str], msgspec.Meta(extra={"redact": "argv"})]
Message = Annotated[dict[str, Any], msgspec.Meta(extra={"redact": "message"})]

RequestId = Annotated[int | str, msgspec.Meta(extra={"redact": "known"})]
Role = Literal["server", "client"]
Outcome = Literal["ok", "tool_error", "error", "cancelled", "timeout", "input_required"]
Transport = Literal["stdio", "http", "sse", "websocket", "memory", "unknown"]
MessageEvent = Literal[
    "server_received_request",
    "server_send_response",
    "server_received_notification",
    "server_send_notification",
    "server_send_request",
    "server_received_response",
    "client_send_request",
    "client_received_response",
    "client_received_notification",
    "client_send_notification",
    "client_received_request",
    "client_send_response",
]


class Meta(msgspec.Struct, omit_defaults=True, gc=False):
    """What the event is and who recorded it; ``component_id`` with ``source_event_id`` is unique for ever."""

    name: str
    type: str
    origin: str
    schema: str
    sensor_id: int
    source_event_id: int
    """Counts the events of this process from 1; a gap is a dropped event."""
    component_id: str
    """Random UUID of this process."""


class Process(msgspec.Struct, gc=False):
    """The process that recorded the event."""

    pid: int


class Request(msgspec.Struct, omit_defaults=True, gc=False):
    """The MCP request an event belongs to: the one it is part of, or the one whose handling caused it."""

    method: Known | None = None
    tool: Known | None = None
    """Name of the tool or prompt, or URI of the resource. Redacted when it was learned."""
    request_id: RequestId | None = None
    session_id: Known | None = None
    span_id: Known | None = None
    """Random id of this request on this side; its response carries the same."""
    parent_span_id: Known | None = None
    """The request that was being served when this one was sent."""


class Span:
    """A request and, later, its response: what events belong to while it is open."""

    __slots__ = ("cancelled", "method", "request", "started")

    def __init__(self, method: str, request: Request, started: int) -> None:
        self.method = method
        self.request = request
        self.started = started
        """Monotonic nanoseconds."""
        self.cancelled = False


class Context(msgspec.Struct, omit_defaults=True, gc=False):
    """Where the event happened."""

    process: Process
    mcp: Request | None = None


class Event(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """What every event has. ``meta`` and ``context`` are filled in when it is recorded."""

    NAME: ClassVar[str] = ""
    TYPE: ClassVar[str] = "event"

    meta: Meta | None = None
    context: Context | None = None


class HookOutcome(msgspec.Struct, omit_defaults=True):
    """What became of one patch row."""

    target: Known
    """``module:attribute``."""
    outcome: Literal["applied", "absent", "failed"]
    feature: Known | None = None
    """What is not seen without it."""
    required: bool = False
    """Without it the sensor misses events that it promises."""
    detail: str | None = None


class Ancestor(msgspec.Struct):
    """A parent process, named by pid and start tick."""

    pid: int
    start: int


class SensorStartup(Event, kw_only=True):
    """The sensor started in a process: once a process, forked children included, before any other event."""

    NAME: ClassVar[str] = "sensor_startup"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    version: Known
    """Of bluerock-hooks."""
    argv: Argv | None = None
    """The interpreter's original arguments, redacted."""
    executable: Known | None = None
    python: Known | None = None
    platform: Known | None = None
    cwd: Known | None = None
    ppid: int | None = None
    start: int | None = None
    """Start tick of this process since boot."""
    ancestors: list[Ancestor] | None = None
    """Nearest first."""
    forked: bool | None = None
    """True where the process came by fork from one that had a sensor."""
    activation: Known | None = None
    """What started the sensor: ``pth``, ``start`` (a PEP 829 file) or ``call``."""
    spool: Known | None = None
    ring: Known | None = None
    """``mmap``, or ``write`` where each event is written on its own."""
    settings: dict[str, Any] | None = None
    """Settings that differ from their defaults."""
    problems: list[str] | None = None
    """Configuration problems, one sentence each."""


class SensorHooks(Event, kw_only=True):
    """The patches of one module were tried: which applied, which found nothing to patch."""

    NAME: ClassVar[str] = "sensor_hooks"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    module: Known
    sdk: Known | None = None
    """Generation of the MCP SDK: ``1`` or ``2``."""
    hooks: list[HookOutcome] = []


class SensorShutdown(Event, kw_only=True):
    """The interpreter ended cleanly. A process without this event was killed, or is alive."""

    NAME: ClassVar[str] = "sensor_shutdown"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    events: int
    """Events recorded, this one included."""
    dropped: int
    bytes: int
    errors: int
    """Exceptions of ours that the guard swallowed."""
    duration_ms: float


class McpServerInit(Event, kw_only=True):
    """An MCP server object was made."""

    NAME: ClassVar[str] = "python_mcp_server_init"

    server: ServerInfo


class ServerInfo(msgspec.Struct, omit_defaults=True):
    """What a server says of itself."""

    name: str | None = None
    title: str | None = None
    version: Known | None = None
    instructions: str | None = None
    sdk: Known | None = None
    """Generation of the SDK: ``1`` or ``2``."""


class McpMessage(Event, kw_only=True):
    """One JSON-RPC message, once on each side that has a sensor."""

    NAME: ClassVar[str] = "python_mcp_event"

    event: MessageEvent
    id: RequestId | None = None
    method: Known | None = None
    """Of a response: the method of its request."""
    message: Message | None = None
    """The JSON-RPC message without its version: ``id``, ``method``, ``params``, ``result``, ``error``."""
    session_id: Known | None = None
    """The protocol's own session id; 2026-07-28 and stdio have none."""
    connection_id: Known | None = None
    """Our id of the connection this message travelled on, unique on this side."""
    source: Role | None = None
    """The side that wrote the message."""
    server_name: Known | None = None
    """Redacted when it was learned."""
    client_name: Known | None = None
    transport: Transport | None = None
    protocol_version: Known | None = None
    duration_ms: float | None = None
    """On responses: since the request passed the same place."""
    outcome: Outcome | None = None
    """On responses."""
    error_code: int | None = None
    """On error responses: the JSON-RPC code."""
    trace_parent: Known | None = None
    """W3C ``traceparent`` that another tool put into ``_meta``."""


class McpSessionCreated(Event, kw_only=True):
    """A connection is up on this side."""

    NAME: ClassVar[str] = "python_mcp_session_created"

    connection_id: Known
    source: Role
    session_id: Known | None = None
    transport: Transport | None = None
    peer: str | None = None


class McpSessionTerminated(Event, kw_only=True):
    """The connection of this side is down."""

    NAME: ClassVar[str] = "python_mcp_session_terminated"

    connection_id: Known
    source: Role
    session_id: Known | None = None
    transport: Transport | None = None
    peer: str | None = None
    unanswered: int | None = None
    """Requests that never had an answer."""
    duration_ms: float | None = None


class ConnectTarget(msgspec.Struct, omit_defaults=True):
    """What a client connects to."""

    type: Transport
    command: str | None = None
    args: Argv | None = None
    url: Url | None = None
    auth: bool | None = None
    """Whether credentials were given; never which."""
    pid: int | None = None
    """Of the server process, on stdio."""


class McpClientConnect(Event, kw_only=True):
    """A client opened a transport."""

    NAME: ClassVar[str] = "python_mcp_client_connect"

    server: ConnectTarget


class EventsDropped(Event, kw_only=True):
    """Events were lost since the last such record; ``source_event_id`` gaps show which."""

    NAME: ClassVar[str] = "python_events_dropped"

    dropped: int
    bytes: int
    reason: Known | None = None
    """``ring_full``, ``spool``, ``error``, ``damage``, ``recovery`` or ``retention``."""


class InternalException(Event, kw_only=True):
    """Code of ours failed; the host did not notice."""

    NAME: ClassVar[str] = "python_internal_exception"

    place: Known
    message: str
    count: int


KINDS: tuple[type[Event], ...] = (
    EventsDropped,
    InternalException,
    McpClientConnect,
    McpMessage,
    McpServerInit,
    McpSessionCreated,
    McpSessionTerminated,
    SensorHooks,
    SensorShutdown,
    SensorStartup,
)


class Line(msgspec.Struct, gc=False):
    """One line of the spool."""

    ts: datetime
    """UTC, microseconds."""
    event: Event
