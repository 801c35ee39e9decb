"""The ring of one process: a mapped file that events are copied into, and that outlives the process.

``Ring`` is the writer's side. ``read_ring`` is everybody else's: it reads the file and never maps it, so that a file
that shrinks meanwhile costs a short read and not the reader's life.
"""

from __future__ import annotations

import errno
import fcntl
import os

from .. import _clock, _guard, _stdlib
from . import _forkpage, _mapping
from . import _layout as at
from ._directory import Directory, write_all
from ._layout import INCOMPLETE, REASONS
from ._names import RING
from ._owner import boot_id, owner_state, pid_namespace
from ._reading import RingContents, UnfinishedError, any_serving, read_ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Mapping

__all__ = [
    "INCOMPLETE",
    "REASONS",
    "Ring",
    "RingContents",
    "UnfinishedError",
    "any_serving",
    "owner_state",
    "read_ring",
]

_GET_FLAGS, _SET_FLAGS, _NO_COPY = 0x80086601, 0x40086602, 0x00800000  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_NOCOW_FL
# This file system maps no files. Whatever else can go wrong (space, rights, limits) would hit plain writes too.
_NO_MAPPING = frozenset((errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.ENXIO, errno.EOPNOTSUPP))
_DONT_DUMP = 16  # MADV_DONTDUMP: events stay out of core files


