"""One connection of this side: what is known of both parties, which requests are open, and the events of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard, _stdlib
from ...events import McpMessage, McpSessionCreated, McpSessionTerminated, Request, Span
from .._attribution import current
from ._definitions import LISTS
from ._endings import abandoned, elapsed_ms, ended, is_made_up, unanswered
from ._parties import Parties, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...events import End, Event, Outcome, Role
    from .. import Recording
    from ._endings import Ended
    from ._inventory import Inventory
    from ._transports import Endpoint

_monotonic_ns = _stdlib.monotonic_ns
_MAX_OPEN = 4096  # requests remembered while they wait; a peer that never answers must not grow us
_MAX_ID = 256
_MAX_PASSING = 64
_MAX_SUBJECTS = 64

CANCELLED: dict[str, Any] = {"code": -32800, "message": "Request cancelled"}
"""The error of a request that was cancelled, where the SDK writes it or nothing is written at all."""

# (role, inbound) -> names of the events for a request, a notification, a response
_NAMES: dict[tuple[Role, bool], tuple[Any, Any, Any]] = {
    ("server", True): ("server_received_request", "server_received_notification", "server_received_response"),
    ("server", False): ("server_send_request", "server_send_notification", "server_send_response"),
    ("client", True): ("client_received_request", "client_received_notification", "client_received_response"),
    ("client", False): ("client_send_request", "client_send_notification", "client_send_response"),
}

# Methods whose results tell of the server.
_TELLING = frozenset(("initialize", "server/discover", *LISTS))


class Connection:
    """One side of one MCP connection.

    ``message()`` takes a JSON-RPC message as a mapping of its members (the ``__dict__`` of an SDK model will do) and
    records it. Everything here runs inside the host's send and receive: each entry is guarded.
    """

    __slots__ = (
        "_client_session",
        "_inventory",
        "_new_id",
        "_received",
        "_recording",
        "_sent",
        "_started",
        "_subjects",
        "_templates",
        "endpoint",
        "id",
        "in_memory",
        "over",
        "owner_name",
        "parties",
        "role",
        "session_id",
        "wire_method",
        "withdraws",
    )

    def __init__(
        self, recording: Recording, role: Role, endpoint: Endpoint, inventory: Inventory | None = None
    ) -> None:
        self._recording = recording
        self._inventory = inventory
        self.in_memory = endpoint.kind == "memory"
        recording.connected()
        self.id = recording.new_id()
        self.endpoint = endpoint
        self.role: Role = role
        self.owner_name: Callable[[], str | None] | None = None
        self.wire_method: str | None = None
        self.withdraws = False
        """A request that this side cancels has ended for it: 2.x waits no longer, 1.x still wants the answer."""
        self.over: dict[int | str | None, Ended] = {}
        """Requests of this side that ended without an answer, by id: one may come all the same."""
        self.session_id = endpoint.session_id
        """The protocol's session id, ``None`` where the transport has none."""
        self._client_session: Callable[[], str | None] | None = None
        self._new_id = recording.new_id
        self._subjects: dict[str, str] = {}
        self._templates: dict[tuple[int, bool], McpMessage] = {}
        self.parties = Parties(recording.clean, self._templates.clear)
        self._sent: dict[int | str, Span] = {}
        self._received: dict[int | str, Span] = {}
        self._started = _monotonic_ns()

    def session_from(self, source: Callable[[], str | None]) -> None:
        """Where to ask for the session id of an HTTP client; it is not known before the first response."""
        if self.session_id is None and self.endpoint.kind in ("http", "unknown"):
            self._client_session = source

    def _ask_session(self) -> None:
        found = self._client_session() if self._client_session is not None else None
        if found is not None:
            self.session_id = self.endpoint.session_id = found
            self._client_session = None
            self._templates.clear()

    def received(self, request_id: object) -> Span | None:
        """The open request of the peer with this id."""
        key = _plain_id(request_id)
        return self._received.get(key) if key is not None else None

    def open_requests(self, inbound: bool) -> list[int | str]:
        """Ids of the requests that wait for an answer: of the peer's (``inbound``), or of this side's own."""
        return list(self._received if inbound else self._sent)

    def close_request(self, request_id: object, inbound: bool) -> Span | None:
        """Forget an open request: no answer is expected any more."""
        key = _plain_id(request_id)
        return (self._received if inbound else self._sent).pop(key, None) if key is not None else None

    def expect(self, request_id: object, span: Span) -> None:
        """The answer with this id, or with none (``None``), is to the peer's request of ``span``."""
        self._received[_plain_id(request_id)] = span  # type: ignore[index]

    def record(self, event: Event, span: Span | None = None) -> None:
        """Record an event of this connection that is no message."""
        self._recording.record(event, span)

    def created(self) -> None:
        """Record that the connection is up. Stateless HTTP has a connection per POST: no session, no event."""
        if not self.endpoint.stateless:
            event = McpSessionCreated(connection_id=self.id, source=self.role, session_id=self.session_id)
            event.transport = self.endpoint.kind
            self._recording.record(event)

    def acts_as(self, role: Role) -> None:
        """Settle the role, where it was not known from the start."""
        self.role = role
        self._templates.clear()

    def serves(self, name: object) -> None:
        """The name of the server object behind this connection."""
        if self.parties.server is None and type(name) is str:
            self.parties.server_is(name)

    def terminated(self) -> None:
        """Record that the connection is down."""
        try:
            left = abandoned(self)
            if not self.endpoint.stateless:
                event = McpSessionTerminated(connection_id=self.id, source=self.role, session_id=self.session_id)
                event.transport = self.endpoint.kind
                event.peer = self.parties.client if self.role == "server" else self.parties.server
                event.unanswered = left
                event.duration_ms = elapsed_ms(self._started)
                self._recording.record(event)
        except Exception as exc:
            _guard.swallow("mcp.session", exc)

    def message(self, members: Mapping[str, Any], inbound: bool, carrier: object = None) -> None:
        """Record one JSON-RPC message that passed this side, ``inbound`` or outbound.

        ``carrier`` is the object that carries it, where the very same object reaches the other side in this process.
        """
        try:
            method = members.get("method")
            request_id = members.get("id")
            if type(request_id) is not int:
                request_id = _plain_id(request_id)
            if self._client_session is not None:
                self._ask_session()
            if method is None:
                self._response(members, request_id, inbound, carrier)
                return
            if type(method) is not str or len(method) > _MAX_ID:
                method = _plain_method(method)
            if request_id is None:
                self._notification(method, members.get("params"), inbound, carrier)
            else:
                self._request(method, request_id, members.get("params"), inbound, carrier)
        except Exception as exc:
            _guard.swallow("mcp.message", exc)

    # -- the three classes of message

    def _request(self, method: str, request_id: int | str, params: Any, inbound: bool, carrier: object) -> None:
        parent = current()
        if parent is not None and inbound and parent.ended:
            parent = None  # inherited by the task that reads, from the request that opened the connection
        span = Span(
            method,
            Request(
                method,
                self._subject(params),
                request_id,
                self.session_id,
                self._new_id(),
                parent.request.span_id if parent is not None else None,
            ),
            _monotonic_ns(),
        )
        waiting = self._received if inbound else self._sent
        if len(waiting) >= _MAX_OPEN:
            del waiting[next(iter(waiting))]
        waiting[request_id] = span
        message: dict[str, Any] = {"id": request_id, "method": method}
        trace_parent = state = None
        if params is not None:
            message["params"] = params
            if type(params) is dict:
                meta = params.get("_meta")
                if type(meta) is dict:
                    trace_parent = text(meta.get("traceparent"))
                    state = params.get("requestState")  # of 2026-07-28, where every request has _meta
                    self.parties.meta(meta)
                if method == "initialize":
                    self.parties.handshake(params)
        event = self._event(0, inbound)
        event.id = request_id
        event.method = method
        event.trace_parent = trace_parent
        if state is not None:
            event.state_digest = self._digest(state)
        event.message = message if carrier is None else self._shared(message, inbound, carrier)
        self._recording.record(event, span)

    def _notification(self, method: str, params: Any, inbound: bool, carrier: object) -> None:
        end: End | None = None
        if method == "notifications/cancelled" and type(params) is dict:
            end = self._cancelled(params, inbound)
        message: dict[str, Any] = {"method": method}
        if params is not None:
            message["params"] = params
        event = self._event(1, inbound)
        event.method = method
        event.message = message if carrier is None else self._shared(message, inbound, carrier)
        self._recording.record(event, current())
        if end is not None:
            ended(self, params["requestId"], inbound, end)

    def _cancelled(self, params: dict[str, Any], inbound: bool) -> End | None:
        """Mark the request that a ``notifications/cancelled`` names; how it ended, where it ends with the notification.

        The 2.x SDK cancels what timed out, and says so in the reason.
        """
        waiting = self._received if inbound else self._sent
        key = _plain_id(params.get("requestId"))
        span = waiting.get(key) if key is not None else None
        if span is None:
            return None
        span.cancelled = True
        if inbound or not self.withdraws:
            return None
        reason = params.get("reason")
        return "timeout" if type(reason) is str and reason.startswith("timed out") else "cancelled"

    def _digest(self, state: object) -> str | None:
        return self._recording.digest(state) if type(state) is str else None

    def _response(
        self, members: Mapping[str, Any], request_id: int | str | None, inbound: bool, carrier: object
    ) -> None:
        waiting = self._sent if inbound else self._received
        span = waiting.pop(request_id, None)  # type: ignore[arg-type]  # None is no id, and in no map but a refused one
        late = None
        if span is None and inbound:
            late = self.over.pop(request_id, None)
            if late is not None:
                if late.made_up:
                    return
                span = late.span
        message: dict[str, Any] = {} if request_id is None else {"id": request_id}
        result, error = members.get("result"), members.get("error")
        code = None
        if error is not None:
            plain = error if type(error) is dict else vars(error)
            if inbound and self.endpoint.kind == "http" and is_made_up(plain):
                if span is not None and late is None:
                    unanswered(self, span, plain)
                return
            message["error"] = {key: value for key, value in plain.items() if value is not None}
            code = plain.get("code")
        else:
            message["result"] = result
        method = span.method if span is not None else None
        if method in _TELLING and type(result) is dict:
            if method not in LISTS:
                self.parties.handshake(result)
            elif self._inventory is not None:
                self._inventory.listed(self, method, result, span)
        event = self._event(2, inbound)
        event.id = request_id
        event.method = method
        event.message = message if carrier is None else self._shared(message, inbound, carrier)
        event.error_code = code if type(code) is int else None
        event.outcome = outcome = _outcome(result, error is not None, code, span)
        if outcome == "input_required" and type(result) is dict:
            event.state_digest = self._digest(result.get("requestState"))
        if late is not None:
            event.late = True
            if late.outcome != "abandoned":
                event.outcome = late.outcome
        if span is not None:
            event.duration_ms = elapsed_ms(span.started)
        self._recording.record(event, span if span is not None else current())

    def _shared(self, message: dict[str, Any], inbound: bool, carrier: object) -> Any:
        """The message, redacted and encoded: once for both sides where it passes between two ends in this process."""
        passing = self.endpoint.passing
        if inbound:
            sent = passing.pop(id(carrier), None)
            return sent[1] if sent is not None and sent[0] is carrier else message
        if len(passing) >= _MAX_PASSING:  # the other end is not tapped, or gone
            passing.clear()
        encoded = self._recording.encoded(message)
        passing[id(carrier)] = carrier, encoded
        return encoded

    def _event(self, kind: int, inbound: bool) -> McpMessage:
        """A message event with all that is the same for every message of its class on this connection."""
        template = self._templates.get((kind, inbound))
        if template is None:
            template = self._templates[kind, inbound] = self._template(kind, inbound)
        event: McpMessage = template.__copy__()  # type: ignore[attr-defined]  # Structs have it; copy.copy() asks thrice
        return event

    def _template(self, kind: int, inbound: bool) -> McpMessage:
        role = self.role
        parties = self.parties
        if parties.server is None:
            parties.server_is(self.endpoint.server_name or (self.owner_name() if self.owner_name else None))
        return McpMessage(
            event=_NAMES[role, inbound][kind],
            session_id=self.session_id,
            connection_id=self.id,
            source=role if not inbound else ("client" if role == "server" else "server"),
            server_name=parties.server,
            client_name=parties.client,
            transport=self.endpoint.kind,
            protocol_version=parties.version,
        )

    def _subject(self, params: Any) -> str | None:
        """What a request is about: the name of a tool or prompt, or the URI of a resource."""
        if type(params) is not dict:
            return None
        subject = params.get("name")
        if subject is None:
            subject = params.get("uri")
        if type(subject) is not str:
            return None
        known = self._subjects.get(subject)
        if known is None:
            if len(self._subjects) >= _MAX_SUBJECTS:
                self._subjects.clear()
            known = self._subjects[subject] = self._recording.clean(subject)
        return known


def served(recording: Recording, connection: Connection | None, method: str, request_id: int | str) -> Span:
    """The span of a request whose handler starts: that of its message or, where none was seen here, one of its own."""
    span = connection.received(request_id) if connection is not None else None
    if span is not None:
        return span
    return Span(method, Request(method=method, request_id=request_id, span_id=recording.new_id()), _monotonic_ns())


def unnamed(recording: Recording, session_id: str | None) -> Span:
    """The span of a request that nobody can name: what there is of it belongs together all the same."""
    return Span(None, Request(session_id=session_id, span_id=recording.new_id()), _monotonic_ns())


def _plain_method(value: object) -> str:
    return value[:_MAX_ID] if type(value) is str else f"<{type(value).__name__}>"


def _plain_id(value: object) -> int | str | None:
    if type(value) is int:
        return value
    if type(value) is str:
        return value[:_MAX_ID]
    return None


def _outcome(result: Any, is_error: bool, code: object, span: Span | None) -> Outcome:
    if is_error:
        return "cancelled" if code == CANCELLED["code"] or (span is not None and span.cancelled) else "error"
    if type(result) is dict:
        if result.get("isError") is True:
            return "tool_error"
        if result.get("resultType") == "input_required":
            return "input_required"
    return "ok"
