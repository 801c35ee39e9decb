"""What lies in segments and rings, line by line: the event as it was stored, or what is wrong with it."""

from __future__ import annotations

import json
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from .ring import RingContents
    from .spool import SegmentInfo

CHUNK = 64 << 10
LONGEST = 8 << 20  # no event comes near it (BLUEROCK_MAX_EVENT_BYTES ends at 1 MiB); a longer line is damage

Key = tuple[str, int]


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


def ring_events(ring: RingContents, problems: Problems) -> Iterator[tuple[Key, StoredEvent]]:
    """What a ring holds beyond its segment, oldest first."""
    for number, line in enumerate(ring.records):
        event = event_or_none(line, f"ring {ring.stem}, record", number, problems)
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
            yield offset, event_or_none(line.rstrip(b"\r\n"), segment.path, at, problems)
        elif last and not os.path.exists(f"/proc/{segment.pid}"):
            problems.bad(segment.path, at, "torn")


def event_or_none(line: bytes, place: str, offset: int, problems: Problems) -> StoredEvent | None:
    """The event of one line; ``problems`` hears of one that cannot be read."""
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


def last_newline(path: str, end: int) -> int:
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
