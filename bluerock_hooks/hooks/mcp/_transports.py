"""Transports: which streams belong to which connection target, and the event that a client opened one.

An SDK session only ever sees two anonymous streams. The functions that make them know the transport, so their context
managers are watched, and the streams they yield are remembered by identity for as long as they are open.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import McpClientConnect
from .._attribution import current, leave
from .._patch import ObjectProxy, argument
from ._targets import STARTING, Attempt, with_session_callback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ...events import ConnectTarget, Transport
    from .. import Recording
    from ._targets import Describe

    Session = Callable[[tuple[Any, ...]], str | None]

_MAX_WRAPPERS = 8


class Endpoint:
    """One end of a transport: its kind, the HTTP session where there is one, and whether sessions mean anything."""

    __slots__ = ("connection", "kind", "passing", "pid", "server_name", "session_id", "stateless")

    def __init__(
        self, kind: Transport, session_id: str | None = None, *, stateless: bool = False, pid: int | None = None
    ) -> None:
        self.kind: Transport = kind
        self.session_id = session_id
        self.pid = pid
        """Of the server process, at the client's end of stdio."""
        self.stateless = stateless
        self.server_name: str | None = None
        self.connection: Any = None
        self.passing: dict[int, tuple[object, Any]] = {}
        """In memory, where both ends share this: messages on their way, by identity, with their encoded form."""


