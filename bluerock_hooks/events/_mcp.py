"""MCP: connections, sessions and every JSON-RPC message."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from ._base import Argv, Event, Known, Message, RequestId, Url

Role = Literal["server", "client"]
Outcome = Literal["ok", "tool_error", "error", "cancelled", "timeout", "input_required"]
End = Literal["timeout", "cancelled", "abandoned"]
Body = Literal["none", "unread", "not_json", "batch", "not_a_message", "message"]
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
    """On responses. ``timeout`` or ``cancelled`` where the request had ended so before the answer came."""
    late: bool | None = None
    """On responses: True where nobody waited for it any more; a ``python_mcp_request_ended`` came before it."""
    error_code: int | None = None
    """On error responses: the JSON-RPC code."""
    trace_parent: Known | None = None
    """W3C ``traceparent`` in ``_meta``: of another tool, or ours where ``BLUEROCK_PROPAGATE`` is on."""
    state_digest: Known | None = None
    """Keyed digest of ``requestState``: the same on the result that asked for input and on the request that returns
    it. The state itself is never recorded."""


class McpRequestEnded(Event, kw_only=True):
    """A request ended on this side without an answer on the wire."""

    NAME: ClassVar[str] = "python_mcp_request_ended"

    id: RequestId
    method: Known | None = None
    outcome: End
    """``timeout``: this side waited long enough. ``cancelled``: by the side that sent it, or by its caller.
    ``abandoned``: the connection closed, or the answer can never come."""
    side: Role
    """The side that recorded this."""
    source: Role
    """The side that wrote the request."""
    session_id: Known | None = None
    connection_id: Known | None = None
    transport: Transport | None = None
    error_code: int | None = None
    """Where the SDK gave its caller an error in place of an answer: the code of that error."""
    reason: str | None = None
    """Its text."""
    duration_ms: float | None = None
    """Since the request passed the same place."""


class McpRejected(Event, kw_only=True):
    """The transport of a server refused an HTTP request: nothing of it reached a session.

    The message in its body, and an answer that is a JSON-RPC error, are events of their own.
    """

    NAME: ClassVar[str] = "python_mcp_rejected"

    status: int
    """Of the HTTP response."""
    verb: Known
    """The HTTP method."""
    body: Body
    """What the body was. ``none``: there was no body. ``unread``: the transport refused without reading all of it.
    ``batch``: a list of messages."""
    size: int | None = None
    """Bytes of the body; of one that was not read, as declared."""
    messages: int | None = None
    """How many messages a batch had."""
    id: RequestId | None = None
    """Of the request in the body."""
    method: Known | None = None
    session_id: Known | None = None
    """The session that the client named, whether there is one or not. Redacted when it was learned."""
    connection_id: Known | None = None
    """Stands for this one HTTP request; its messages carry it too."""
    server_name: Known | None = None
    transport: Transport | None = None
    error_code: int | None = None
    """Of an answer that is a JSON-RPC error."""
    reason: str | None = None
    """First line of an answer that is none."""
    duration_ms: float | None = None
    """Since the request came to the transport."""


class McpSessionCreated(Event, kw_only=True):
    """A connection is up on this side."""

    NAME: ClassVar[str] = "python_mcp_session_created"

    connection_id: Known
    source: Role
    session_id: Known | None = None
    transport: Transport | None = None
    peer: str | None = None
    server_pid: int | None = None
    """Of a client on stdio: the process that it started, as in ``python_mcp_client_connect``."""


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
