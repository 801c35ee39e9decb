"""The 2.x SDK: three code paths carry messages (dispatcher, 2026-07-28 HTTP, in-process), one hook attributes them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import ConnectTarget, McpClientConnect
from .._attribution import current, enter, leave, over
from .._patch import argument, replaced
from ._endings import CONNECTION_CLOSED, REQUEST_TIMEOUT, end_of, ended, is_cancellation
from ._exchange import Exchange
from ._messages import connection_of, tapped
from ._propagation import PropagatingTap, propagating
from ._rejections import watched
from ._sessions import CANCELLED, served
from ._transports import Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Role, Span
    from .. import Recording
    from ._messages import WriteTap
    from ._sessions import Connection
    from ._transports import Streams

# The connection of a request that did not come through a tapped stream: one HTTP exchange, or the in-process peer.
_SERVING: ContextVar[Connection | None] = ContextVar("bluerock_serving", default=None)


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
        self._direct: dict[int, Connection] = {}

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
                    connection.acts_as(_role(argument(args, kwargs, 0, "on_request")))
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
                token = _SERVING.set(connection)
            except Exception as exc:
                _guard.swallow("mcp.modern_request", exc)
            try:
                return await original(*args, **kwargs)
            finally:
                if token is not None:
                    _SERVING.reset(token)
                if exchange is not None:
                    exchange.close()

        return handle_modern_request

    # -- in process, 2026-07-28: no message exists, the call is recorded as one

    def direct_pair(self, original: Any) -> Callable[..., Any]:
        """``create_direct_dispatcher_pair()``: a client connects."""

        def create_direct_dispatcher_pair(*args: Any, **kwargs: Any) -> Any:
            pair = original(*args, **kwargs)
            try:
                self._recording.record(McpClientConnect(server=ConnectTarget(type="memory")), current())
            except Exception as exc:
                _guard.swallow("mcp.direct_pair", exc)
            return pair

        return create_direct_dispatcher_pair

    def direct_run(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``DirectDispatcher.run(self, on_request, on_notify, on_notify_intercept=None, ...)``."""

        async def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            connection = None
            try:
                on_request = argument(args, kwargs, 0, "on_request")
                connection = self._direct_connection(self_, _role(on_request))
                args, kwargs = self._with_direct_taps(self_, connection, args, kwargs)
                connection.created()
            except Exception as exc:
                _guard.swallow("mcp.direct_run", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if connection is not None:
                    connection.terminated()
                self._direct.pop(id(self_), None)

        return run

    def direct_request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``DirectDispatcher.send_raw_request(self, method, params, opts=None)``."""

        async def send_raw_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            connection = None
            request_id: int | str = 0
            try:
                method, params = argument(args, kwargs, 0, "method"), argument(args, kwargs, 1, "params")
                connection = self._direct_connection(self_)
                # The peer mints the id and does not tell: ours stands in, unique on this side.
                request_id = self._recording.new_id()
                connection.message({"id": request_id, "method": method, "params": params}, False)
            except Exception as exc:
                _guard.swallow("mcp.direct_request", exc)
            try:
                result = await original(self_, *args, **kwargs)
            except BaseException as exc:  # passes on at once: a cancelled call is an outcome too
                if connection is not None:
                    _failed(connection, request_id, True, exc)
                raise
            if connection is not None:
                connection.message({"id": request_id, "result": result}, True)
            return result

        if issubclass(self._write_tap, PropagatingTap):
            return propagating(send_raw_request, self._direct_connection)
        return send_raw_request

    def _direct_connection(self, dispatcher: Any, role: Any = None) -> Connection:
        connection = self._direct.get(id(dispatcher))
        if connection is None:
            peer = self._direct.get(id(getattr(dispatcher, "_peer", None)))
            endpoint = Endpoint("memory")
            if peer is not None:
                endpoint.passing = peer.endpoint.passing
            connection = self._new_connection(role or "client", endpoint)
            self._direct[id(dispatcher)] = connection
        if role is not None:
            connection.acts_as(role)
        return connection

    def _with_direct_taps(
        self, dispatcher: Any, connection: Connection, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        on_request = argument(args, kwargs, 0, "on_request")
        intercept = argument(args, kwargs, 2, "on_notify_intercept")
        peer = getattr(dispatcher, "_peer", None)

        async def tapped_request(dctx: Any, method: Any, params: Any) -> Any:
            request_id = dctx.request_id
            connection.message({"id": request_id, "method": method, "params": params}, True)
            token = _SERVING.set(connection)
            try:
                result = await on_request(dctx, method, params)
            except BaseException as exc:  # passes on at once
                _failed(connection, request_id, False, exc)
                raise
            finally:
                _SERVING.reset(token)
            connection.message({"id": request_id, "result": result}, False)
            return result

        def tapped_intercept(method: Any, params: Any) -> Any:
            # A call is the message here: what this side receives is what the peer sent.
            sender = self._direct.get(id(peer))
            if sender is not None:
                sender.message({"method": method, "params": params}, False)
            connection.message({"method": method, "params": params}, True)
            return intercept(method, params) if intercept is not None else False

        args, kwargs = replaced(args, kwargs, 0, "on_request", tapped_request)
        return replaced(args, kwargs, 2, "on_notify_intercept", tapped_intercept)

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
        connection = connection_of(getattr(inner, "_dispatcher", None)) or _SERVING.get()
        if connection is None:
            return served(self._recording, None, method, dctx.request_id)
        if connection.parties.server is None:
            connection.serves(getattr(getattr(runner, "server", None), "name", None))
        return served(self._recording, connection, method, dctx.request_id)


def _role(on_request: Any) -> Any:
    owner = getattr(on_request, "__self__", None)
    return "client" if any(base.__name__ == "ClientSession" for base in type(owner).__mro__) else "server"


def _failed(connection: Connection, request_id: int | str, inbound: bool, exc: BaseException) -> None:
    """A call that is a request ends with ``exc``: the peer's error, or no answer at all."""
    try:
        code = getattr(getattr(exc, "error", None), "code", None)
        # The SDK's own errors, where the peer did not answer, are raised around the call, not by a handler.
        timed_out = code == REQUEST_TIMEOUT and type(exc.__context__) is TimeoutError
        if is_cancellation(exc) or (inbound and (timed_out or code == CONNECTION_CLOSED)):
            outcome, code, reason = end_of(exc)
            ended(connection, request_id, not inbound, outcome, code=code, reason=reason)
        else:
            connection.message({"id": request_id, "error": _error_of(exc)}, inbound)
    except Exception as mine:
        _guard.swallow("mcp.direct", mine)


def _error_of(exc: BaseException) -> dict[str, Any]:
    """A JSON-RPC error for an exception that stands where a message would."""
    error = getattr(exc, "error", None)
    code = getattr(error, "code", None)
    if type(code) is int:
        data = getattr(error, "data", None)
        plain = {"code": code, "message": str(getattr(error, "message", ""))}
        return plain if data is None else {**plain, "data": data}
    return {"code": -32603, "message": type(exc).__name__}


def _with_exchange(
    args: tuple[Any, ...], kwargs: dict[str, Any], connection: Connection
) -> tuple[tuple[Any, ...], dict[str, Any], Exchange]:
    if "receive" in kwargs and "send" in kwargs:
        exchange = Exchange(connection, kwargs["receive"], kwargs["send"])
        return args, {**kwargs, "receive": exchange.receive, "send": exchange.send}, exchange
    *front, receive, send = args  # the last two positionals from 2.0 to 2.3
    exchange = Exchange(connection, receive, send)
    return (*front, exchange.receive, exchange.send), kwargs, exchange
