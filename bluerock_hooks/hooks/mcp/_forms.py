"""What the messages of one connection have in common, prepared: only what differs is encoded message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.json import Encoder

from ...events import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...events import McpMessage, Outcome
    from .. import Fill, Payload, Recording
    from ._transports import Endpoint

_encode = Encoder().encode
_MOST = 64  # methods, subjects, messages on their way that are remembered

_MAX_METHOD, _MAX_SUBJECT = 256, 512  # characters

Context = tuple[str, str | None, bytes]
Kind = tuple[int, bool]
"""Request (0), notification (1) or response (2); inbound."""


class Forms:
    """Events, forms of lines and contexts of one connection. ``common(kind)`` makes an event of what all have.

    ``lines`` and ``contexts`` are looked into before ``line`` and ``context`` are asked: the everyday message saves the
    call.
    """

    __slots__ = ("_common", "_events", "_passing", "_recording", "contexts", "lines", "params", "result")

    def __init__(self, recording: Recording, endpoint: Endpoint, common: Callable[[Kind], McpMessage]) -> None:
        self._recording = recording
        self._common = common
        self._events: dict[Kind, McpMessage] = {}
        self._passing = endpoint.passing if endpoint.kind == "memory" else None
        self.params = recording.params
        self.result = recording.result
        self.lines: dict[tuple[str | None, bool, Outcome | None], Fill] = {}
        self.contexts: dict[tuple[Any, str | None, bool], Context] = {}

    def clear(self) -> None:
        """Something new is known of the connection."""
        self._events.clear()
        self.lines.clear()
        self.contexts.clear()

    def event(self, kind: Kind) -> McpMessage:
        """An event with all that is the same for every message of its kind."""
        known = self._events.get(kind)
        if known is None:
            known = self._common(kind)
            self._events[kind] = known  # not before: to ask the names may clear what is known
        event: McpMessage = known.__copy__()  # type: ignore[attr-defined]  # Structs have it; copy.copy() asks thrice
        return event

    def line(self, key: tuple[str | None, bool, Outcome | None]) -> Fill:
        """The function that records requests (no outcome) or responses of this method: see ``Recording.form``."""
        method, inbound, outcome = key
        event = self.event((0 if outcome is None else 2, inbound))
        event.method, event.outcome = method, outcome
        fill = self._recording.form(event) or _cannot
        _remember(self.lines, key, fill)
        return fill

    def context(self, key: tuple[Any, str | None, bool], session_id: str | None) -> Context:
        """Of requests of this method about this subject: both as they may be recorded, and the form of their context.

        The third of ``key`` says whether the request has no parent.
        """
        method, subject, outermost = key
        method = method[:_MAX_METHOD] if type(method) is str else f"<{type(method).__name__}>"
        if subject is not None:
            subject = self._recording.clean(subject)[:_MAX_SUBJECT]
        form = self._recording.context(Request(method, subject, 0, session_id, "", None if outermost else ""))
        known = method, subject, form
        _remember(self.contexts, key, known)
        return known

    def notice(self, method: str, payload: bytes) -> Any:
        """The message of a notification whose parameters are encoded already."""
        return Raw(b'{"method":%b,"params":%b}' % (_encode(self._recording.clean(method)), payload))

    def shared(self, encode: Payload, value: Any, inbound: bool) -> bytes | None:
        """A payload, encoded once for both sides where the very same object reaches the other end in this process."""
        passing = self._passing
        if passing is None:
            return encode(value)
        if inbound:
            sent = passing.pop(id(value), None)
            if sent is not None and sent[0] is value:
                encoded: bytes | None = sent[1]
                return encoded
            return encode(value)
        if len(passing) >= _MOST:  # the other end is not tapped, or gone
            passing.clear()
        payload = encode(value)
        passing[id(value)] = value, payload
        return payload


def _remember(where: dict[Any, Any], key: Any, value: Any) -> None:
    if len(where) >= _MOST:
        where.clear()
    where[key] = value


def _cannot(*_parts: bytes) -> bool:
    return False
