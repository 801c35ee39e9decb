"""Lines of which only the variable parts are missing: the messages of one kind on one connection differ in few members.

A form is cut once out of a real event that msgspec encoded, so that the Struct stays the one place that says what a
line looks like. Filling it is one formatting operation, a fraction of what stamping and encoding the Struct costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .. import _clock, _stdlib
from ..ring import _forkpage

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._envelope import Envelope

    Fill = Callable[..., bool]

_time_ns = _stdlib.time_ns
_word = _forkpage.word
_SECOND = 1_000_000_000


class Hole:
    """A place in an encoded text that is to be filled: a random word stands in the member, and is found again."""

    __slots__ = ("conversion", "mark", "raw")

    def __init__(self, conversion: bytes = b"%b") -> None:
        self.conversion = conversion
        self.mark = b'"%b"' % _stdlib.urandom(16).hex().encode("ascii")
        self.raw: Any = msgspec.Raw(self.mark)
        """What to put into the member; a Struct does not look at what it is made of."""


def cut(text: bytes, *holes: Hole) -> bytes:
    """``text`` as a format, with each hole's conversion in its place. ValueError unless they stand there in order."""
    form = b""
    for hole in holes:
        before, found, text = text.partition(hole.mark)
        if not found:
            raise ValueError("a form lacks one of its holes, or has them in another order")
        form += before.replace(b"%", b"%%") + hole.conversion
    return form + text.replace(b"%", b"%%")


def time_hole() -> Hole:
    """For the time of an event: the text to the second, which is remembered, and microseconds."""
    return Hole(b'"%b%06dZ"')


class Filler:
    """Makes the functions that fill forms, and passes on what comes out of them; one a process."""

    def __init__(self, envelope: Envelope, emit: Callable[[bytes], object]) -> None:
        self._envelope = envelope
        self._emit = emit
        self._last = [(0, b"")]
        """The last second, and its text: an item, so that another thread reads both or none."""

    def filler(self, form: bytes) -> Fill:
        """``fill(context, rid, payload)`` or ``fill(context, rid, payload, duration)`` emits a line of ``form``.

        It gives False in a forked child, where the form has the parent's identity. The form's holes are the time, the
        event's number (``%d``), which are filled here, the context, twice the request id, the payload, the duration.
        """
        emit, last, next_id, born = self._emit, self._last, self._envelope.next_id, _word[0]

        # Runs in the middle of a busy server, where each step costs three times what it costs alone: hence so few.
        def fill(context: bytes, rid: bytes, payload: bytes, duration: bytes | None = None) -> bool:
            if _word[0] != born:
                return False
            second, ns = divmod(_time_ns(), _SECOND)
            known, text = last[0]
            if known != second:
                text = _clock.utc_text(second * _SECOND)[:-7].encode("ascii")
                last[0] = second, text
            if duration is None:
                emit(form % (text, ns // 1000, next_id(), context, rid, rid, payload))
            else:
                emit(form % (text, ns // 1000, next_id(), context, rid, rid, payload, duration))
            return True

        return fill
