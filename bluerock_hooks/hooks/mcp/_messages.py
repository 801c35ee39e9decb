"""The taps: proxies of a session's two streams that show every message to its connection and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from .._patch import ObjectProxy, argument, replaced

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ._sessions import Connection


class _Tap(ObjectProxy):
    """A stream that answers as itself; entering it gives the tap, so that nobody gets past it."""

    def __init__(self, wrapped: Any, connection: Connection) -> None:
        super().__init__(wrapped)
        self._self_connection = connection
        self._self_message = connection.message

    async def __aenter__(self) -> _Tap:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> Any:
        return await self.__wrapped__.__aexit__(*exc_info)


class ReadTap(_Tap):
    """The read stream: a message is recorded after it was received."""

    def __init__(self, wrapped: Any, connection: Connection) -> None:
        super().__init__(wrapped, connection)
        self._self_iterator: Any = None

    def __aiter__(self) -> ReadTap:
        # Asked of the stream itself: other vendors' proxies implement it as an async generator.
        self._self_iterator = self.__wrapped__.__aiter__()
        return self

    async def __anext__(self) -> Any:
        iterator = self._self_iterator
        if iterator is None:
            iterator = self._self_iterator = self.__wrapped__.__aiter__()
        item = await iterator.__anext__()
        self._self_message(item, True)
        return item

    async def receive(self) -> Any:
        item = await self.__wrapped__.receive()
        self._self_message(item, True)
        return item


class WriteTap(_Tap):
    """The write stream: a message is recorded before it is sent, so that a request precedes its response."""

    def send(self, item: Any) -> Awaitable[Any]:
        """What the stream's own ``send`` returns: no coroutine of ours in between."""
        self._self_message(item, False)
        sent: Awaitable[Any] = self.__wrapped__.send(item)
        return sent


def tapped(
    args: tuple[Any, ...], kwargs: dict[str, Any], connection: Connection, write_tap: type[WriteTap]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a session or dispatcher with its first two, ``read_stream`` and ``write_stream``, tapped."""
    for position, (name, tap) in enumerate((("read_stream", ReadTap), ("write_stream", write_tap))):
        stream = argument(args, kwargs, position, name)
        if stream is not None:
            args, kwargs = replaced(args, kwargs, position, name, tap(stream, connection))
    return args, kwargs


def connection_of(owner: Any) -> Connection | None:
    """The connection whose tap ``owner`` (a session, a dispatcher) reads from."""
    try:
        connection: Connection | None = getattr(getattr(owner, "_read_stream", None), "_self_connection", None)
    except Exception as exc:
        _guard.swallow("mcp.connection_of", exc)
        return None
    return connection