class Ring:
    """One ring file and its mapping.

    Methods make no system calls (but ``create``, ``declare`` and ``serve``) and want the caller's lock.
    """

    __slots__ = ("birth", "largest", "main", "name", "nested", "segment", "segment_bytes", "state", "stem", "words")

    def __init__(self, stem: str, state: int, words: memoryview, memory: at.Memory) -> None:
        self.birth = _forkpage.births[0]
        """Which process made it: a child forked since must not write to its segments."""
        self.stem = stem
        self.name = stem + RING
        self.state = state
        self.words = words
        capacity, nested = words[at.W_CAPACITY], words[at.W_NESTED]
        self.main = at.Region(words, memory, at.HEADER, capacity)
        self.nested = at.Region(words, memory, at.HEADER + capacity, nested)
        self.largest = capacity >> 2
        """Bytes of the longest line that is taken."""
        self.segment = 0
        self.segment_bytes = 0

    @classmethod
    def make(cls, directory: Directory, capacity: int) -> Ring:
        """The ring of this process; a declared one where nothing can be mapped, or ``capacity`` is 0. OSError."""
        stem = f"{_stdlib.getpid()}-{_stdlib.urandom(8).hex()}"
        if capacity:
            try:
                return cls.create(directory, stem, capacity)
            except OSError as exc:
                _guard.give_back(exc)
                if exc.errno not in _NO_MAPPING:
                    raise
        return cls.declare(directory, stem)

    @classmethod
    def create(cls, directory: Directory, stem: str, capacity: int = 1 << 20, nested: int = 1 << 16) -> Ring:
        """Make ``<stem>.ring`` and map it. OSError, and no file left, where that fails or would be a danger."""
        capacity, nested = _whole(capacity), _whole(nested)
        size = at.HEADER + capacity + nested
        header = _header(
            at.MAPPED, capacity, nested
        )  # all that can fail comes before the mapping, which cannot be freed
        fd = _new_file(directory, stem)
        try:
            if _copies_on_write(fd):
                raise OSError(errno.EOPNOTSUPP, "a file system that copies on write")
            # A sparse page on a full disk is SIGBUS at the first store: take the space now or refuse.
            _stdlib.fallocate(fd, 0, size)
            locked = _lock(fd)
            mapping = _mapping.shared(fd, size)
        except BaseException:  # also the host's, from a signal handler: half a ring must not stay
            directory.unlink(stem + RING)
            raise
        finally:
            _stdlib.close_fd(fd)
        words = memoryview(mapping).cast("Q")
        words[at.W_LOCKED] = int(locked)
        for index, value in header:
            words[index] = value
        _keep_out_of_core_files(mapping)
        return cls(stem, at.MAPPED, words, mapping)

    @classmethod
    def declare(cls, directory: Directory, stem: str) -> Ring:
        """Make a ring of a header only: it says who writes the segments of this stem without a mapping. OSError."""
        buffer = bytearray(at.HEADER)
        words = memoryview(buffer).cast("Q")
        for index, value in _header(at.WRITTEN, 0, 0, at.NO_SEGMENT):
            words[index] = value
        fd = _new_file(directory, stem)
        try:
            write_all(fd, bytes(buffer), 0)
        except BaseException:  # as above
            directory.unlink(stem + RING)
            raise
        finally:
            _stdlib.close_fd(fd)
        ring = cls.__new__(cls)
        ring.birth = _forkpage.births[0]
        ring.stem, ring.name, ring.state, ring.words, ring.largest = stem, stem + RING, at.WRITTEN, words, 0
        ring.main = ring.nested = at.Region(words, buffer, 0, 1)
        ring.main.abandon()
        ring.segment = ring.segment_bytes = 0
        return ring

    def serve(self, directory: Callable[[], Directory]) -> None:
        """Say that the owner starts processes on behalf of requests. OSError, SpoolError."""
        self.words[at.W_SERVING] = 1
        if self.state == at.WRITTEN:
            with directory() as place:
                fd = place.open(self.name, os.O_WRONLY)
                try:
                    write_all(fd, self.words[at.W_SERVING : at.W_SERVING + 1].tobytes(), at.W_SERVING << 3)
                finally:
                    _stdlib.close_fd(fd)

    def prepare(self, head: int, nested_head: int, segment: int, segment_bytes: int, reported: tuple[int, int]) -> int:
        """Get ready to say that what lies before the two heads is in the segment up to this size.

        ``reported``: how many lost events, and their bytes, the segments tell of then, in all. Gives the generation
        that says so when it is stored in ``words[W_GENERATION]``; the heads and sizes of this object are to follow.
        """
        now = _clock.since_boot_ns()
        generation = self.words[at.W_GENERATION] + 1
        seal = at.seal(generation, head, nested_head, segment, segment_bytes, *reported)
        # No call, no loop from here on: a child that is forked by a signal handler must not resume amid these stores.
        words = self.words
        slot = at.W_SLOT[generation & 1]
        words[slot] = head
        words[slot + 1] = nested_head
        words[slot + 2] = segment
        words[slot + 3] = segment_bytes
        words[slot + 4], words[slot + 5] = reported
        words[slot + at.SLOT_WORDS] = seal
        words[at.W_HEARTBEAT] = now
        return generation

    def commit(self, head: int, nested_head: int, segment: int, segment_bytes: int, reported: tuple[int, int]) -> None:
        """``prepare`` and say it."""
        generation = self.prepare(head, nested_head, segment, segment_bytes, reported)
        # No call from here on: an exception of the host between two of these would have the batch written twice.
        self.words[at.W_GENERATION] = generation
        self.main.head, self.nested.head = head, nested_head
        self.segment, self.segment_bytes = segment, segment_bytes

    def lose(self, reason: str, size: int, events: int = 1) -> None:
        """Count lost events where a recovery finds them; ``reason`` is one of ``REASONS``."""
        words = self.words
        words[at.W_LOST] += events
        words[at.W_LOST_BYTES] += size
        words[at.W_LOST_BY + at.REASONS.index(reason)] += events
        words[at.W_ERRORS] = _guard.caught

    def account(self, written: int, lost: Mapping[str, int], untold: Mapping[str, int]) -> None:
        """Let others see what became of this process's events so far; by reason, in all, and not told of yet."""
        words = self.words
        words[at.W_WRITTEN], words[at.W_ERRORS] = written, _guard.caught
        words[at.W_RETAINED] = lost.get("retention", 0)
        for index, reason in enumerate(at.REASONS):
            count = lost.get(reason, 0)
            words[at.W_LOST_BY + index] = count
            words[at.W_TOLD_BY + index] = count - untold.get(reason, 0)

    def start_with(self, lost: tuple[int, int], reported: tuple[int, int]) -> None:
        """Take over the losses, events and bytes, that were counted before there was this ring."""
        if reported != (0, 0):
            self.commit(0, 0, 0, 0, reported)
        self.words[at.W_LOST], self.words[at.W_LOST_BYTES] = lost

    def drained(self) -> bool:
        """Is everything that was committed in a segment?"""
        return self.main.head >= self.main.tail and self.nested.head >= self.nested.tail

    def exists(self, directory: str) -> bool:
        """Is the file still there? OSError where that cannot be told."""
        try:
            _stdlib.lstat(f"{directory}/{self.name}")
        except FileNotFoundError:
            return False
        return True

    def beat(self) -> None:
        """Say that the owner lives."""
        self.words[at.W_HEARTBEAT] = _clock.since_boot_ns()

    def claimed(self) -> tuple[int, int] | None:
        """Where a recovery that thought us dead stopped reading, None as long as the ring is ours."""
        words = self.words
        if words[at.W_STATE] != at.CLAIMED:
            return None
        return words[at.W_CLAIMED], words[at.W_CLAIMED_NESTED]

    def abandon(self) -> None:
        """Touch the mapping never again: what still tries fails."""
        self.words = at.GONE
        self.main.abandon()
        self.nested.abandon()


