"""Witnesses that know nothing of the sensor: outside the SDK for HTTP, SSE and websocket, below it in memory.

A line of the log is ``> `` (client to server) or ``< `` and the message, as ``_tee`` writes it.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

REQUEST_TIMEOUT = -32001


class Log:
    """The messages, in the order in which they passed."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  for the life of the process

    def note(self, to_server: bool, message: Any) -> None:
        """One message, of plain values."""
        data = json.dumps(message, default=str).encode()
        self._file.write((b"> " if to_server else b"< ") + data + b"\n")

    def note_bytes(self, to_server: bool, data: bytes | str) -> None:
        """One message as it is on the wire; what is none (an empty body, an SSE endpoint event) is not noted."""
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict) and "jsonrpc" in message:
            self.note(to_server, message)


class OnTheWire:
    """ASGI middleware that passes everything on and writes the messages down: bodies, SSE events, websocket texts."""

    def __init__(self, app: Any, log: str) -> None:
        self.app = app
        self.log = Log(log)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            exchange = _Exchange(self.log, receive, send)
            await self.app(scope, exchange.receive, exchange.send)
        elif scope["type"] == "websocket":
            await self.app(scope, *self._websocket(receive, send))
        else:
            await self.app(scope, receive, send)

    def _websocket(self, receive: Any, send: Any) -> tuple[Any, Any]:
        async def witnessed_receive() -> Any:
            event = await receive()
            if event["type"] == "websocket.receive":
                self.log.note_bytes(True, event.get("text") or event.get("bytes") or b"")
            return event

        async def witnessed_send(event: Any) -> None:
            if event["type"] == "websocket.send":
                self.log.note_bytes(False, event.get("text") or event.get("bytes") or b"")
            await send(event)

        return witnessed_receive, witnessed_send


class _Exchange:
    """One HTTP request and its response."""

    def __init__(self, log: Log, receive: Any, send: Any) -> None:
        self._log = log
        self._receive = receive
        self._send = send
        self._body = b""
        self._out = b""
        self._events = False

    async def receive(self) -> Any:
        event = await self._receive()
        if event["type"] == "http.request":
            self._body += event.get("body", b"")
            if not event.get("more_body"):
                self._log.note_bytes(True, self._body)
                self._body = b""
        return event

    async def send(self, event: Any) -> None:
        if event["type"] == "http.response.start":
            headers = {name.lower(): value for name, value in event.get("headers", ())}
            self._events = headers.get(b"content-type", b"").startswith(b"text/event-stream")
        elif event["type"] == "http.response.body":
            self._out += event.get("body", b"")
            if self._events:
                *events, self._out = self._out.replace(b"\r\n", b"\n").split(b"\n\n")
                for text in events:
                    data = [line[5:].strip() for line in text.split(b"\n") if line.startswith(b"data:")]
                    self._log.note_bytes(False, b"\n".join(data))
            elif not event.get("more_body"):
                self._log.note_bytes(False, self._out)
                self._out = b""
        await self._send(event)


def in_memory(path: str) -> None:
    """Write down what passes between a client and a server of this process."""
    log = Log(path)
    _streams(log)
    try:
        from mcp.shared.direct_dispatcher import DirectDispatcher
    except ImportError:
        return  # mcp 1.x
    _calls(log, DirectDispatcher)


def _streams(log: Log) -> None:
    """Messages as anyio's streams carry them. The stream of the first message leads to the server."""
    from anyio.streams.memory import MemoryObjectSendStream

    original = MemoryObjectSendStream.send
    seen: dict[int, Any] = {}
    to_server: list[int] = []

    async def send(self: Any, item: Any) -> None:
        carried = item[1] if isinstance(item, tuple) else item  # 2.x: with its context
        if type(carried).__name__ == "SessionMessage":
            message = getattr(carried.message, "root", carried.message)
            if id(message) not in seen:  # the 2.x server passes the first messages on to a second stream
                seen[id(message)] = message  # kept, so that the id stays its own
                stream = id(self._state)
                if not to_server:
                    to_server.append(stream)
                log.note(stream == to_server[0], message.model_dump(by_alias=True, mode="json", exclude_unset=True))
        await original(self, item)

    MemoryObjectSendStream.send = send  # type: ignore[method-assign]


def _calls(log: Log, dispatcher: Any) -> None:
    """Calls between the two in-process dispatchers of 2026-07-28, as messages: below where either side is tapped."""
    dispatch_request, dispatch_notify = dispatcher._dispatch_request, dispatcher._dispatch_notify
    make_context = dispatcher._make_context
    minted: ContextVar[list[Any]] = ContextVar("minted")
    servers: list[Any] = []

    async def _dispatch_request(self: Any, method: Any, params: Any, opts: Any) -> Any:
        if not servers:
            servers.append(self)  # the first request goes to the server
        to_server = self is servers[0]
        call = [to_server, {"method": method, **({} if params is None else {"params": params})}]
        token = minted.set(call)
        try:
            result = await dispatch_request(self, method, params, opts)
        except BaseException as exc:
            error = getattr(exc, "error", None)
            if error is not None and error.code != REQUEST_TIMEOUT:  # else nobody answered
                log.note(not to_server, {"id": call[1].get("id"), "error": error.model_dump(exclude_none=True)})
            raise
        finally:
            minted.reset(token)
        log.note(not to_server, {"id": call[1].get("id"), "result": result})
        return result

    def _make_context(self: Any, on_progress: Any = None, request_id: Any = None) -> Any:
        call = minted.get(None)
        if call is not None and request_id is not None and "id" not in call[1]:
            call[1]["id"] = request_id
            log.note(*call)
        return make_context(self, on_progress, request_id)

    async def _dispatch_notify(self: Any, method: Any, params: Any) -> None:
        log.note(self is servers[0], {"method": method, **({} if params is None else {"params": params})})
        await dispatch_notify(self, method, params)

    dispatcher._dispatch_request = _dispatch_request
    dispatcher._make_context = _make_context
    dispatcher._dispatch_notify = _dispatch_notify
