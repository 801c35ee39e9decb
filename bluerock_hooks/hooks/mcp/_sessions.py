"""One connection of this side: what is known of both parties, which requests are open, and the events of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ... import _guard, _stdlib
from ...events import McpMessage, McpSessionCreated, McpSessionTerminated, Span
from .._attribution import current
from ._definitions import LISTS
from ._endings import abandoned, elapsed_ms, ended, failure, is_made_up, outcome_of, unanswered, withdrawn
from ._forms import Forms
from ._parties import Parties, text
from ._spans import key_of, plain_id, plain_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...events import End, Event, Outcome, Role
    from .. import Recording
    from ._endings import Ended
    from ._inventory import Inventory
    from ._transports import Endpoint

_monotonic_ns = _stdlib.monotonic_ns
_encode = msgspec.json.Encoder().encode
_MAX_OPEN = 4096  # requests remembered while they wait; a peer that never answers must not grow us

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

    ``message()`` records a JSON-RPC message. It runs inside the host's send and receive, as every entry here does: each
    is guarded.
    """

    __slots__ = (
        "_client_session",
        "_forms",
        "_inventory",
        "_new_id",
        "_received",
        "_recording",
        "_sent",
        "_started",
        "endpoint",
        "id",
        "over",
        "owner_name",
        "parties",
        "role",
        "session_id",
        "withdraws",
    )

    def __init__(
        self, recording: Recording, role: Role, endpoint: Endpoint, inventory: Inventory | None = None
    ) -> None:
        self._recording = recording
        self._inventory = inventory
        recording.connected()
        self.id = recording.new_id()
        self.endpoint = endpoint
        self.role: Role = role
        self.owner_name: Callable[[], str | None] | None = None
        self.withdraws = False
        """A request that this side cancels has ended for it: 2.x waits no longer, 1.x still wants the answer."""
        self.over: dict[int | str | None, Ended] = {}
        """Requests of this side that ended without an answer, by id: one may come all the same."""
        self.session_id = endpoint.session_id
        """The protocol's session id, ``None`` where the transport has none."""
        self._client_session: Callable[[], str | None] | None = None
        self._new_id = recording.new_id
        self._forms = Forms(recording, endpoint, self._common)
        self.parties = Parties(recording.clean, self._forms.clear)
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
            self._forms.clear()

    def open_request(self, request_id: object, inbound: bool) -> Span | None:
        """The open request with this id: of the peer's (``inbound``), or of this side's own."""
        return (self._received if inbound else self._sent).get(key_of(request_id))  # type: ignore[arg-type]

    def open_requests(self, inbound: bool) -> list[int | str]:
        """Ids of the requests that wait for an answer: of the peer's (``inbound``), or of this side's own."""
        return list(self._received if inbound else self._sent)

    def close_request(self, request_id: object, inbound: bool) -> Span | None:
        """Forget an open request: no answer is expected any more."""
        return (self._received if inbound else self._sent).pop(key_of(request_id), None)  # type: ignore[arg-type]

    def expect(self, request_id: object, span: Span) -> None:
        """The answer with this id, or with none (``None``), is to the peer's request of ``span``."""
        self._received[key_of(request_id)] = span  # type: ignore[index]

    def number_next(self) -> str:
        """The span id of the request that passes next, known before it does."""
        own, span_id = self._new_id, self._new_id()

        def once() -> str:
            self._new_id = own
            return span_id

        self._new_id = once
        return span_id

    def record(self, event: Event, span: Span | None = None) -> None:
        """Record an event of this connection that is no message."""
        self._recording.record(event, span)

    def created(self) -> None:
        """Record that the connection is up. Stateless HTTP has a connection per POST: no session, no event."""
        if not self.endpoint.stateless:
            event = McpSessionCreated(connection_id=self.id, source=self.role, session_id=self.session_id)
            event.transport = self.endpoint.kind
            event.server_pid = self.endpoint.pid
            self._recording.record(event)

    def acts_as(self, role: Role) -> None:
        """Settle the role, where it was not known from the start."""
        self.role = role
        self._forms.clear()

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

    def message(self, carried: Any, inbound: bool) -> None:
        """Record one JSON-RPC message that passed this side, ``inbound`` or outbound.

        ``carried`` is a dict of its members, or what the SDK's streams carry: a SessionMessage around a model. Anything
        else, such as a transport's exception, is no message.
        """
        try:
            if type(carried) is dict:
                members = carried
            else:
                members = carried.message.__dict__
                if "root" in members:  # 1.x: a root model around the message; 2.x: the message itself
                    members = members["root"].__dict__
            method, request_id = members.get("method"), members.get("id")
            if type(request_id) is int:
                rid = b"%d" % request_id
            else:
                request_id = plain_id(request_id)
                rid = _encode(request_id)
            if method is None:
                self._response(members, request_id, rid, inbound)
            elif request_id is None:
                self._notification(plain_method(method), members.get("params"), inbound)
            else:
                self._request(method, request_id, rid, members.get("params"), inbound)
        except Exception as exc:
            if not isinstance(carried, Exception):
                _guard.swallow("mcp.message", exc)

    # -- requests and responses: what is said of the everyday one is filled into a form, the others take the second way

    def _request(self, method: Any, request_id: int | str, rid: bytes, params: Any, inbound: bool) -> None:
        subject = trace_parent = state = None
        if type(params) is dict:
            subject = params.get("name")
            if subject is None:
                subject = params.get("uri")
            if type(subject) is not str:
                subject = None
            meta = params.get("_meta")
            if type(meta) is dict:
                trace_parent = text(meta.get("traceparent"))
                state = params.get("requestState")  # of 2026-07-28, where every request has _meta
                self.parties.meta(meta)
            if method == "initialize":
                self.parties.handshake(params)
        parent = current()
        if parent is not None and inbound and parent.ended:
            parent = None  # inherited by the task that reads, from the request that opened the connection
        forms = self._forms
        session_id, span_id = self.session_id, self._new_id()
        method, subject, form = forms.contexts[method, subject, parent is None]
        if parent is None:
            above, encoded = None, form % (rid, span_id.encode())
        else:
            above = parent.span_id
            encoded = form % (rid, span_id.encode(), above.encode())
        span = Span(method, subject, request_id, session_id, span_id, above, _monotonic_ns(), encoded)
        waiting = self._received if inbound else self._sent
        if len(waiting) >= _MAX_OPEN:
            del waiting[next(iter(waiting))]
        waiting[request_id] = span
        if trace_parent is None and state is None and params is not None:
            payload = forms.shared(forms.params, params, inbound)
            if payload is not None and forms.lines[method, inbound, None](encoded, rid, payload):
                return
        span.trace = trace_parent
        event = forms.event((0, inbound))
        event.id = plain = plain_id(request_id)
        event.method = method
        event.trace_parent = trace_parent
        event.state_digest = self._digest(state)
        event.message = {"id": plain, "method": method}
        if params is not None:
            event.message["params"] = params
        self._recording.record(event, span)

    def _response(self, members: dict[str, Any], request_id: int | str | None, rid: bytes, inbound: bool) -> None:
        waiting = self._sent if inbound else self._received
        span = waiting.pop(request_id, None)  # type: ignore[arg-type]  # None is no id, and in no map but a refused one
        result = members.get("result")
        if span is not None and type(result) is dict:
            method = span.method
            if method in _TELLING:
                self._told(method, result, span)
            if "resultType" not in result or result["resultType"] != "input_required":
                outcome: Outcome = "tool_error" if result.get("isError") is True else "ok"
                duration = (_monotonic_ns() - span.started) // 1000
                forms = self._forms
                payload = forms.shared(forms.result, result, inbound)
                if payload is not None and span.encoded:  # one that was made elsewhere has no context at hand
                    took = b"%d.%03d" % divmod(duration, 1000)
                    if forms.lines[method, inbound, outcome](span.encoded, rid, payload, took):
                        return
        self._answer(span, request_id, result, members.get("error"), inbound)

    def _told(self, method: str | None, result: dict[str, Any], span: Span) -> None:
        """What the answer to an introduction or a list says of the parties or of the server's elements."""
        if method not in LISTS:
            if self._client_session is not None:
                self._ask_session()
            self.parties.handshake(result)
        elif self._inventory is not None:
            self._inventory.listed(self, method, result, span)

    def _answer(self, span: Span | None, request_id: int | str | None, result: Any, error: Any, inbound: bool) -> None:
        """A response of any kind: errors, late ones, those to no request that was seen."""
        late = None
        if span is None and inbound:
            late = self.over.pop(request_id, None)
            if late is not None:
                if late.made_up:
                    return
                span = late.span
        code = None
        if error is not None:
            plain = error if type(error) is dict else vars(error)
            if inbound and self.endpoint.kind == "http" and is_made_up(plain):
                if span is not None and late is None:
                    unanswered(self, span, plain)
                return
            error = {key: value for key, value in plain.items() if value is not None}
            code = plain.get("code")
        event = self._forms.event((2, inbound))
        event.id = request_id = plain_id(request_id)
        event.message = {} if request_id is None else {"id": request_id}
        event.message.update({"result": result} if error is None else {"error": error})
        event.error_code = code if type(code) is int else None
        event.outcome = outcome = outcome_of(result) if error is None else failure(code, span)
        if outcome == "input_required":
            event.state_digest = self._digest(result.get("requestState"))
        if late is not None:
            event.late = True
            if late.outcome != "abandoned":
                event.outcome = late.outcome
        if span is not None:
            event.method = span.method
            event.duration_ms = elapsed_ms(span.started)
        self._recording.record(event, span if span is not None else current())

    # -- notifications

    def _notification(self, method: str, params: Any, inbound: bool) -> None:
        end: End | None = None
        if method == "notifications/cancelled" and type(params) is dict:
            end = withdrawn(self, params, inbound)
        forms = self._forms
        event = forms.event((1, inbound))
        event.method = method
        payload = forms.shared(forms.params, params, inbound) if params is not None else None
        if payload is not None:
            event.message = forms.notice(method, payload)
        else:
            event.message = {"method": method} if params is None else {"method": method, "params": params}
        self._recording.record(event, current())
        if end is not None:
            ended(self, params["requestId"], inbound, end)

    def _digest(self, state: object) -> str | None:
        return self._recording.digest(state) if type(state) is str else None

    def _common(self, kind: tuple[int, bool]) -> McpMessage:
        what, inbound = kind
        role = self.role
        parties = self.parties
        if parties.server is None:
            parties.server_is(self.endpoint.server_name or (self.owner_name() if self.owner_name else None))
        return McpMessage(
            event=_NAMES[role, inbound][what],
            session_id=self.session_id,
            connection_id=self.id,
            source=role if not inbound else ("client" if role == "server" else "server"),
            server_name=parties.server,
            client_name=parties.client,
            transport=self.endpoint.kind,
            protocol_version=parties.version,
        )
