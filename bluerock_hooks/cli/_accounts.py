"""The sensors' accounts: every event that was emitted is in the spool, or a count says where it went."""

from __future__ import annotations

from collections import Counter, defaultdict

from ..reader import member
from ..ring import REASONS
from ._calls import component_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..reader import StoredEvent
    from ..ring import RingContents
    from ._index import Index


class _Account:
    """Of one process."""

    def __init__(self) -> None:
        self.lines = 0
        self.highest = 0
        """Events are numbered from 1."""
        self.told: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.told_errors = self.errors = 0

    def total(self, reason: str, count: object) -> None:
        """The process says that it lost so many in all; the lines that told of them may be gone."""
        if isinstance(count, int):
            self.totals[reason] = max(self.totals[reason], count)

    def lost(self) -> Counter[str]:
        """Events by reason."""
        return self.told | self.totals  # the larger one of each

    def emitted(self) -> int:
        """What was lost last has a number that no line shows."""
        return max(self.highest, self.lines + sum(count for reason, count in self.lost().items() if reason in REASONS))


class Accounts:
    """What sensors say of themselves, and what of it is here. ``add`` every event after the index has taken it."""

    def __init__(self) -> None:
        self.written = 0
        self.bytes = 0
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)

    def add(self, stored: StoredEvent, index: Index) -> None:
        """Count an event."""
        self.written += 1
        self.bytes += len(stored.line) + 1
        event = stored.event
        account = self._accounts[component_of(event)]
        account.lines += 1
        number = member(event, "meta", "source_event_id")
        if isinstance(number, int) and number > account.highest:
            account.highest = number
        taker = _TAKERS.get(stored.name)
        if taker is not None:
            taker(self, account, event, index)

    def add_rings(self, rings: Iterable[RingContents], index: Index) -> None:
        """What rings say of losses, of living processes and of dead ones that nobody has recovered."""
        for ring in rings:
            account = self._of(index, ring.pid, ring.start)
            for reason, count in ring.lost_by.items():
                account.total(reason, count)
            account.total("retention", ring.retained)
            account.errors = max(account.errors, ring.errors)

    def _of(self, index: Index, pid: object, start: object) -> _Account:
        component = index.component(pid, start)
        return self._accounts[f"{pid}-{start}" if component is None else component]

    def _dropped(self, account: _Account, event: dict[str, Any], index: Index) -> None:
        owner = event.get("of")
        if owner is not None:
            account = self._of(index, member(owner, "pid"), member(owner, "start"))
        reason = str(event.get("reason") or "unknown")
        if isinstance(event.get("dropped"), int):
            account.told[reason] += event["dropped"]
        account.total(reason, event.get("total"))

    def _failed(self, account: _Account, event: dict[str, Any], _index: Index) -> None:
        if isinstance(event.get("count"), int):
            account.told_errors += event["count"]

    def _ended(self, account: _Account, event: dict[str, Any], _index: Index) -> None:
        lost, errors = event.get("lost"), event.get("errors")
        for reason, count in lost.items() if isinstance(lost, dict) else ():
            account.total(reason, count)
        account.errors = max(account.errors, errors if isinstance(errors, int) else 0)

    def as_json(self, index: Index, *, whole: bool) -> dict[str, Any]:
        """``emitted`` counts every event that was made. Of those ``missing`` in the spool ``dropped`` says why, and
        ``unaccounted`` how many nobody knows of: known where the ``whole`` spool was read.
        """
        accounts = self._accounts.values()
        emitted = sum(account.emitted() for account in accounts)
        dropped: Counter[str] = sum((account.lost() for account in accounts), Counter())
        missing = max(0, emitted - self.written) if whole else 0
        programs = [component for component, account in self._accounts.items() if account.lines]
        return {
            "programs": len(programs),
            "without_end": sum(not index.programs[component].ended for component in programs),
            "emitted": emitted,
            "written": self.written,
            "bytes": self.bytes,
            "missing": missing,
            "dropped": dict(dropped.most_common()),
            "unaccounted": max(0, missing - dropped.total()),
            "swallowed": sum(max(account.told_errors, account.errors) for account in accounts),
        }


_TAKERS = {
    "python_events_dropped": Accounts._dropped,
    "python_internal_exception": Accounts._failed,
    "sensor_shutdown": Accounts._ended,
}
