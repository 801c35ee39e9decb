"""One 2026-07-28 HTTP request as its server sees it: the ASGI calls carry the wire's own bytes, which are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from .._attribution import run
from ._endings import abandoned
from ._rejections import NOT_JSON, decode, is_message, watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Span
    from ._sessions import Connection

_MAX_BUFFER = 16 << 20  # a body or SSE event above this is passed on and not looked at


class Exchange:
    """Stands in for an ASGI application's ``receive`` and ``send``; both forward first what they were given."""

    def __init__(
        self,
        connection: Connection,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[Any]],
    ) -> None:
        self.connection = connection
        self.heard = False
        """The request was a message of a client."""
        self.answered = False
        """It has its answer."""
        self._receive = receive
        self._send = send
        self._body = bytearray()
        self._out = bytearray()
        self._is_events = False
        self._done = False
        self._span: Span | None = None
        self._left = False

    async def receive(self) -> Any:
        """ASGI ``receive``: the request body is recorded when its last part has come."""
        event = await self._receive()
        try:
            if event["type"] == "http.request" and not self._done:
                self._body += event.get("body", b"")
                if not event.get("more_body"):
                    self._done = True
                    self._record(bytes(self._body), True)
                    self._body.clear()
            elif event["type"] == "http.disconnect":
                self._left = True
        except Exception as exc:
            _guard.swallow("mcp.exchange", exc)
        return event

    async def send(self, event: Any) -> Any:
        """ASGI ``send``: each JSON body or SSE event is recorded before it goes out."""
        try:
            if event["type"] == "http.response.start":
                self._is_events = any(
                    name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in event.get("headers", ())
                )
            elif event["type"] == "http.response.body":
                self._sent(event.get("body", b""), bool(event.get("more_body")))
        except Exception as exc:
            _guard.swallow("mcp.exchange", exc)
        return await self._send(event)

    def close(self) -> None:
        """The exchange is over. A client cancels by leaving; a request without an answer was abandoned otherwise."""
        try:
            abandoned(self.connection, "cancelled" if self._left else "abandoned")
        except Exception as exc:
            _guard.swallow("mcp.exchange", exc)

    def _sent(self, body: bytes, more: bool) -> None:
        self._out += body
        if self._is_events:
            *events, rest = bytes(self._out).replace(b"\r\n", b"\n").split(b"\n\n")
            self._out[:] = rest
            for event in events:
                lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
                if any(lines):
                    self._record(b"\n".join(lines), False)
        elif not more:
            self._record(bytes(self._out), False)
            self._out.clear()
        if len(self._out) > _MAX_BUFFER:
            self._out.clear()

    def _record(self, data: bytes, inbound: bool) -> None:
        if not data or len(data) > _MAX_BUFFER:
            return
        try:
            decoded = decode(data)
        except NOT_JSON:
            return
        if not is_message(decoded):
            return  # a batch is refused as a whole
        answer = "method" not in decoded
        if inbound:
            if answer:
                return  # refused: in 2026-07-28 only servers answer
            self.heard = True
            self.connection.message(decoded, True)
            self._span = self.connection.open_request(decoded.get("id"), True)
            return
        if answer:
            if decoded.get("id") is None and watched() is not None:
                return  # no answer to a message: who watches the whole HTTP request tells of the refusal
            self.answered = True
        # Sent by a task that is not the handler's: what goes out here is all of this one request.
        run(self._span, self.connection.message, decoded, False)
