"""A ring file as others see it: read, never mapped, and believed only as far as its checks go."""

from __future__ import annotations

import mmap
import os

from .. import _clock, _guard, _stdlib
from .._draft import DRAFT, spelled
from ..errors import BluerockError, RingError
from . import _layout as at
from ._names import RING, pid_of
from ._owner import boot_id, owner_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._directory import Directory

_LOOKS = 5  # how often a ring is read anew because its owner drained meanwhile
_MOST = 1 << 31  # bytes of a ring that are believed
_FURTHEST = 1 << 60  # position in a ring that is


class UnfinishedError(RingError):
    """A file that is to become a ring, or would have, had its process lived."""


class OtherVersionError(RingError):
    """The ring of a sensor of another version."""


class RingContents:
    """What ``read_ring`` found."""

    __slots__ = (
        "boot",
        "capacity",
        "claimed",
        "damaged",
        "ends",
        "errors",
        "generation",
        "heartbeat",
        "inode",
        "locked",
        "lost",
        "lost_by",
        "lost_bytes",
        "mtime_ns",
        "path",
        "pid",
        "pidns",
        "records",
        "retained",
        "segment_bytes",
        "segment_number",
        "serving",
        "start",
        "state",
        "stem",
        "untold",
        "written",
    )

    def __init__(self, path: str, words: memoryview, state: os.stat_result) -> None:
        self.path = path
        self.stem = path.rpartition("/")[2].removesuffix(RING)
        self.inode = state.st_ino
        self.mtime_ns = state.st_mtime_ns
        self.pid, self.start, self.pidns = words[at.W_PID], words[at.W_START], words[at.W_PIDNS]
        self.boot = words[at.W_BOOT : at.W_BOOT2 + 1].tobytes()
        self.state = words[at.W_STATE]
        """MAPPED: records are in the ring; WRITTEN: every event was written at once; CLAIMED: taken by a recovery."""
        self.locked = words[at.W_LOCKED] == 1
        """As long as somebody maps it, the file is locked."""
        self.serving = words[at.W_SERVING] == 1
        """The owner has started a process on behalf of a request that it served."""
        self.heartbeat = words[at.W_HEARTBEAT]
        """Nanoseconds since boot when the owner last did something slow."""
        self.capacity = words[at.W_CAPACITY], words[at.W_NESTED]
        self.generation = words[at.W_GENERATION]
        slot = at.W_SLOT[self.generation & 1]
        head, nested_head, number, size, reported, reported_bytes = words[slot : slot + at.SLOT_WORDS]
        self.segment_number, self.segment_bytes = number, size
        """Up to here the segments are good; what follows there is not committed."""
        self.lost = max(0, words[at.W_LOST] - reported)
        """Lost events that no segment tells of."""
        self.lost_bytes = max(0, words[at.W_LOST_BYTES] - reported_bytes)
        self.lost_by = _by_reason(words, at.W_LOST_BY)
        """All events that the process lost so far, by reason."""
        told = _by_reason(words, at.W_TOLD_BY)
        untold = {reason: count - told.get(reason, 0) for reason, count in self.lost_by.items()}
        self.untold = {reason: count for reason, count in untold.items() if count > 0}
        """Those of ``lost`` by reason; killed while it told of some, the process may leave a sum that differs."""
        self.written, self.errors, self.retained = words[at.W_WRITTEN], words[at.W_ERRORS], words[at.W_RETAINED]
        """Events it wrote to segments, exceptions of ours that were swallowed, events that it deleted as too old."""
        self.ends = head, nested_head
        self.claimed = words[at.W_CLAIMED], words[at.W_CLAIMED_NESTED]
        self.records: list[bytes] = []
        """Committed lines that are in no segment yet, without newline; the nested region's are last."""
        self.damaged = 0
        """Bytes that are missing of the file, or not as they were; of a living process's records nobody knows."""

    def age_ns(self) -> int:
        """Time since the owner's last sign of life."""
        if self.boot == boot_id():
            return _clock.since_boot_ns() - self.heartbeat
        return _stdlib.time_ns() - self.mtime_ns

    def fill(self, fd: int) -> None:
        """Read the records. What is missing of a file that was cut short reads as zeros, which is no record."""
        if self.state == at.WRITTEN:
            return
        main, nested = self.capacity
        bounds = self.claimed if self.state == at.CLAIMED else (_FURTHEST, _FURTHEST)
        dead = owner_state(self) == "dead"
        self.damaged = max(0, at.HEADER + main + nested - _stdlib.fstat(fd).st_size)
        # Anonymous pages: those that the file does not have, whatever its header says, cost nothing.
        with mmap.mmap(-1, at.HEADER + main + nested) as memory, memoryview(memory) as view:
            _read_into(fd, view)
            with view.cast("Q") as words:
                for index, (base, capacity) in enumerate(((at.HEADER, main), (at.HEADER + main, nested))):
                    self._look(words, memory, index, base, capacity, bounds[index], dead)

    def _line(self, record: bytes) -> bytes:
        """What a record says, as a line; nothing where that cannot be told."""
        if record[0] != DRAFT:
            return record.lstrip(at.INCOMPLETE)
        try:
            return spelled(record)
        except ValueError:
            self.damaged += len(record)
            return b""

    def _look(
        self, words: memoryview, memory: mmap.mmap, index: int, base: int, capacity: int, bound: int, dead: bool
    ) -> None:
        """The records of one region."""
        start, damaged = self.ends[index], 0
        end = min(bound, start + capacity)
        if dead:
            found, reached, damaged = at.salvage(words, memory, base, capacity, start, end)
        else:
            found, reached = at.records(words, memory, base, capacity, start, end)
        self.damaged += damaged
        self.records += filter(None, map(self._line, found))
        self.ends = (reached, self.ends[1]) if index == 0 else (self.ends[0], reached)


