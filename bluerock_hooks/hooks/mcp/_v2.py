"""The 2.x SDK: a dispatcher on streams and the HTTP of 2026-07-28 carry its messages, one hook attributes them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from .._attribution import enter, leave, over
from .._patch import argument
from ._direct import role_of
from ._endings import CANCELLED, CONNECTION_CLOSED, ended
from ._exchange import Exchange
from ._messages import connection_of, tapped
from ._rejections import watched
from ._spans import SERVING, served
from ._transports import Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Role, Span
    from .. import Recording
    from ._messages import WriteTap
    from ._sessions import Connection
    from ._transports import Streams


class Dispatchers:
    """Replacements for what the 2.x SDK sends its messages through."""

    def __init__(
        self,
        recording: Recording,
        streams: Streams,
        connection: Callable[[Role, Endpoint], Connection],
        write_tap: type[WriteTap],
    ) -> None:
        self._recording = recording
        self._streams = streams
        self._new_connection = connection
        self._write_tap = write_tap

    # -- streams: stdio, SSE, HTTP of 2025, memory, and the client side of HTTP of 2026-07-28

    def dispatcher_init(self, original: Any) -> Callable[..., None]:
        """``JSONRPCDispatcher.__init__(self, read_stream, write_stream, ...)``."""

        def init(self_: Any, *args: Any, **kwargs: Any) -> None:
            try:
                read = argument(args, kwargs, 0, "read_stream")
                write = argument(args, kwargs, 1, "write_stream")
                # By the write stream first: the server re-wraps the read stream to find out the protocol's era.
                endpoint = self._streams.endpoint(write, read)
                # Only clients write before run(), which settles the role.
                connection = endpoint.connection = self._new_connection("client", endpoint)
                connection.withdraws = True
                args, kwargs = tapped(args, kwargs, connection, self._write_tap)
                connection.session_from(lambda: self._streams.http_session(write))
            except Exception as exc:
                _guard.swallow("mcp.dispatcher_init", exc)
            original(self_, *args, **kwargs)

        return init

    def dispatcher_run(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``JSONRPCDispatcher.run(self, on_request, on_notify, ...)``: role, begin and end of the connection."""

        async def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            connection = None
            try:
                connection = connection_of(self_)
                if connection is not None:
                    connection.acts_as(role_of(argument(args, kwargs, 0, "on_request")))
                    connection.created()
            except Exception as exc:
                _guard.swallow("mcp.dispatcher_run", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if connection is not None:
                    connection.terminated()

        return run

    def terminate_unanswered(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``StreamableHTTPServerTransport._terminate_unanswered_request(self, request_id)``.

        2025-era HTTP must end a cancelled request's response: the transport writes the error itself.
        """

        async def _terminate_unanswered_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                connection = self._streams.endpoint(getattr(self_, "_write_stream", None)).connection
                if connection is not None:
                    request_id = argument(args, kwargs, 0, "request_id")
                    connection.message({"id": request_id, "error": CANCELLED}, False)
            except Exception as exc:
                _guard.swallow("mcp.terminate_unanswered", exc)
            return await original(self_, *args, **kwargs)

        return _terminate_unanswered_request

    def settle_unanswered(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``JSONRPCDispatcher._settle_unanswered(self, dctx)``: a cancelled request's handler has ended.

        Nothing is written for it, but by 2025-era HTTP, whose transport does so from within.
        """

        async def _settle_unanswered(self_: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(self_, *args, **kwargs)
            finally:
                try:
                    connection = connection_of(self_)
                    if connection is not None:
                        ended(connection, argument(args, kwargs, 0, "dctx").request_id, True, "cancelled")
                except Exception as exc:
                    _guard.swallow("mcp.settle_unanswered", exc)

        return _settle_unanswered

    def resolve_abandoned(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``StreamableHTTPTransport._resolve_abandoned_request(self, writer, request_id, message, *, code)``.

        The client's transport answers its own session: that was never on the wire.
        """

        async def _resolve_abandoned_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                connection = self._streams.http_connection(self_)
                if connection is not None:
                    request_id, reason = argument(args, kwargs, 1, "request_id"), argument(args, kwargs, 2, "message")
                    code = kwargs.get("code", CONNECTION_CLOSED)
                    ended(connection, request_id, False, "abandoned", code=code, reason=reason, made_up=True)
            except Exception as exc:
                _guard.swallow("mcp.resolve_abandoned", exc)
            return await original(self_, *args, **kwargs)

        return _resolve_abandoned_request

    # -- HTTP of 2026-07-28, server side: one POST is one exchange, no stream is involved

    def modern_request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``handle_modern_request(..., scope, receive, send)``."""

        async def handle_modern_request(*args: Any, **kwargs: Any) -> Any:
            token = exchange = None
            try:
                connection = self._new_connection("server", Endpoint("http", stateless=True))
                app = argument(args, kwargs, 0, "app")
                connection.serves(getattr(app, "name", None))
                args, kwargs, exchange = _with_exchange(args, kwargs, connection)
                request = watched()
                if request is not None:
                    request.exchange = exchange
                token = SERVING.set(connection)
            except Exception as exc:
                _guard.swallow("mcp.modern_request", exc)
            try:
                return await original(*args, **kwargs)
            finally:
                if token is not None:
                    leave(token)
                if exchange is not None:
                    exchange.close()

        return handle_modern_request

    # -- attribution, all paths

    def on_request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``ServerRunner._on_request(self, dctx, method, params)``: runs in the request's own task."""

        async def _on_request(self_: Any, dctx: Any, method: Any, *args: Any, **kwargs: Any) -> Any:
            span = None
            try:
                span = self._span(self_, dctx, method)
                # Before a tools/call over HTTP the SDK asks the server's own tools/list, under the id of the call.
                span.ended = False
                token = enter(span)
            except Exception as exc:
                span = None
                _guard.swallow("mcp.on_request", exc)
            try:
                return await original(self_, dctx, method, *args, **kwargs)
            finally:
                if span is not None:
                    over(span)
                    leave(token)

        return _on_request

    def _span(self, runner: Any, dctx: Any, method: str) -> Span:
        inner = getattr(dctx, "_inner", dctx)  # the 2026 entries wrap the context to refuse server requests
        connection = connection_of(getattr(inner, "_dispatcher", None)) or SERVING.get()
        if connection is None:
            return served(self._recording, None, method, dctx.request_id)
        if connection.parties.server is None:
            connection.serves(getattr(getattr(runner, "server", None), "name", None))
        return served(self._recording, connection, method, dctx.request_id)


def _with_exchange(
    args: tuple[Any, ...], kwargs: dict[str, Any], connection: Connection
) -> tuple[tuple[Any, ...], dict[str, Any], Exchange]:
    if "receive" in kwargs and "send" in kwargs:
        exchange = Exchange(connection, kwargs["receive"], kwargs["send"])
        return args, {**kwargs, "receive": exchange.receive, "send": exchange.send}, exchange
    *front, receive, send = args  # the last two positionals from 2.0 to 2.3
    exchange = Exchange(connection, receive, send)
    return (*front, exchange.receive, exchange.send), kwargs, exchange
