"""Segments and rings in, events out: each once, in order within a process, by time across processes.

A reader never changes the spool. It looks at a moment of it (``Snapshot``): first the rings, then the segments. A ring
says how far its process's segment is committed; what lies beyond that is a copy, perhaps torn, of events that are still
in the ring, so a segment is read to there and the ring's records follow. Memory is bounded by the rings and by what is
read at a time, not by the spool.
"""

from __future__ import annotations

import heapq
import json
import os
import stat

from .errors import SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

    from .ring import RingContents
    from .spool import SegmentInfo, Spool

CHUNK = 64 << 10
LONGEST = 8 << 20  # no event comes near it (BLUEROCK_MAX_EVENT_BYTES ends at 1 MiB); a longer line is damage

Key = tuple[str, int]
NO_KEY: Key = ("", 0)


class StoredEvent:
    """One event as stored: ``line`` without its newline, ``data`` decoded, ``key`` unique for ever, ``ts`` in UTC.

    ``ts`` is the RFC 3339 text without its ``Z``: with and without a fraction, such texts sort by time.
    """

    __slots__ = ("data", "key", "line", "ts")

    def __init__(self, line: bytes, data: dict[str, Any], key: Key, ts: str) -> None:
        self.line = line
        self.data = data
        self.key = key
        self.ts = ts

    @property
    def event(self) -> dict[str, Any]:
        """The event proper, envelope included."""
        event: dict[str, Any] = self.data["event"]
        return event

    @property
    def name(self) -> str:
        """Of the kind, such as ``python_mcp_event``."""
        name: str = self.event["meta"]["name"]
        return name

    @property
    def pid(self) -> int:
        """Of the process that recorded it; 0 where the line does not say."""
        pid = member(self.event, "context", "process", "pid")
        return pid if isinstance(pid, int) else 0


class Problems:
    """What could not be read. Counts only: nothing of it stops a reader."""

    def __init__(self) -> None:
        self.bad_lines = 0
        self.first_bad = ""
        self.unreadable: dict[str, str] = {}
        self.damaged: dict[str, int] = {}

    def bad(self, path: str, offset: int, why: str) -> None:
        """Count one line; the first is remembered by place."""
        self.bad_lines += 1
        self.first_bad = self.first_bad or f"{path} at byte {offset}: {why}"

    def sentences(self) -> list[str]:
        """For stderr."""
        found = []
        if self.bad_lines:
            lines = "line" if self.bad_lines == 1 else "lines"
            found.append(f"{self.bad_lines} unreadable {lines} skipped, first {self.first_bad}")
        found.extend(f"{path}: {why}; its events are not shown" for path, why in self.unreadable.items())
        found.extend(
            f"{path}: {size} bytes are damaged; the events in them are not shown" for path, size in self.damaged.items()
        )
        return found


def member(value: object, *names: str) -> Any:
    """``value[a][b]...``, None where a step is missing or no object: what is in a spool may be anything."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def parse(line: bytes) -> StoredEvent:
    """The event of one line. ValueError says what is wrong with it."""
    try:
        data = _decode(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    meta = member(data, "event", "meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise ValueError("not an event")
    component, number, ts = meta.get("component_id"), meta.get("source_event_id"), data.get("ts")
    # Not ours if it has no id; then it is told from others by its text.
    key = (component, number) if isinstance(component, str) and isinstance(number, int) else ("", hash(line))
    return StoredEvent(line, data, key, ts.rstrip("Z") if isinstance(ts, str) else "")


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


def ring_events(ring: RingContents, problems: Problems) -> Iterator[tuple[Key, StoredEvent]]:
    """What a ring holds beyond its segment, oldest first."""
    for number, line in enumerate(ring.records):
        event = _event_or_none(line, f"ring {ring.stem}, record", number, problems)
        if event is not None:
            yield event.key, event


def segment_events(
    segment: SegmentInfo,
    start: int,
    end: int,
    problems: Problems,
    chunk: int = CHUNK,
    *,
    containing: tuple[bytes, ...] = (),
    last: bool = True,
) -> Iterator[tuple[int, StoredEvent | None]]:
    """Each complete line between two offsets: the offset behind it and its event, None for one that cannot be read.

    ``containing`` leaves out lines with none of these texts. ``last`` says that there will be no other look at this
    file, so a line without an end is reported, unless its writer lives.
    """
    offset = start
    for line, size in _lines(segment, start, end, problems, chunk):
        at, offset = offset, offset + size
        if size > len(line):
            problems.bad(segment.path, at, f"longer than {LONGEST >> 20} MiB")
            yield offset, None
        elif containing and not any(text in line for text in containing):
            continue
        elif line.endswith(b"\n"):
            yield offset, _event_or_none(line.rstrip(b"\r\n"), segment.path, at, problems)
        elif last and not os.path.exists(f"/proc/{segment.pid}"):
            problems.bad(segment.path, at, "torn")


def _event_or_none(line: bytes, place: str, offset: int, problems: Problems) -> StoredEvent | None:
    try:
        return parse(line)
    except ValueError as exc:
        problems.bad(place, offset, str(exc))
        return None


def _lines(segment: SegmentInfo, start: int, end: int, problems: Problems, chunk: int) -> Iterator[tuple[bytes, int]]:
    """Lines with their newline, the last perhaps without, and their sizes; of one that is longer than any event, less.

    The file is opened anew for each chunk: thousands may be read at once.
    """
    rest = b""
    skipped = 0
    offset = start
    while offset < end:
        try:
            block = _read_at(segment.path, offset, min(chunk, end - offset))
        except FileNotFoundError:
            return  # retention, or a recovery, took it while we read
        except OSError as exc:
            problems.unreadable[segment.path] = exc.strerror or str(exc)
            return
        if not block:
            break
        offset += len(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n", skipped + len(line) + 1
            skipped = 0
        if len(rest) > LONGEST:
            skipped += len(rest)
            rest = b""
        chunk = CHUNK
    if rest or skipped:
        yield rest, skipped + len(rest)


def _read_at(path: str, offset: int, size: int) -> bytes:
    # Not blocking, and only regular files: a FIFO or link planted in the spool must not hold or lead a reader away.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "not a regular file")
        return os.pread(fd, size, offset)
    finally:
        os.close(fd)


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
                place.number, place.offset = segment.number, _last_newline(segment.path, end)

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
                event = _event_or_none(line, f"ring {ring.stem}, record", number, problems)
                key = event.key if event is not None else NO_KEY
                if event is not None and key not in place.shown:
                    new.append(event)
            held[line] = key
        # What has left the ring is in the part of the segment that was read just before.
        place.held, place.shown = held, set(held.values())
        return new


def _last_newline(path: str, end: int) -> int:
    """The offset behind the last complete line before ``end``."""
    while end > 0:
        start = max(0, end - 4096)
        try:
            block = _read_at(path, start, end - start)
        except OSError:
            return end
        found = block.rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
