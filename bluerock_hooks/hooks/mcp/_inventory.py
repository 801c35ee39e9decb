"""What is known of the elements of servers, so that an event tells what is new: an element, or another definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import McpServerAdd
from .._attribution import current
from . import _definitions

if TYPE_CHECKING:
    from ...events import ElementType, Role, Span
    from .. import Recording
    from ._sessions import Connection

_MAX_ELEMENTS = 16384
_MAX_DIGESTS = 4
_MAX_NAME = 256


class Inventory:
    """The elements of all servers that this process serves or talks to, bounded; what is forgotten is told again.

    A server is known by its name, so that a client that opens a connection for each call is told of each tool once.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        # Side, server, kind and name -> digests, the present one last.
        self._known: dict[tuple[Role, str, ElementType, str], list[str]] = {}

    def registered(self, server_name: str | None, kind: ElementType, definition: dict[str, Any]) -> None:
        """Record what code of this process gave to a server."""
        sha256 = _definitions.digest(definition)
        _, before = self._note("server", server_name or "", kind, definition, sha256)
        event = McpServerAdd(
            element=_definitions.element(kind, definition, sha256),
            learned="registered",
            source="server",
            server_name=server_name,
            replaces=before,
        )
        self._recording.record(event, current())

    def listed(self, connection: Connection, method: str, result: dict[str, Any], span: Span | None) -> None:
        """Record what is new in the result of a list request that passed ``connection``."""
        try:
            server = connection.parties.server
            for kind, definition in _definitions.listed(method, result):
                sha256 = _definitions.digest(definition)
                is_new, before = self._note(connection.role, server or connection.id, kind, definition, sha256)
                if is_new:
                    event = McpServerAdd(
                        element=_definitions.element(kind, definition, sha256),
                        learned="listed",
                        source=connection.role,
                        server_name=server,
                        replaces=before,
                        connection_id=connection.id,
                    )
                    self._recording.record(event, span)
        except Exception as exc:
            _guard.swallow("mcp.listed", exc)

    def _note(
        self, side: Role, server: str, kind: ElementType, definition: dict[str, Any], sha256: str
    ) -> tuple[bool, str | None]:
        """Remember a definition; was it unknown, and which other one was in its place?"""
        key = side, server, kind, (_definitions.name_of(kind, definition) or "")[:_MAX_NAME]
        digests = self._known.get(key)
        if digests is None:
            if len(self._known) >= _MAX_ELEMENTS:
                del self._known[next(iter(self._known))]
            digests = self._known[key] = []
        before = digests[-1] if digests else None
        if before == sha256:
            return False, None
        is_new = sha256 not in digests
        if not is_new:
            digests.remove(sha256)
        elif len(digests) >= _MAX_DIGESTS:
            del digests[0]
        digests.append(sha256)
        return is_new, before
