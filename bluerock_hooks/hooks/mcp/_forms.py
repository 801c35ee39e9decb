"""What the messages of one connection have in common, prepared: only what differs is encoded message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.json import Encoder

from ..._stdlib import identity, type_name
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


class Memory(dict[Any, Any]):
    """What ``make(key)`` gave, remembered: at most ``_MOST`` of it. Asking for what is known is one look-up, in C."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __missing__(self, key: Any) -> Any:
        value = self._make(key)
        if len(self) >= _MOST:
            self.clear()
        self[key] = value  # not before: what is asked to make it may clear what is known
        return value


class Forms:
    """Events, lines and contexts of one connection. ``common(kind)`` makes an event of what all have.

    ``events[what, inbound]``: an event with all that is the same for every request (0), notification (1), response (2).
    ``lines[method, inbound, outcome]``: the function that records requests (no outcome) or responses of this method:
    see ``Recording.form``. ``contexts[method, subject, outermost]``, of requests of this method about this subject with
    or without a parent: method and subject as they may be recorded, and the form of their context.
    """

    __slots__ = ("_passing", "_recording", "contexts", "events", "lines", "params", "result")

    def __init__(self, recording: Recording, endpoint: Endpoint, common: Callable[[Kind], McpMessage]) -> None:
        self._recording = recording
        self._passing = endpoint.passing if endpoint.kind == "memory" else None
        self.params = recording.params
        self.result = recording.result
        self.events = Memory(common)
        self.lines = Memory(self._line)
        self.contexts = Memory(self._context)

    def clear(self) -> None:
        """Something new is known of the connection."""
        self.events.clear()
        self.lines.clear()
        self.contexts.clear()

    def event(self, kind: Kind) -> McpMessage:
        """A copy of ``events[kind]``, to be completed."""
        event: McpMessage = self.events[kind].__copy__()  # copy.copy() asks thrice
        return event

    def _line(self, key: tuple[str | None, bool, Outcome | None]) -> Fill:
        method, inbound, outcome = key
        event = self.event((0 if outcome is None else 2, inbound))
        event.method, event.outcome = method, outcome
        return self._recording.form(event) or _cannot

    def _context(self, key: tuple[Any, str | None, bool]) -> Context:
        method, subject, outermost = key
        method = method[:_MAX_METHOD] if type(method) is str else f"<{type_name(type(method))}>"
        if subject is not None:
            subject = self._recording.clean(subject)[:_MAX_SUBJECT]
        session_id = self.events[0, False].session_id
        form = self._recording.context(Request(method, subject, 0, session_id, "", None if outermost else ""))
        return method, subject, form

    def notice(self, method: str, payload: bytes) -> Any:
        """The message of a notification whose parameters are encoded already."""
        return Raw(b'{"method":%b,"params":%b}' % (_encode(self._recording.clean(method)), payload))

    def shared(self, encode: Payload, value: Any, inbound: bool) -> bytes | None:
        """A payload, encoded once for both sides where the very same object reaches the other end in this process."""
        passing = self._passing
        if passing is None:
            return encode(value)
        if inbound:
            sent = passing.pop(identity(value), None)
            if sent is not None and sent[0] is value:
                encoded: bytes | None = sent[1]
                return encoded
            return encode(value)
        if len(passing) >= _MOST:  # the other end is not tapped, or gone
            passing.clear()
        payload = encode(value)
        passing[identity(value)] = value, payload
        return payload


def _cannot(*_parts: bytes) -> bool:
    return False
