"""The 1.x SDK: one tap where a session takes its streams, one attribution hook around the handler of a request."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ... import _guard
from .._attribution import enter, leave, over
from .._patch import argument
from ._endings import given_up
from ._messages import connection_of, tapped
from ._spans import served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Role, Span
    from .. import Recording
    from ._messages import WriteTap
    from ._sessions import Connection
    from ._transports import Endpoint, Streams


class Sessions:
    """Replacements for the methods of ``BaseSession`` and ``Server`` that 1.x sends every message through."""

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

    def session_init(self, original: Any) -> Callable[..., None]:
        """``BaseSession.__init__(self, read_stream, write_stream, ...)``: both roles, every transport."""

        def init(self_: Any, *args: Any, **kwargs: Any) -> None:
            connection = None
            try:
                connection = self._connection(self_, args, kwargs)
                args, kwargs = tapped(args, kwargs, connection, self._write_tap)
            except Exception as exc:
                connection = None
                _guard.swallow("mcp.session_init", exc)
            original(self_, *args, **kwargs)
            if connection is not None:
                try:
                    connection.created()
                except Exception as exc:
                    _guard.swallow("mcp.session", exc)

        return init

    def session_exit(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``BaseSession.__aexit__``: the end of the session."""

        async def leave(self_: Any, *exc_info: Any) -> Any:
            try:
                return await original(self_, *exc_info)
            finally:
                connection = connection_of(self_)
                if connection is not None:
                    connection.terminated()

        return leave

    def send_request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``BaseSession.send_request``: nothing on the wire says that its caller waits no longer."""

        async def send_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            # The id is taken before anything else happens in the original: nobody can come in between.
            request_id = None
            try:
                request_id = getattr(self_, "_request_id", None)
            except Exception as exc:
                _guard.swallow("mcp.send_request", exc)
            try:
                return await original(self_, *args, **kwargs)
            except BaseException as exc:  # passes on at once
                given_up(connection_of(self_), request_id, exc)
                raise

        return send_request

    def handle_request(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``Server._handle_request(self, message, req, session, ...)``: runs in the request's own task."""

        async def _handle_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
            span = None
            try:
                span = self._span(args, kwargs)
                token = enter(span)
            except Exception as exc:
                span = None
                _guard.swallow("mcp.handle_request", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if span is not None:
                    over(span)
                    leave(token)

        return _handle_request

    def _connection(self, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Connection:
        read = argument(args, kwargs, 0, "read_stream")
        write = argument(args, kwargs, 1, "write_stream")
        serving = any(base.__name__ == "ServerSession" for base in type(session).__mro__)
        endpoint = self._streams.endpoint(write, read)
        connection = endpoint.connection = self._new_connection("server" if serving else "client", endpoint)
        if serving:
            connection.owner_name = _server_name(weakref.ref(session))
        else:
            streams = self._streams
            connection.session_from(lambda: streams.http_session(write))
        return connection

    def _span(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
        message, request = argument(args, kwargs, 0, "message"), argument(args, kwargs, 1, "req")
        connection = connection_of(argument(args, kwargs, 2, "session"))
        return served(self._recording, connection, str(request.method), message.request_id)


def _server_name(session: weakref.ref[Any]) -> Callable[[], str | None]:
    def name() -> str | None:
        # Set by ServerSession.__init__ after BaseSession.__init__ returned: asked when the first message passes.
        options = getattr(session(), "_init_options", None)
        found = getattr(options, "server_name", None)
        return found if type(found) is str else None

    return name
