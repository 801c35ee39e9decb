"""HTTP requests that a server's transport refuses itself: bad JSON, a batch, an unknown session, a wrong header.

Nothing of them reaches a session, so the taps do not see them. What is watched are the ASGI calls of the endpoint; of a
request that is served nothing is kept but its body, until the response begins.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from ... import _guard, _stdlib
from ...events import McpRejected
from .._attribution import leave
from .._patch import argument, replaced
from ._endings import MAX_REASON, elapsed_ms
from ._parties import text
from ._sessions import Connection
from ._spans import plain_id, unnamed
from ._transports import Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Body, Transport
    from .. import Recording
    from ._exchange import Exchange

decode = msgspec.json.Decoder().decode
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested as deep as a bomb
_IDS = (int, str, type(None))
_MAX_BODY = 16 << 20  # a body above this is refused by every SDK, and is not looked at
_MAX_ANSWER = 1 << 16

# The HTTP request that is being served: an endpoint calls another with the same scope, which is watched once. Weak: the
# session that a request opens inherits its context, and lives longer.
_WATCHED: ContextVar[weakref.ref[HttpRequest] | None] = ContextVar("bluerock_http_request", default=None)


class Rejections:
    """Replacements for the ASGI endpoints of the server transports, ``endpoint(self, scope, receive, send)``."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def http(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """An endpoint of streamable HTTP."""
        return self._endpoint(original, "http")

    def sse(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """The endpoint that the clients of an SSE server post their messages to."""
        return self._endpoint(original, "sse")

    def _endpoint(self, original: Any, kind: Transport) -> Callable[..., Awaitable[Any]]:
        async def endpoint(self_: Any, *args: Any, **kwargs: Any) -> Any:
            request = token = None
            try:
                request = self._watch(kind, self_, args, kwargs)
                if request is not None:
                    args, kwargs = replaced(args, kwargs, 1, "receive", request.receive)
                    args, kwargs = replaced(args, kwargs, 2, "send", request.send)
                    token = _WATCHED.set(weakref.ref(request))
            except Exception as exc:
                _guard.swallow("mcp.endpoint", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if token is not None:
                    leave(token)

        return endpoint

    def _watch(self, kind: Transport, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HttpRequest | None:
        scope = argument(args, kwargs, 0, "scope")
        outer = watched()
        if scope.get("type") != "http" or (outer is not None and outer.scope is scope):
            return None
        manager = getattr(owner, "session_manager", owner)
        name = getattr(getattr(manager, "app", None), "name", None)
        receive, send = argument(args, kwargs, 1, "receive"), argument(args, kwargs, 2, "send")
        return HttpRequest(self._recording, kind, scope, receive, send, name)


def watched() -> HttpRequest | None:
    """The HTTP request that is being served here and now."""
    request = _WATCHED.get()
    return request() if request is not None else None


class HttpRequest:
    """Stands in for the ``receive`` and ``send`` of one HTTP request; records it where it is refused.

    ``exchange`` is set where the messages of a request that is not refused are read off the same calls.
    """

    __slots__ = (
        "__weakref__",
        "_answer",
        "_body",
        "_complete",
        "_kind",
        "_name",
        "_receive",
        "_recording",
        "_send",
        "_size",
        "_started",
        "exchange",
        "scope",
        "status",
    )

    def __init__(
        self,
        recording: Recording,
        kind: Transport,
        scope: Any,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[Any]],
        name: object,
    ) -> None:
        self._recording = recording
        self._kind: Transport = kind
        self._receive = receive
        self._send = send
        self._name = name
        self._body: list[bytes] | None = []
        self._size = 0
        self._complete = False
        self._answer = bytearray()
        self._started = _stdlib.monotonic_ns()
        self.scope: Any = scope
        self.status = 0
        self.exchange: Exchange | None = None

    async def receive(self) -> Any:
        """ASGI ``receive``: the parts of the body are kept until it is known whether they are wanted."""
        event = await self._receive()
        if self._body is not None:
            try:
                if event["type"] == "http.request":
                    part = event.get("body", b"")
                    self._size += len(part)
                    if self._size <= _MAX_BODY:
                        self._body.append(part)
                    self._complete = not event.get("more_body")
            except Exception as exc:
                _guard.swallow("mcp.http_request", exc)
        return event

    def send(self, event: Any) -> Awaitable[Any]:
        """ASGI ``send``: what the endpoint's own ``send`` returns; no coroutine of ours in between."""
        if self._body is not None:
            try:
                self._sent(event)
            except Exception as exc:
                _guard.swallow("mcp.http_request", exc)
        return self._send(event)

    def _sent(self, event: Any) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
            if self.status < 400:
                self._body = None
        elif event["type"] == "http.response.body":
            if len(self._answer) <= _MAX_ANSWER:
                self._answer += event.get("body", b"")
            if not event.get("more_body"):
                self._refused()
                self._body = None

    def _refused(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.heard and exchange.answered:
            return  # an error like any other: its messages say it all
        body, message, count = self._examined()
        connection = exchange.connection if exchange is not None else self._connection()
        # From 500 on the message may have reached its session, whose tap recorded it.
        if message is not None and self.status < 500 and (exchange is None or not exchange.heard):
            connection.message(message, True)
        request_id = message.get("id") if message is not None else None
        span = connection.close_request(request_id, True) or unnamed(self._recording, connection.session_id)
        answer = _error(self._answer)
        event = McpRejected(status=self.status, verb=str(self.scope.get("method"))[:32], body=body)
        event.size = self._size if body != "unread" else _declared(self.scope)
        event.messages = count
        event.id, event.method = plain_id(span.request_id), span.method
        event.session_id = connection.session_id
        event.connection_id = connection.id
        event.server_name = connection.parties.server
        event.transport = self._kind
        event.duration_ms = elapsed_ms(self._started)
        if answer is None:
            event.reason = self._answer.decode("utf-8", "replace").partition("\n")[0][:MAX_REASON] or None
        else:
            code = answer["error"].get("code")
            event.error_code = code if type(code) is int else None
        connection.record(event, span)
        if answer is not None and (exchange is None or not exchange.answered):
            connection.expect(answer.get("id"), span)
            connection.message(answer, False)

    def _connection(self) -> Connection:
        """A connection of this one request's own: its ids must not meet those of the session it names."""
        session = text(_session(self._kind, self.scope))
        known = self._recording.clean(session) if session is not None else None
        connection = Connection(self._recording, "server", Endpoint(self._kind, known, stateless=True))
        connection.serves(self._name)
        return connection

    def _examined(self) -> tuple[Body, dict[str, Any] | None, int | None]:
        """What the body was, the message if it was one, and the number of members if it was a batch."""
        if not self._size:
            return ("unread" if _declared(self.scope) else "none"), None, None
        if not self._complete or self._size > _MAX_BODY:
            return "unread", None, None
        try:
            decoded = decode(b"".join(self._body or ()))
        except NOT_JSON:
            return "not_json", None, None
        if type(decoded) is list:
            return "batch", None, len(decoded)
        if is_message(decoded):
            return "message", decoded, None
        return "not_a_message", None, None


def is_message(decoded: object) -> bool:
    """Is this JSON one JSON-RPC message?"""
    if type(decoded) is not dict or decoded.get("jsonrpc") != "2.0":
        return False
    if type(decoded.get("id")) not in _IDS:
        return False
    if "method" in decoded:
        return type(decoded["method"]) is str
    return "result" in decoded or type(decoded.get("error")) is dict


def _error(data: bytearray) -> dict[str, Any] | None:
    """The JSON-RPC error that a response body is."""
    try:
        decoded = decode(data)
    except NOT_JSON:
        return None
    return decoded if is_message(decoded) and type(decoded.get("error")) is dict else None


def _header(scope: Any, wanted: bytes) -> str | None:
    for name, value in scope.get("headers", ()):
        if name.lower() == wanted:
            found: str = value.decode("latin-1")
            return found
    return None


def _declared(scope: Any) -> int | None:
    length = _header(scope, b"content-length")
    return int(length) if length is not None and length.isdecimal() and len(length) < 16 else None


def _session(kind: Transport, scope: Any) -> str | None:
    """The session that the client names."""
    if kind == "http":
        return _header(scope, b"mcp-session-id")
    for pair in scope.get("query_string", b"").decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if name == "session_id":
            return str(value)
    return None
