"""Who talks on a connection: the handshake says so, and since 2026-07-28 every message may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NAME = 256  # characters of a name or version that are believed

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"


class Parties:
    """Names of both parties and the protocol version, as far as they are known.

    ``clean`` redacts a name before it is kept; ``changed`` is called when something new was learned.
    """

    __slots__ = ("_changed", "_clean", "_client_said", "_server_said", "client", "server", "version")

    def __init__(self, clean: Callable[[str], str], changed: Callable[[], None]) -> None:
        self._clean = clean
        self._changed = changed
        self._client_said: str | None = None
        self._server_said: str | None = None
        self.client: str | None = None
        self.server: str | None = None
        self.version: str | None = None

    def handshake(self, members: dict[str, Any]) -> None:
        """Parameters or result of ``initialize``, result of ``server/discover``."""
        self._version_is(text(members.get("protocolVersion")))
        self._client_is(_name_in(members.get("clientInfo")))
        self.server_is(_name_in(members.get("serverInfo")))
        meta = members.get("_meta")
        if type(meta) is dict:
            self.meta(meta)

    def meta(self, meta: dict[str, Any]) -> None:
        """``_meta`` of a request or result. Nearly every one says what the one before said: that is seen here."""
        version, client, server = meta.get(PROTOCOL_VERSION), meta.get(CLIENT_INFO), meta.get(SERVER_INFO)
        if type(version) is str and version != self.version:
            self._version_is(text(version))
        if client is not None:
            name = client.get("name") if type(client) is dict else None
            if type(name) is not str or name != self._client_said:
                self._client_is(_name_in(client))
        if server is not None:
            self.server_is(_name_in(server))

    def server_is(self, name: str | None) -> None:
        """The server's name, from wherever it is known."""
        if name is not None and name != self._server_said:
            self._server_said = name
            self.server = self._clean(name)
            self._changed()

    def _client_is(self, name: str | None) -> None:
        if name is not None and name != self._client_said:
            self._client_said = name
            self.client = self._clean(name)
            self._changed()

    def _version_is(self, version: str | None) -> None:
        if version is not None and version != self.version:
            self.version = version
            self._changed()


def text(value: object) -> str | None:
    """``value`` where it is a string of sensible length."""
    return value if type(value) is str and len(value) <= MAX_NAME else None


def _name_in(info: object) -> str | None:
    if type(info) is dict:
        return text(info.get("name"))
    return text(getattr(info, "name", None)) if info is not None else None
