"""One event at the first time, and a count of the others: within each request and, outside of any, in the process.

The count is told when it reaches a power of ten, when the request has been served, and at the end of the process. A
request that touches thousands of files is told of the first few hundred one by one, then by directory.
"""

from __future__ import annotations

from itertools import count

from ... import _guard
from ..._stdlib import identity
from ...ring import _forkpage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from ...events import Span
    from .. import Recording

    Key = tuple[Hashable, ...]
    Table = dict[str, dict[Key, "Entry"]]  # name of the event -> what it was about

_ROOM = (256, 512)  # subjects of a kind in a request that are told at the first two levels; the last takes all
_MOST_REQUESTS = 256  # with activity at the same time, also such that comes after their end
_STEPS = frozenset(10**power for power in range(1, 19))


class Entry:
    """What has been told, and how often it has happened since."""

    __slots__ = ("fields", "last", "name", "next", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: dict[str, object] | None = None
        self.next = count(2).__next__
        self.last = self.told = 1


class Repeats:
    """``first(span, name, keys)`` asks whether something is new; ``tell`` records it then."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._begin()
        _forkpage.enlist(self)

    def _begin(self) -> None:
        self._tables: dict[int, tuple[Span, Table]] = {}
        self._outside: Table = {}

    def again(self, span: Span | None, name: str, key: Key) -> bool:
        """Has this been told before? Then it is counted now."""
        table = self._outside if span is None else self._table(span)
        entries = table.get(name)
        entry = entries.get(key) if entries is not None else None
        if entry is None:
            return False
        self._again(span, entry)
        return True

    def first(self, span: Span | None, name: str, *keys: Key) -> tuple[int, Entry] | None:
        """None where it has been told before, and is counted now; else what is to be given to ``tell``.

        ``keys`` name what happened from exact to wide; the level is the one at which it is new.
        """
        table = (self._outside if span is None else self._table(span)).setdefault(name, {})
        for level, key in enumerate(keys):
            entry = table.get(key)
            if entry is None and (level == len(keys) - 1 or len(table) < _ROOM[level]):
                entry = Entry(name)
                if table.setdefault(key, entry) is entry:
                    return level, entry
                entry = table[key]
            if entry is not None:
                self._again(span, entry)
                return None
        return None

    def _table(self, span: Span) -> Table:
        found = self._tables.get(identity(span))
        if found is None:
            if len(self._tables) >= _MOST_REQUESTS:
                self.over(list(self._tables.values())[0][0])  # noqa: RUF015  in one step: other threads serve too
            found = self._tables.setdefault(identity(span), (span, {}))
        return found[1]

    def tell(self, span: Span | None, entry: Entry, fields: dict[str, object]) -> None:
        """Record the first time."""
        entry.fields = fields
        self._recording.note(entry.name, fields, span)
        if span is None and len(self._outside.get(entry.name, ())) >= _ROOM[0]:
            # Nothing ends outside of a request: what comes after this is told anew.
            self._finish(None, {entry.name: self._outside.pop(entry.name, {})})

    def _again(self, span: Span | None, entry: Entry) -> None:
        entry.last = number = entry.next()
        if number in _STEPS and entry.fields is not None:
            entry.told = number
            self._recording.note(entry.name, {**entry.fields, "count": number}, span)

    def over(self, span: Span) -> None:
        """The request has been served: tell what was counted."""
        if not self._tables:
            return
        try:
            found = self._tables.pop(identity(span), None)
            if found is not None:
                self._finish(span, found[1])
        except Exception as exc:
            _guard.swallow("activity.over", exc)

    def close(self) -> None:
        """The process ends."""
        try:
            for span, _ in list(self._tables.values()):
                self.over(span)
            self._finish(None, self._outside)
        except Exception as exc:
            _guard.swallow("activity.close", exc)

    def _finish(self, span: Span | None, table: Table) -> None:
        for entry in [entry for entries in list(table.values()) for entry in list(entries.values())]:
            if entry.last > entry.told and entry.fields is not None:
                entry.told = entry.last
                self._recording.note(entry.name, {**entry.fields, "count": entry.last}, span)

    # -- forks

    def before_fork(self) -> None:
        """Nothing."""

    def after_fork(self) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """In the child: it tells what it does itself."""
        self._begin()

    def started(self) -> None:
        """Nothing."""