def read_ring(path: str, directory: Directory | None = None, *, records: bool = True) -> RingContents:
    """Read a ring file; ``path`` is a name in ``directory`` where one is given. Without ``records``, the header alone.

    RingError where it is no ring, OSError where it cannot be read. Of a live ring it shows one moment.
    """
    if directory is not None:
        fd = directory.open(path, os.O_RDONLY)
        path = f"{directory.path}/{path}"
    else:
        fd = _stdlib.open_fd(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        contents = _header(fd, path)
        for _ in range(_LOOKS if records else 0):
            contents.fill(fd)
            latest = _header(fd, path)
            if latest.generation == contents.generation:
                break
            contents = latest  # drained while we read: what we read may be overwritten in part
        return contents
    finally:
        _stdlib.close_fd(fd)


def any_serving(directory: Directory, ticks: Mapping[int, int]) -> bool:
    """Has one of these processes, start ticks by pid, started a process on behalf of a request? OSError."""
    for name in directory.names():
        if name.endswith(RING) and pid_of(name.removesuffix(RING)) in ticks:
            try:
                ring = read_ring(name, directory, records=False)
            except (OSError, BluerockError) as exc:
                _guard.give_back(exc)
                continue  # gone meanwhile, or no ring
            if ring.serving and ring.start == ticks[ring.pid] and ring.boot == boot_id():
                return True
    return False


def _by_reason(words: memoryview, first: int) -> dict[str, int]:
    return {reason: words[first + index] for index, reason in enumerate(at.REASONS) if words[first + index]}


def _header(fd: int, path: str) -> RingContents:
    for _ in range(_LOOKS):
        header = _stdlib.pread_fd(fd, at.HEADER + 16, 0)
        words = memoryview(header.ljust(at.HEADER + 16, b"\0")).cast("Q")
        if _sealed(words):
            break
        # Its owner may have drained twice while this was read.
    if not (words[at.W_MAGIC] or words[at.W_GENERATION] or words[at.HEADER >> 3]):
        raise UnfinishedError("no ring yet")
    if words[at.W_MAGIC] != at.MAGIC:
        raise RingError("no ring")
    if words[at.W_VERSION] != at.VERSION:
        raise OtherVersionError(f"a ring of version {words[at.W_VERSION]}, this one knows {at.VERSION}")
    contents = RingContents(path, words, _stdlib.fstat(fd))
    if not _sealed(words) or not _plausible(contents):
        raise RingError("its header is damaged")
    return contents


def _sealed(words: memoryview) -> bool:
    """Are identity and progress as they were written?"""
    generation = words[at.W_GENERATION]
    slot = at.W_SLOT[generation & 1]
    return (
        at.seal(*words[at.W_VERSION : at.W_SINCE + 1]) == words[at.W_SEAL]
        and at.seal(generation, *words[slot : slot + at.SLOT_WORDS]) == words[slot + at.SLOT_WORDS]
    )


def _plausible(contents: RingContents) -> bool:
    main, nested = contents.capacity
    if contents.state == at.WRITTEN:
        return not (main or nested)
    ends = contents.ends if contents.state == at.MAPPED else contents.ends + contents.claimed
    known = contents.state in (at.MAPPED, at.CLAIMED) and main and nested
    even = not any(each % 16 for each in (main, nested, *ends))
    return bool(known) and even and main + nested <= _MOST and max(ends) < _FURTHEST


def _read_into(fd: int, view: memoryview) -> None:
    done = 0
    while done < len(view) and (got := _stdlib.preadv_fd(fd, [view[done:]], done)):
        done += got
