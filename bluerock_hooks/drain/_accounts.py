"""What became of the events of a process, in numbers."""

from __future__ import annotations

from ..ring import REASONS


class Counts:
    """What a recorder did in this process so far."""

    __slots__ = ("bytes", "dropped", "dropped_bytes", "events", "lost", "written", "written_bytes")

    def __init__(self) -> None:
        self.events = 0
        """Events accepted: in the ring or in a segment."""
        self.bytes = 0
        self.dropped = 0
        self.dropped_bytes = 0
        self.written = 0
        """Events that reached a segment."""
        self.written_bytes = 0
        self.lost: dict[str, int] = {}
        """Events by reason: the dropped ones, and those of any process that this one deleted (``retention``)."""

    def copy(self) -> Counts:
        """As it is now."""
        counts = Counts()
        for name in self.__slots__:
            setattr(counts, name, getattr(self, name))
        return counts


class Losses:
    """What was lost, and what of it no line tells of yet, by reason.

    Events of this process have one of ``REASONS``: a recovery must be able to tell of them.
    """

    __slots__ = ("counts", "own", "pending", "reported")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        """Events, told or not."""
        self.pending: dict[str, tuple[int, int]] = {}
        self.own = (0, 0)
        """Events and bytes this process lost, told or not."""
        self.reported = (0, 0)

    def add(self, reason: str, events: int, size: int) -> None:
        """Count a loss. Wants the recorder's lock."""
        before = self.pending.get(reason, (0, 0))
        self.pending[reason] = before[0] + events, before[1] + size
        self.counts[reason] = self.counts.get(reason, 0) + events
        if reason in REASONS:
            self.own = self.own[0] + events, self.own[1] + size

    def settle(self, told: dict[str, tuple[int, int]]) -> None:
        """These are told now."""
        for reason, (events, size) in told.items():
            before = self.pending.pop(reason)
            if before[0] > events:
                self.pending[reason] = before[0] - events, before[1] - size
            if reason in REASONS:
                self.reported = self.reported[0] + events, self.reported[1] + size

    def untold(self) -> dict[str, int]:
        """Events that no line tells of yet."""
        return {reason: events for reason, (events, _) in self.pending.items()}

    def copy(self) -> Losses:
        """As it is now."""
        losses = Losses()
        losses.counts, losses.pending = dict(self.counts), dict(self.pending)
        losses.own, losses.reported = self.own, self.reported
        return losses
