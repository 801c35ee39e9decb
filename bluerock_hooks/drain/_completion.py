"""Events that could not wait: in the ring at once, and completed on their way to the segment.

Some of what an event says takes time (the digest of a file, who installed it), which is not the host's to give. Its
hook records what it knows, as a line that is marked: it begins with a space, and is JSON all the same. The drain asks
the completer of that kind for the rest and adds it. A process that is killed first leaves a valid event that says less.

Drafts (``_draft``), which are all there, are spelled out.
"""

from __future__ import annotations

from .. import _guard, _plain
from .._draft import DRAFT, spelled
from ..ring import INCOMPLETE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Completer = Callable[[dict[str, Any]], dict[str, object]]
    Adder = Callable[[bytes], str]

_MARK = INCOMPLETE[0]
_NAME = len('{"ts":"2026-01-01T00:00:00.000000Z","event":{"meta":{"name":"')
"""Where a line has the name of its event (``Envelope``)."""


class Completion:
    """Who completes which event; one a sensor. Lines are without newline."""

    __slots__ = ("_adders", "_before", "_completed", "_completers", "_settlers")

    def __init__(self) -> None:
        self._completers: dict[str, Completer] = {}
        self._adders: dict[bytes, Adder] = {}
        self._before: list[Callable[[], None]] = []
        self._settlers: list[Callable[[], None]] = []
        self._completed: dict[bytes, bytes] = {}

    def on(self, name: str, complete: Completer) -> None:
        """``complete(event)`` gives more members for each event ``name``, or others in place of its own.

        It runs where the ring is drained, most often in the drain thread: it must import nothing, hold no lock, and may
        read files.
        """
        self._completers[name] = complete

    def adds(self, name: str, add: Adder) -> None:
        """The same of events that come by the hundred, in fewer steps: ``add(line)`` gives JSON, each member behind a
        comma, and has ``_plain.member`` to look into the line."""
        self._adders[name.encode()] = add

    def around(self, *, before: Callable[[], None] | None = None, settled: Callable[[], None] | None = None) -> None:
        """``before()`` is called before each batch is taken, ``settled()`` when the events of one are complete; both
        may record."""
        if before is not None:
            self._before.append(before)
        if settled is not None:
            self._settlers.append(settled)

    def marked(self, name: str, line: bytes) -> bytes:
        """``line``, marked where somebody will complete it."""
        return INCOMPLETE + line if name in self._completers or name.encode() in self._adders else line

    def begin(self) -> None:
        """A batch is about to be taken: who has something to add to it may do so now."""
        for before in self._before:
            _guard.attempt("drain.completion", before)

    def lines(self, lines: list[bytes]) -> list[bytes]:
        """The same lines, each complete, and the same ones when asked again before ``forget``.

        Work is done once even where the spool refuses a batch for an hour.
        """
        heads = {line[0] for line in lines}
        if DRAFT in heads:
            lines = [self._spelled(line) if line[0] == DRAFT else line for line in lines]
        if _MARK not in heads:
            return lines
        done = self._completed
        complete = []
        for line in lines:
            if line[0] == _MARK:
                whole = done.get(line)
                if whole is None:
                    whole = done[line] = self._complete(line.lstrip(INCOMPLETE))
                complete.append(whole)
            else:
                complete.append(line)
        for settled in self._settlers:
            _guard.attempt("drain.completion", settled)
        return complete

    def forget(self) -> None:
        """The batch is in the segment, or belongs to another process."""
        self._completed.clear()

    @staticmethod
    def _spelled(draft: bytes) -> bytes:
        try:
            return spelled(draft)
        except Exception as exc:
            _guard.swallow("drain.draft", exc)
            return b"{}"  # a line that readers count as a bad one

    def _complete(self, line: bytes) -> bytes:
        try:
            add = self._adders.get(line[_NAME : line.find(b'"', _NAME)])
            if add is not None:
                return line[:-2] + add(line).encode() + b"}}"
            data = _plain.loads(line.decode())
            event = data["event"]
            event.update(self._completers[event["meta"]["name"]](event))
            return _plain.dumps(data).encode()
        except Exception as exc:
            _guard.swallow("drain.complete", exc)
            return line
