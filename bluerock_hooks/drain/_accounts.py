"""What became of the events of a process, in numbers."""

from __future__ import annotations


class Counts:
    """What a recorder did in this process so far."""

    __slots__ = ("bytes", "dropped", "dropped_bytes", "events", "written", "written_bytes")

    def __init__(self) -> None:
        self.events = 0
        """Events accepted: in the ring or in a segment."""
        self.bytes = 0
        self.dropped = 0
        self.dropped_bytes = 0
        self.written = 0
        """Events that reached a segment."""
        self.written_bytes = 0

    def copy(self) -> Counts:
        """As it is now."""
        counts = Counts()
        for name in self.__slots__:
            setattr(counts, name, getattr(self, name))
        return counts


class Losses:
    """What was lost and no line tells of yet, by reason."""

    __slots__ = ("own", "pending", "reported")

    # Events of this process: a recovery must be able to tell of them.
    OWN = ("damage", "error", "oversize", "ring_full", "spool")

    def __init__(self) -> None:
        self.pending: dict[str, tuple[int, int]] = {}
        self.own = (0, 0)
        """Events and bytes this process lost, told or not."""
        self.reported = (0, 0)

    def add(self, reason: str, events: int, size: int) -> None:
        """Count a loss. Wants the recorder's lock."""
        before = self.pending.get(reason, (0, 0))
        self.pending[reason] = before[0] + events, before[1] + size
        if reason in self.OWN:
            self.own = self.own[0] + events, self.own[1] + size

    def settle(self, told: dict[str, tuple[int, int]]) -> None:
        """These are told now."""
        for reason, (events, size) in told.items():
            before = self.pending.pop(reason)
            if before[0] > events:
                self.pending[reason] = before[0] - events, before[1] - size
            if reason in self.OWN:
                self.reported = self.reported[0] + events, self.reported[1] + size

    def copy(self) -> Losses:
        """As it is now."""
        losses = Losses()
        losses.pending, losses.own, losses.reported = dict(self.pending), self.own, self.reported
        return losses
