"""A ring file as others see it: read, never mapped, and believed only as far as its checks go."""

from __future__ import annotations

import os

from .. import _clock, _guard, _stdlib
from ..errors import BluerockError, RingError
from . import _layout as at
from ._names import RING
from ._owner import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._directory import Directory

_LOOKS = 5  # how often a ring is read anew because its owner drained meanwhile
_MOST = 1 << 30  # bytes of a ring that are believed


class RingContents:
    """What ``read_ring`` found."""

    __slots__ = (
        "boot",
        "capacity",
        "claimed",
        "ends",
        "generation",
        "heartbeat",
        "inode",
        "locked",
        "lost",
        "lost_bytes",
        "mtime_ns",
        "path",
        "pid",
        "pidns",
        "records",
        "segment_bytes",
        "segment_number",
        "serving",
        "start",
        "state",
        "stem",
    )

    def __init__(self, path: str, words: memoryview, state: os.stat_result) -> None:
        self.path = path
        self.stem = path.rpartition("/")[2].removesuffix(RING)
        self.inode = state.st_ino
        self.mtime_ns = state.st_mtime_ns
        self.pid, self.start, self.pidns = words[at.W_PID], words[at.W_START], words[at.W_PIDNS]
        self.boot = words[at.W_BOOT : at.W_BOOT2 + 1].tobytes()
        self.state = words[at.W_STATE]
        """1 records are in the ring, 2 every event was written at once, 3 taken by a recovery."""
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
        self.ends = head, nested_head
        self.claimed = words[at.W_CLAIMED], words[at.W_CLAIMED_NESTED]
        self.records: list[bytes] = []
        """Committed lines that are in no segment yet, without newline; the nested region's are last."""

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
        memory = bytearray(at.HEADER + main + nested)
        _read_into(fd, memory)
        words = memoryview(memory).cast("Q")
        bounds = self.claimed if self.state == at.CLAIMED else (None, None)
        first, end = at.records(words, memory, at.HEADER, main, self.ends[0], bounds[0])
        second, nested_end = at.records(words, memory, at.HEADER + main, nested, self.ends[1], bounds[1])
        self.records = [line.lstrip(at.INCOMPLETE) for line in first + second]
        self.ends = end, nested_end


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
        pid = name.partition("-")[0]
        if name.endswith(RING) and pid.isdigit() and int(pid) in ticks:
            try:
                ring = read_ring(name, directory, records=False)
            except (OSError, BluerockError) as exc:
                _guard.give_back(exc)
                continue  # gone meanwhile, or no ring
            if ring.serving and ring.start == ticks[ring.pid] and ring.boot == boot_id():
                return True
    return False


def _header(fd: int, path: str) -> RingContents:
    header = _stdlib.pread_fd(fd, at.HEADER, 0)
    if len(header) < at.HEADER:
        raise RingError(f"{path} is no ring: it is too short")
    words = memoryview(header).cast("Q")
    if words[at.W_MAGIC] != at.MAGIC or words[at.W_VERSION] != at.VERSION:
        raise RingError(f"{path} is no ring, or one of another version")
    contents = RingContents(path, words, _stdlib.fstat(fd))
    main, nested = contents.capacity
    mapped = contents.state != at.WRITTEN
    uneven = main % 16 or nested % 16 or contents.ends[0] % 16 or contents.ends[1] % 16
    if uneven or main + nested > _MOST or (mapped and not (main and nested)):
        raise RingError(f"the header of {path} is damaged")
    return contents


def _read_into(fd: int, memory: bytearray) -> None:
    with memoryview(memory) as view:
        done = 0
        while done < len(view) and (got := _stdlib.preadv_fd(fd, [view[done:]], done)):
            done += got