def _new_file(directory: Directory, stem: str) -> int:
    return directory.open(stem + RING, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def _whole(size: int) -> int:
    """Rounded up to whole pages: a region's length is a multiple of 16, and the mapping's of a page."""
    return max(4096, size + 4095 & -4096)


def _lock(fd: int) -> bool:
    """Lock the file for as long as it is mapped: a mapping keeps the open file, and so its lock, also when every
    descriptor is closed. Whoever gets the lock knows that the owner and its forked children are gone."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        _guard.give_back(exc)
        return False  # no locks on this file system
    return True


def _copies_on_write(fd: int) -> bool:
    """Does each write to this file system (btrfs, perhaps below an overlay) take new space, whatever was allocated?

    There a store into a mapping is SIGBUS when the disk or a quota is full. Only such file systems have a flag that
    keeps a file from it; up to Linux 6.15 a mapping of such a file needs new space all the same.
    """
    try:
        flags = bytearray(8)
        fcntl.ioctl(fd, _GET_FLAGS, flags)
        wanted = int.from_bytes(flags, "little") | _NO_COPY
        fcntl.ioctl(fd, _SET_FLAGS, wanted.to_bytes(8, "little"))
    except OSError as exc:
        _guard.give_back(exc)
        return False
    return True


def _keep_out_of_core_files(mapping: mmap.mmap) -> None:
    try:
        mapping.madvise(_DONT_DUMP)
    except (OSError, ValueError, AttributeError) as exc:
        _guard.give_back(exc)
        return  # a kernel without it: core files then hold the events too


def _header(state: int, capacity: int, nested: int, segment: int = 0) -> list[tuple[int, int]]:
    """Index and value of every word of a new header, in the order of the stores."""
    pid = _stdlib.getpid()
    boot = memoryview(boot_id()).cast("Q")
    identity = [
        (at.W_VERSION, at.VERSION),
        (at.W_CAPACITY, capacity),
        (at.W_NESTED, nested),
        (at.W_PID, pid),
        (at.W_START, _clock.process_ticks(pid)[1]),
        (at.W_BOOT, boot[0]),
        (at.W_BOOT2, boot[1]),
        (at.W_PIDNS, pid_namespace()),
        (at.W_UID, _stdlib.getuid()),
        (at.W_WALL, _stdlib.time_ns()),
        (at.W_SINCE, _clock.since_boot_ns()),
    ]
    slot = at.W_SLOT[0]
    return [
        *identity,
        (at.W_SEAL, at.seal(*(value for _, value in identity))),
        (slot + 2, segment),
        (slot + at.SLOT_WORDS, at.seal(0, 0, 0, segment, 0, 0, 0)),
        (at.W_STATE, state),
        (at.W_HEARTBEAT, _clock.since_boot_ns()),
        (at.W_MAGIC, at.MAGIC),  # last: until now this is no ring
    ]
