"""Events of plain values on their way to the ring, for hooks that work in processes without MCP and so without msgspec.

``note`` takes any event. Of what happens often, or between two programs, when the caches hold neither us nor the host,
each step counts, and each function that is not called yet: ``kind`` prepares what all such events have in common.
"""

from __future__ import annotations

from . import _clock, _draft, _plain, _stdlib
from .ring import _forkpage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._envelope import Envelope
    from .drain import Completion
    from .events import Span
    from .recorder import Recorder

    Tell = Callable[..., None]

__all__ = ["Notes"]

_SECOND = 1_000_000_000

_time_ns = _stdlib.time_ns
_word = _forkpage.word


class Notes:
    """One a sensor; no method raises an error of ours, nor does what they give."""

    def __init__(self, envelope: Envelope, recorder: Recorder, completion: Completion) -> None:
        self._envelope = envelope
        self._recorder = recorder
        self._completion = completion

    def note(self, name: str, fields: dict[str, object], span: Span | None = None) -> None:
        """Record an event of plain values, as part of ``span``."""
        try:
            if not _word[0]:  # forked in C: the event is the child's
                self._recorder.check_process()
            kind = "sensor_lifecycle" if name.startswith("sensor_") else "event"
            line = self._envelope.line(name, kind, fields, None if span is None else _context(span).decode())
            line = self._completion.marked(name, line)
        except Exception as exc:
            self._recorder.failed("note", exc)
            return
        self._recorder.emit(line)

    def kind(self, name: str) -> Tell:
        """A function that records events ``name``: ``tell(members)`` or ``tell(members, span)``.

        ``members`` are JSON, each behind a comma.
        """
        envelope, recorder, completion = self._envelope, self._recorder, self._completion
        born, begin, before, after, drain, last = -1, "", "", "", recorder.way_in(), (0, "")

        def tell(members: str, span: Span | None = None) -> None:
            nonlocal born, begin, before, after, drain, last
            try:
                if _word[0] != born:  # the first time, and in a child, which has another identity
                    recorder.check_process()
                    begin = completion.marked(name, b'{"ts":"').decode()
                    before, after = envelope.around(name)
                    drain = recorder.way_in()
                    born = _word[0] or -1
                us = _time_ns() // 1000
                second = us // 1_000_000
                known, text = last
                if known != second:
                    text = _clock.utc_text(second * _SECOND)[:-8]
                    last = second, text
                mcp = "" if span is None else f',"mcp":{_context(span).decode()}'
                line = f"{begin}{text}.{str(us)[-6:]}Z{before}{envelope.next_id()}{after}{mcp}}}{members}}}}}".encode()
                if drain.put(line):
                    return
            except Exception as exc:
                recorder.failed("note", exc)
                return
            recorder.emit(line)

        return tell

    def draft(self, name: str) -> Tell:
        """A function that records events ``name`` as drafts: ``tell(members, span, pid, number, start, us)``.

        ``members`` are JSON, each behind a comma; the numbers are those of ``_draft``.
        """
        envelope, recorder = self._envelope, self._recorder
        born, identity, drain = -1, b"", recorder.way_in()
        pack: Callable[..., bytes] = bytes

        def tell(members: bytes, span: Span | None, pid: int, number: int, start: int, us: int) -> None:
            nonlocal born, identity, pack, drain
            try:
                if _word[0] != born:  # as above
                    recorder.check_process()
                    identity = _draft.identity(name, envelope.pid, envelope.component_id)
                    pack = _draft.packer()
                    drain = recorder.way_in()
                    born = _word[0] or -1
                size = 0
                if span is not None:
                    request = _context(span)
                    size, members = len(request), request + members
                draft = pack(identity, size, pid, number, _time_ns(), start, envelope.next_id(), us) + members
                if drain.put(draft):
                    return
            except Exception as exc:
                recorder.failed("note", exc)
                return
            recorder.emit(draft)

        return tell


def _context(span: Span) -> bytes:
    """The request, as JSON."""
    if not span.encoded:
        request = span.request
        members = {name: getattr(request, name) for name in request.__struct_fields__}
        span.encoded = _plain.dumps(members).encode()
    return span.encoded