class Streams:
    """The open streams, by identity. Streams of the 2.x SDK have slots and take no weak references."""

    def __init__(self, recording: Recording, nothing_seen: Callable[[], None]) -> None:
        self._recording = recording
        self._nothing_seen: Callable[[], None] | None = nothing_seen
        self._endpoints: dict[int, Endpoint] = {}
        self._http_clients: dict[int, Any] = {}

    def endpoint(self, *streams: Any) -> Endpoint:
        """The endpoint that one of ``streams`` belongs to; of unknown kind where nothing was watched."""
        for stream in streams:
            found = self._endpoints.get(id(unwrapped(stream)))
            if found is not None:
                return found
        return Endpoint("unknown")

    def http_session(self, write_stream: Any) -> str | None:
        """The session id that the server gave this HTTP client, once it is known."""
        client = self._http_clients.get(id(unwrapped(write_stream)))
        session = getattr(client, "session_id", None)
        return session if type(session) is str else None

    def http_connection(self, client: Any) -> Any:
        """The connection that this HTTP client transport carries."""
        for key, found in self._http_clients.items():
            if found is client and key in self._endpoints:
                return self._endpoints[key].connection
        return None

    def opened(
        self, yielded: Any, make: Callable[[], Endpoint], target: Callable[[], ConnectTarget] | None
    ) -> list[int]:
        """Remember the streams a transport yielded, and record a client's connect; returns what ``closed`` wants.

        Transports nest (``streamablehttp_client`` opens ``streamable_http_client``): the innermost is the one.
        """
        ids = [id(unwrapped(stream)) for stream in _flat(yielded)]
        if any(key in self._endpoints for key in ids):
            return []
        endpoint = make()
        for key in ids:
            self._endpoints[key] = endpoint
        if target is not None:
            self._recording.record(McpClientConnect(server=target()), current())
        return ids

    def closed(self, ids: list[int], cleanly: bool) -> None:
        """Forget streams; their ids may name other objects now. ``cleanly``: no exception ended their use."""
        endpoints = [self._endpoints.pop(key, None) for key in ids]
        if self._nothing_seen is not None and endpoints and endpoints[0] is not None:
            seen = endpoints[0].connection is not None
            tell = self._nothing_seen
            if seen or cleanly:  # the first transport that was really used is enough to know
                self._nothing_seen = None
                if not seen:
                    tell()

    # -- makers of replacements, one for each shape of hook point

    def client(self, kind: Transport, describe: Describe) -> Callable[[Any], Callable[..., Any]]:
        """For a client transport function: endpoint and connect event."""

        def wrap(original: Any) -> Callable[..., Any]:
            def transport(*args: Any, **kwargs: Any) -> Any:
                attempt = Attempt()
                if kind == "sse":
                    args, kwargs = with_session_callback(original, attempt, args, kwargs)
                return self._watch(
                    original(*args, **kwargs),
                    lambda: Endpoint(kind, attempt.session_id, pid=attempt.pid),
                    lambda: describe(original, attempt, args, kwargs),
                    attempt if kind == "stdio" else None,
                )

            return transport

        return wrap

    def server(self, kind: Transport, session: Session | None = None) -> Callable[[Any], Callable[..., Any]]:
        """For a server transport: endpoint only. ``session`` reads the HTTP session id off the arguments."""

        def wrap(original: Any) -> Callable[..., Any]:
            def make(args: tuple[Any, ...]) -> Endpoint:
                if session is None:
                    return Endpoint(kind)
                found = session(args)
                return Endpoint(kind, found, stateless=found is None)

            def transport(*args: Any, **kwargs: Any) -> Any:
                return self._watch(original(*args, **kwargs), lambda: make(args), None)

            return transport

        return wrap

    def sse_server(self, original: Any) -> Callable[..., Any]:
        """For ``SseServerTransport.connect_sse``: the session is the key it adds to the transport's table."""

        def connect_sse(self_: Any, *args: Any, **kwargs: Any) -> Any:
            known: Any = ()
            try:
                known = frozenset(self_._read_stream_writers)
            except Exception as exc:
                _guard.swallow("mcp.connect_sse", exc)

            def make() -> Endpoint:
                new = [key for key in self_._read_stream_writers if key not in known]
                return Endpoint("sse", getattr(new[0], "hex", None) if len(new) == 1 else None)

            return self._watch(original(self_, *args, **kwargs), make, None)

        return connect_sse

    def http_client(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """For ``StreamableHTTPTransport.post_writer``: it alone has both the write stream and the session id."""

        async def post_writer(self_: Any, *args: Any, **kwargs: Any) -> Any:
            key = 0
            try:
                key = id(unwrapped(argument(args, kwargs, 3, "write_stream")))
                self._http_clients[key] = self_
            except Exception as exc:
                _guard.swallow("mcp.post_writer", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                self._http_clients.pop(key, None)

        return post_writer

    def server_run(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """For ``Server.run``: it ties the server's name to the streams it is served on."""

        async def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                endpoint = self.endpoint(
                    argument(args, kwargs, 1, "write_stream"), argument(args, kwargs, 0, "read_stream")
                )
                name = getattr(self_, "name", None)
                if type(name) is str and endpoint.kind != "memory":  # in memory both ends share one endpoint
                    endpoint.server_name = name
            except Exception as exc:
                _guard.swallow("mcp.server_run", exc)
            return await original(self_, *args, **kwargs)

        return run

    def _watch(
        self,
        opener: Any,
        make: Callable[[], Endpoint],
        target: Callable[[], ConnectTarget] | None,
        attempt: Attempt | None = None,
    ) -> Any:
        try:
            return _Opening(opener, functools.partial(self.opened, make=make, target=target), self.closed, attempt)
        except Exception as exc:
            _guard.swallow("mcp.transport", exc)
            return opener


class _Opening(ObjectProxy):
    """The async context manager a transport function returned, watched; everything else of it is as it was."""

    def __init__(
        self,
        wrapped: Any,
        opened: Callable[[Any], list[int]],
        closed: Callable[[list[int], bool], None],
        attempt: Attempt | None,
    ) -> None:
        super().__init__(wrapped)
        self._self_opened = opened
        self._self_attempt = attempt
        self._self_closed = closed
        self._self_ids: list[int] = []

    async def __aenter__(self) -> Any:
        attempt = self._self_attempt
        token = STARTING.set(attempt) if attempt is not None else None
        try:
            streams = await self.__wrapped__.__aenter__()
        finally:
            if token is not None:
                leave(token)
        try:
            self._self_ids = self._self_opened(streams)
        except Exception as exc:
            _guard.swallow("mcp.transport", exc)
        return streams

    async def __aexit__(self, *exc_info: Any) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*exc_info)
        finally:
            try:
                self._self_closed(self._self_ids, exc_info[0] is None)
            except Exception as exc:
                _guard.swallow("mcp.transport", exc)


def unwrapped(stream: Any) -> Any:
    """The stream under our tap and under other vendors' proxies."""
    for _ in range(_MAX_WRAPPERS):
        inner = getattr(stream, "__wrapped__", None)
        if inner is None:
            break
        stream = inner
    return stream


def _flat(yielded: Any) -> Iterator[Any]:
    # (read, write), (read, write, get_session_id), or in memory ((read, write), (read, write))
    for item in yielded if isinstance(yielded, (tuple, list)) else (yielded,):
        if isinstance(item, (tuple, list)):
            yield from _flat(item)
        elif hasattr(item, "aclose"):
            yield item
