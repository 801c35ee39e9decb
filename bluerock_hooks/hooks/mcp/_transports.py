"""Transports: which streams belong to which connection target, and the event that a client opened one.

An SDK session only ever sees two anonymous streams. The functions that make them know the transport, so their context
managers are watched, and the streams they yield are remembered by identity for as long as they are open.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import ConnectTarget, McpClientConnect
from .._attribution import current
from .._patch import ObjectProxy, argument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ...events import Transport
    from .. import Recording

    Describe = Callable[[tuple[Any, ...], dict[str, Any]], ConnectTarget]
    Session = Callable[[tuple[Any, ...]], str | None]

_MAX_WRAPPERS = 8


class Endpoint:
    """One end of a transport: its kind, the HTTP session where there is one, and whether sessions mean anything."""

    __slots__ = ("connection", "kind", "passing", "server_name", "session_id", "stateless")

    def __init__(self, kind: Transport, session_id: str | None = None, *, stateless: bool = False) -> None:
        self.kind: Transport = kind
        self.session_id = session_id
        self.stateless = stateless
        self.server_name: str | None = None
        self.connection: Any = None
        self.passing: dict[int, tuple[object, Any]] = {}
        """In memory, where both ends share this: messages on their way, by identity, with their encoded form."""


class Streams:
    """The open streams, by identity. Streams of the 2.x SDK have slots and take no weak references."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
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

    def closed(self, ids: list[int]) -> None:
        """Forget streams; their ids may name other objects now."""
        for key in ids:
            self._endpoints.pop(key, None)

    # -- makers of replacements, one for each shape of hook point

    def client(self, kind: Transport, describe: Describe) -> Callable[[Any], Callable[..., Any]]:
        """For a client transport function: endpoint and connect event."""

        def wrap(original: Any) -> Callable[..., Any]:
            def transport(*args: Any, **kwargs: Any) -> Any:
                return self._watch(original(*args, **kwargs), lambda: Endpoint(kind), lambda: describe(args, kwargs))

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

    def _watch(self, opener: Any, make: Callable[[], Endpoint], target: Callable[[], ConnectTarget] | None) -> Any:
        try:
            return _Opening(opener, functools.partial(self.opened, make=make, target=target), self.closed)
        except Exception as exc:
            _guard.swallow("mcp.transport", exc)
            return opener


class _Opening(ObjectProxy):
    """The async context manager a transport function returned, watched; everything else of it is as it was."""

    def __init__(self, wrapped: Any, opened: Callable[[Any], list[int]], closed: Callable[[list[int]], None]) -> None:
        super().__init__(wrapped)
        self._self_opened = opened
        self._self_closed = closed
        self._self_ids: list[int] = []

    async def __aenter__(self) -> Any:
        streams = await self.__wrapped__.__aenter__()
        try:
            self._self_ids = self._self_opened(streams)
        except Exception as exc:
            _guard.swallow("mcp.transport", exc)
        return streams

    async def __aexit__(self, *exc_info: Any) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*exc_info)
        finally:
            self._self_closed(self._self_ids)


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


# -- what a client connects to, read off the arguments of its transport function


def stdio_target(args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConnectTarget:
    """``stdio_client(server: StdioServerParameters)``."""
    server = argument(args, kwargs, 0, "server")
    return ConnectTarget(type="stdio", command=str(server.command), args=[str(word) for word in server.args])


def url_target(kind: Transport) -> Describe:
    """``sse_client``, ``websocket_client`` and both names of the streamable HTTP client."""

    def describe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConnectTarget:
        return ConnectTarget(type=kind, url=str(argument(args, kwargs, 0, "url")), auth=_has_auth(args, kwargs))

    return describe


def memory_target(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> ConnectTarget:
    """Streams between a client and a server of this process."""
    return ConnectTarget(type="memory")


def _has_auth(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | None:
    """Whether credentials are given: an ``auth`` object, or an Authorization header of ours or of the HTTP client."""
    client = kwargs.get("http_client")
    if kwargs.get("auth") is not None or getattr(client, "auth", None) is not None:
        return True
    headers = argument(args, kwargs, 1, "headers")
    for names in (headers, getattr(client, "headers", None)):
        if names is not None and any(str(name).lower() == "authorization" for name in names):
            return True
    return False
