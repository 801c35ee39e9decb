"""What is known of the elements of servers, so that an event tells what is new: an element, or another definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ... import _guard
from ...events import McpServerAdd
from .._attribution import current
from . import _definitions

if TYPE_CHECKING:
    from ...events import ElementType, Role, Span
    from .. import Recording
    from ._sessions import Connection

    # side and server -> kind and name -> digests, the present one last
    Known = dict[tuple[Role, str], dict[tuple[ElementType, str], list[str]]]

_MAX_SERVERS = 256
_MAX_ELEMENTS = 4096
_MAX_DIGESTS = 64


class Inventory:
    """The elements of all servers that this process serves or talks to, bounded; what is forgotten is told again.

    A server is known by its name, so that a client that opens a connection for each call is told of each tool once.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._known: Known = {}

    def registered(self, server_name: str | None, kind: ElementType, definition: dict[str, Any]) -> None:
        """Record what code of this process gave to a server."""
        sha256 = _definitions.digest(definition)
        digests = self._digests("server", server_name or "", kind, definition)
        event = self._event(kind, definition, sha256, digests, "registered", "server")
        event.server_name = server_name
        self._recording.record(event, current())

    def listed(self, connection: Connection, method: str, result: dict[str, Any], span: Span | None) -> None:
        """Record what is new in the result of a list request that passed ``connection``."""
        try:
            server = connection.parties.server
            scope = server or connection.id
            for kind, definition in _definitions.listed(method, result):
                sha256 = _definitions.digest(definition)
                digests = self._digests(connection.role, scope, kind, definition)
                if sha256 not in digests:
                    event = self._event(kind, definition, sha256, digests, "listed", connection.role)
                    event.server_name = server
                    event.connection_id = connection.id
                    self._recording.record(event, span)
        except Exception as exc:
            _guard.swallow("mcp.listed", exc)

    def _event(
        self,
        kind: ElementType,
        definition: dict[str, Any],
        sha256: str,
        digests: list[str],
        learned: Literal["registered", "listed"],
        side: Role,
    ) -> McpServerAdd:
        before = digests[-1] if digests else None
        if sha256 in digests:
            digests.remove(sha256)
        elif len(digests) >= _MAX_DIGESTS:
            del digests[0]
        digests.append(sha256)
        return McpServerAdd(
            element=_definitions.element(kind, definition, sha256),
            learned=learned,
            source=side,
            replaces=before if before != sha256 else None,
        )

    def _digests(self, side: Role, server: str, kind: ElementType, definition: dict[str, Any]) -> list[str]:
        elements = _room(self._known, (side, server), _MAX_SERVERS, dict)
        name = _definitions.name_of(kind, definition) or ""
        digests: list[str] = _room(elements, (kind, name), _MAX_ELEMENTS, list)
        return digests


def _room(table: dict[Any, Any], key: Any, limit: int, make: type) -> Any:
    """The entry of ``table`` under ``key``, made where there is none; above ``limit`` the oldest goes."""
    found = table.get(key)
    if found is None:
        if len(table) >= limit:
            del table[next(iter(table))]
        found = table[key] = make()
    return found
