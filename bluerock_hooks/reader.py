"""Segments and rings in, events out: each once, in order within a process, by time across processes.

A reader never changes the spool. It looks at a moment of it (``Snapshot``): first the rings, then the segments. A ring
says how far its process's segment is committed; what lies beyond that is a copy, perhaps torn, of events that are still
in the ring, so a segment is read to there and the ring's records follow. Memory is bounded by the rings and by what is
read at a time, not by the spool.
"""

from __future__ import annotations

import heapq
import os

from ._stored import (
    CHUNK,
    LONGEST,
    Key,
    Problems,
    StoredEvent,
    event_or_none,
    last_newline,
    member,
    parse,
    ring_events,
    segment_events,
)
from .errors import SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .ring import RingContents
    from .spool import SegmentInfo, Spool

__all__ = ["LONGEST", "Follower", "Problems", "Snapshot", "StoredEvent", "member", "merge", "parse"]

NO_KEY: Key = ("", 0)


class Snapshot:
    """The spool at one moment; iterate over ``events()`` as often as needed. SpoolError where it cannot be read."""

    def __init__(self, spool: Spool, problems: Problems | None = None) -> None:
        self.problems = problems or Problems()
        # Rings first: what is drained between the two looks is then seen in the ring, and its copy lies beyond the
        # committed end. The other way round it would be seen in neither.
        self.rings: dict[str, RingContents] = {}
        self.segments: dict[str, list[SegmentInfo]] = {}
        try:
            for ring in spool.peek(unreadable=self.problems.unreadable):
                self.rings[ring.stem] = ring
                if ring.damaged:
                    self.problems.damaged[ring.path] = ring.damaged
            for segment in spool.segments():
                self.segments.setdefault(segment.stem, []).append(segment)
        except FileNotFoundError:
            return  # nobody has recorded yet
        except OSError as exc:
            raise SpoolError(f"{spool.path} cannot be read: {exc.strerror}", "look at its owner and mode") from exc
        except SpoolError as exc:
            if os.stat(spool.path).st_uid != os.geteuid():
                raise SpoolError(exc.message, "read it as that user") from None
            raise
        for segments in self.segments.values():
            segments.sort(key=lambda segment: segment.number)

    def stems(self) -> list[str]:
        """Of every process that left something, sorted."""
        return sorted(self.rings.keys() | self.segments.keys())

    def committed(self, stem: str) -> list[tuple[SegmentInfo, int]]:
        """The segments of a process, each with the offset up to which it is to be read."""
        ring = self.rings.get(stem)
        segments = self.segments.get(stem, [])
        if ring is None:
            return [(segment, segment.size) for segment in segments]
        return [
            (segment, ring.segment_bytes if segment.number == ring.segment_number else segment.size)
            for segment in segments
            if segment.number <= ring.segment_number
        ]

    def events(self, since_ns: int = 0, containing: tuple[bytes, ...] = ()) -> Iterator[StoredEvent]:
        """All events, merged.

        Segments last written before ``since_ns`` (wall clock) are left out unread, lines of segments that hold none
        of the texts ``containing``, if any are given, undecoded.
        """
        streams = []
        for stem in self.stems():
            first = next(self._stream(stem, since_ns, (), 4096, Problems()), None)
            # Also one without an event: what is wrong with it is to be said.
            at = first.ts if first is not None else ""
            streams.append((at, self._stream(stem, since_ns, containing, CHUNK, self.problems)))
        return merge(streams)

    def _stream(
        self, stem: str, since_ns: int, containing: tuple[bytes, ...], chunk: int, problems: Problems
    ) -> Iterator[StoredEvent]:
        """One process's events in its own order."""
        ring = self.rings.get(stem)
        waiting = dict(ring_events(ring, problems)) if ring else {}
        for segment, end in self.committed(stem):
            if segment.mtime_ns < since_ns and ring is None:
                continue
            for _, event in segment_events(segment, 0, end, problems, chunk, containing=containing):
                if event is not None:
                    waiting.pop(event.key, None)
                    yield event
        # What a signal handler recorded inside another event's recording lies in a region of its own.
        yield from sorted(waiting.values(), key=lambda event: event.key[1])


