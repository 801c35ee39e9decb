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


def known(entries: dict[Key, Entry], keys: tuple[Key, ...]) -> tuple[int, Entry | None]:
    """The level at which it has been told, or is to be told now."""
    last = len(keys) - 1
    for level, key in enumerate(keys):
        entry = entries.get(key)
        if entry is not None or level == last or len(entries) < _ROOM[level]:
            return level, entry
    raise ValueError("no keys")


class Table(dict[str, dict["Key", Entry]]):
    """What has been told on behalf of ``span``: name of the event -> what it was about -> how often."""

    __slots__ = ("span",)

    def __init__(self, span: Span | None) -> None:
        self.span = span


class Repeats:
    """``first(span, name, keys)`` asks whether something is new; ``tell`` records it then."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._begin()
        _forkpage.enlist(self)

    def _begin(self) -> None:
        self._tables: dict[int, Table] = {}
        self._outside = Table(None)

    def entries(self, span: Span | None, name: str) -> dict[Key, Entry]:
        """What has been told of events ``name``, by key."""
        table = self._outside if span is None else self._tables.get(identity(span)) or self._new_table(span)
        return table.get(name) or table.setdefault(name, {})

    def first(self, span: Span | None, name: str, *keys: Key) -> tuple[int, Entry] | None:
        """None where it has been told before, and is counted now; else what is to be given to ``tell``.

        ``keys`` name what happened from exact to wide; the level is the one at which it is new.
        """
        entries = self.entries(span, name)
        level, entry = known(entries, keys)
        if entry is None:
            entry = Entry(name)
            if entries.setdefault(keys[level], entry) is entry:
                return level, entry
            entry = entries[keys[level]]
        self.again(span, entry)
        return None

    def _new_table(self, span: Span) -> Table:
        if len(self._tables) >= _MOST_REQUESTS:
            self._end(list(self._tables.values())[0])  # noqa: RUF015  in one step: other threads serve too
        return self._tables.setdefault(identity(span), Table(span))

    def tell(self, span: Span | None, entry: Entry, fields: dict[str, object]) -> None:
        """Record the first time."""
        entry.fields = fields
        self._recording.note(entry.name, fields, span)
        if span is None and len(self._outside.get(entry.name, ())) >= _ROOM[0]:
            # Nothing ends outside of a request: what comes after this is told anew.
            self._finish(None, self._outside.pop(entry.name, {}))

    def again(self, span: Span | None, entry: Entry) -> None:
        """It has happened once more."""
        entry.last = number = entry.next()
        if number in _STEPS and entry.fields is not None:
            entry.told = number
            self._recording.note(entry.name, {**entry.fields, "count": number}, span)

    def over(self, span: Span) -> None:
        """The request has been served: tell what was counted."""
        table = self._tables.get(identity(span))
        if table is not None:
            self._end(table)

    def close(self) -> None:
        """The process ends."""
        for table in [*list(self._tables.values()), self._outside]:
            self._end(table)

    def _end(self, table: Table) -> None:
        try:
            if table.span is not None:
                self._tables.pop(identity(table.span), None)
            for entries in list(table.values()):
                self._finish(table.span, entries)
        except Exception as exc:
            _guard.swallow("activity.end", exc)

    def _finish(self, span: Span | None, entries: dict[Key, Entry]) -> None:
        for entry in list(entries.values()):
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
