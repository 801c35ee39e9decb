"""The 2.x SDK in process, by 2026-07-28: client and server call each other; each call is recorded as a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from ..._stdlib import identity, type_name
from ...events import ConnectTarget, McpClientConnect
from .._attribution import current, leave
from .._patch import argument, replaced
from ._endings import CONNECTION_CLOSED, REQUEST_TIMEOUT, end_of, ended, is_cancellation
from ._propagation import PropagatingTap, propagating
from ._spans import SERVING
from ._transports import Endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Role
    from .. import Recording
    from ._messages import WriteTap
    from ._sessions import Connection


class Direct:
    """Replacements for what ``DirectDispatcher`` has in place of messages."""

    def __init__(
        self, recording: Recording, connection: Callable[[Role, Endpoint], Connection], write_tap: type[WriteTap]
    ) -> None:
        self._recording = recording
        self._new_connection = connection
        self._write_tap = write_tap
        self._connections: dict[int, Connection] = {}

    def pair(self, original: Any) -> Callable[..., Any]:
        """``create_direct_dispatcher_pair()``: a client connects."""

        def create_direct_dispatcher_pair(*args: Any, **kwargs: Any) -> Any:
            pair = original(*args, **kwargs)
            try:
                self._recording.record(McpClientConnect(server=ConnectTarget(type="memory")), current())
            except Exception as exc:
                _guard.swallow("mcp.direct_pair", exc)
            return pair

        return create_direct_dispatcher_pair

    def run(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``DirectDispatcher.run(self, on_request, on_notify, on_notify_intercept=None, ...)``."""

        async def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            connection = None
            try:
                on_request = argument(args, kwargs, 0, "on_request")
                connection = self._connection(self_, role_of(on_request))
                args, kwargs = self._tapped(self_, connection, args, kwargs)
                connection.created()
            except Exception as exc:
                _guard.swallow("mcp.direct_run", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if connection is not None:
                    connection.terminated()
                self._connections.pop(identity(self_), None)

        return run

    def request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``DirectDispatcher.send_raw_request(self, method, params, opts=None)``."""

        async def send_raw_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            connection = None
            request_id: int | str = 0
            try:
                method, params = argument(args, kwargs, 0, "method"), argument(args, kwargs, 1, "params")
                connection = self._connection(self_)
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
            return propagating(send_raw_request, self._connection)
        return send_raw_request

    def _connection(self, dispatcher: Any, role: Any = None) -> Connection:
        connection = self._connections.get(identity(dispatcher))
        if connection is None:
            peer = self._connections.get(identity(getattr(dispatcher, "_peer", None)))
            endpoint = Endpoint("memory")
            if peer is not None:
                endpoint.passing = peer.endpoint.passing
            connection = self._new_connection(role or "client", endpoint)
            self._connections[identity(dispatcher)] = connection
        if role is not None:
            connection.acts_as(role)
        return connection

    def _tapped(
        self, dispatcher: Any, connection: Connection, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        on_request = argument(args, kwargs, 0, "on_request")
        intercept = argument(args, kwargs, 2, "on_notify_intercept")
        peer = getattr(dispatcher, "_peer", None)

        async def tapped_request(dctx: Any, method: Any, params: Any) -> Any:
            request_id: Any = None
            try:
                request_id = dctx.request_id
                connection.message({"id": request_id, "method": method, "params": params}, True)
            except Exception as exc:
                _guard.swallow("mcp.direct_tapped", exc)
            token = SERVING.set(connection)
            try:
                result = await on_request(dctx, method, params)
            except BaseException as exc:  # passes on at once
                _failed(connection, request_id, False, exc)
                raise
            finally:
                leave(token)
            connection.message({"id": request_id, "result": result}, False)
            return result

        def tapped_intercept(method: Any, params: Any) -> Any:
            # A call is the message here: what this side receives is what the peer sent.
            try:
                sender = self._connections.get(identity(peer))
                if sender is not None:
                    sender.message({"method": method, "params": params}, False)
                connection.message({"method": method, "params": params}, True)
            except Exception as exc:
                _guard.swallow("mcp.direct_intercept", exc)
            return intercept(method, params) if intercept is not None else False

        args, kwargs = replaced(args, kwargs, 0, "on_request", tapped_request)
        return replaced(args, kwargs, 2, "on_notify_intercept", tapped_intercept)


def role_of(on_request: Any) -> Any:
    """The side whose handler of requests this is."""
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
    return {"code": -32603, "message": type_name(type(exc))}