def merge(streams: Iterable[tuple[str, Iterator[StoredEvent]]]) -> Iterator[StoredEvent]:
    """Merge streams, each given with the time of its first event. A stream is opened when its time has come.

    Most processes are short, so few streams are open at once however many processes there were. Within a stream order
    is kept even where the wall clock was set back.
    """
    waiting = sorted(enumerate(streams), key=lambda item: item[1][0], reverse=True)
    heap: list[tuple[str, int, StoredEvent, Iterator[StoredEvent]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1][1][0] <= heap[0][0]):
            index, (_, stream) = waiting.pop()
            _advance(heap, "", index, stream)
        if heap:
            at, index, event, stream = heapq.heappop(heap)
            yield event
            _advance(heap, at, index, stream)


def _advance(
    heap: list[tuple[str, int, StoredEvent, Iterator[StoredEvent]]], at: str, index: int, stream: Iterator[StoredEvent]
) -> None:
    event = next(stream, None)
    if event is not None:
        heapq.heappush(heap, (max(at, event.ts), index, event, stream))


class _Place:
    """How far one process has been followed."""

    __slots__ = ("had_ring", "held", "number", "offset", "shown")

    def __init__(self) -> None:
        self.number = 0
        self.offset = 0
        self.had_ring = False
        self.held: dict[bytes, Key] = {}
        """The ring's records at the last look: each is decoded once however long it stays there."""
        self.shown: set[Key] = set()
        """Shown, and may come again in a segment."""


class Follower:
    """What comes after a snapshot: rotation, new processes, deletion, recovery, and rings that nobody drains.

    ``poll()`` gives what is new since the last call. Call it a few times a second: it reads each live ring whole, and
    drained events of a process between two polls come from its segment.
    """

    MOST_SHOWN = 1 << 17  # a 1 MiB ring holds some 10,000 events

    def __init__(self, spool: Spool, snapshot: Snapshot) -> None:
        self.spool = spool
        self.problems = snapshot.problems
        self._places: dict[str, _Place] = {}
        for stem in snapshot.stems():
            place = self._places[stem] = _Place()
            ring = snapshot.rings.get(stem)
            if ring is not None:
                self._from_ring(place, ring, Problems())  # the snapshot's own reading reports them
            for segment, end in snapshot.committed(stem):
                place.number, place.offset = segment.number, last_newline(segment.path, end)

    def poll(self) -> Iterator[StoredEvent]:
        """New events, merged by time."""
        snapshot = Snapshot(self.spool, self.problems)
        stems = snapshot.stems()
        for gone in self._places.keys() - set(stems):
            del self._places[gone]
        batches = [list(self._new(stem, snapshot)) for stem in stems]
        return merge((batch[0].ts, iter(batch)) for batch in batches if batch)

    def _new(self, stem: str, snapshot: Snapshot) -> Iterator[StoredEvent]:
        place = self._places.setdefault(stem, _Place())
        ring = snapshot.rings.get(stem)
        for segment, end in snapshot.committed(stem):
            if segment.number < place.number:
                continue
            if segment.number > place.number:
                place.number, place.offset = segment.number, 0
            # A recovery cuts what was not committed; its events come again in a segment of their own.
            place.offset = min(place.offset, end)
            for offset, event in segment_events(segment, place.offset, end, self.problems, last=False):
                place.offset = offset
                if event is None or event.key in place.shown:
                    continue
                yield event
                if ring is None and place.had_ring:
                    # The ring is gone: closed, or claimed by a recovery that may write this event once more.
                    place.shown.add(event.key)
        if ring is not None:
            yield from self._from_ring(place, ring, self.problems)
        elif len(place.shown) > self.MOST_SHOWN:
            place.shown.clear()

    def _from_ring(self, place: _Place, ring: RingContents, problems: Problems) -> list[StoredEvent]:
        """The events of a ring that were not in it at the last look."""
        place.had_ring = True
        held: dict[bytes, Key] = {}
        new = []
        for number, line in enumerate(ring.records):
            key = place.held.get(line)
            if key is None:
                event = event_or_none(line, f"ring {ring.stem}, record", number, problems)
                key = event.key if event is not None else NO_KEY
                if event is not None and key not in place.shown:
                    new.append(event)
            held[line] = key
        # What has left the ring is in the part of the segment that was read just before.
        place.held, place.shown = held, set(held.values())
        return new
