"""What a killed process left behind becomes segments: each committed record once, however often a recovery is killed.

Every step may be repeated without harm, and the ring goes last. A recovery that is killed leaves either the ring, and
then the next one does the same steps to the same files, or everything done::

    cut the last segment to its committed size      (a write may have been torn)
    records -> a file beside the rings -> rename over the segment that comes next in number
    unlink the ring

What the dead process had begun to write into that next segment was not committed, so its records are still in the ring.
A lock keeps recoveries apart; where the file system has none, two of them write the same bytes under the same name.
"""

from __future__ import annotations

import fcntl
import os

from .. import _guard, _stdlib
from ..errors import BluerockError, RingError
from . import _layout as at
from ._directory import Directory, write_all
from ._names import RING, segment_name, segment_parts
from ._owner import boot_id, owner_state
from ._reading import OtherVersionError, RingContents, UnfinishedError, read_ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Notices(Protocol):
        """Gives the lines that tell of ``events`` lost for ``reason``.

        ``total``: how many this process lost for it so far. ``owner``: pid and start tick of the dead process that had
        lost them.
        """

        def __call__(
            self, reason: str, events: int, size: int, *, total: int = 0, owner: tuple[int, int] | None = None
        ) -> list[bytes]: ...


LOCK = "recover.lock"
CORRUPT = ".corrupt"
PART = ".part"
HALF_MADE_NS = 60 * 10**9  # a ring without a header after this time was never finished
STALE_NS = 600 * 10**9  # a sign of life from a process out of our sight is believed this long
ABANDONED_NS = 86400 * 10**9  # the same where the only sign of life is a file's time


class Recovered:
    """What a recovery did."""

    __slots__ = (
        "busy",
        "bytes",
        "corrupt",
        "damaged",
        "events",
        "failed",
        "left",
        "lost",
        "lost_bytes",
        "other_version",
        "rings",
    )

    def __init__(self) -> None:
        self.rings = 0
        self.events = 0
        """Lines written that were in no segment before."""
        self.bytes = 0
        self.lost = 0
        """Events that the dead processes had counted as lost, and not yet told."""
        self.lost_bytes = 0
        self.damaged = 0
        """Bytes of records that were damaged, and so are lost; what lies around them is not."""
        self.corrupt = 0
        """Files that are no rings: put aside under another name."""
        self.left = 0
        """Rings whose owner lives, or cannot be seen from here."""
        self.other_version = 0
        """Rings that are left to the version of the sensor that made them."""
        self.failed = 0
        """Rings that stay for the next time because of an error."""
        self.busy = False
        """Another recovery was at work; nothing was done."""


def recover_rings(
    rings: Directory, segments: Directory, limit: int | None = None, notices: Notices | None = None
) -> Recovered:
    """Turn what dead processes left in ``rings`` into segments, at most ``limit`` of them.

    ``notices`` gives lines that tell of what a dead process had lost. OSError where the lock file cannot be made.
    """
    done = Recovered()
    lock = rings.open(LOCK, os.O_RDWR | os.O_CREAT)
    try:
        if not _locked(lock):
            done.busy = True
            return done
        for name in rings.names():
            if limit is not None and done.rings + done.corrupt >= limit:
                break
            if name.endswith(RING):
                _recover_one(rings, segments, name, notices, done)
        _unlock(lock)
    finally:
        _stdlib.close_fd(lock)
    return done


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        _guard.give_back(exc)
        return True  # no locks on this file system: see above
    return True


def _unlock(lock: int) -> None:
    """Explicitly: a child forked meanwhile has the same open file, and would keep the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError as exc:
        _guard.give_back(exc)


def _recover_one(rings: Directory, segments: Directory, name: str, notices: Notices | None, done: Recovered) -> None:
    try:
        if owner_state(read_ring(name, rings, records=False)) == "alive":
            done.left += 1
            return
        contents = read_ring(name, rings)
        if owner_state(contents) == "unknown" and not _take(rings, segments, name, contents):
            done.left += 1
            return
        lines = list(contents.records)
        if notices is not None:
            lines += _loss_lines(contents, notices)
        _settle(rings, segments, name, contents, lines)
    except OtherVersionError:
        done.other_version += 1
    except RingError as exc:
        _put_aside(rings, name, done, empty=isinstance(exc, UnfinishedError))
    except FileNotFoundError:
        return  # its owner closed it just now
    except (OSError, BluerockError) as exc:
        _guard.give_back(exc)
        done.failed += 1
    else:
        done.rings += 1
        done.events += len(contents.records)
        done.bytes += sum(map(len, lines)) + len(lines)
        done.lost += contents.lost
        done.lost_bytes += contents.lost_bytes
        done.damaged += contents.damaged


def _loss_lines(contents: RingContents, notices: Notices) -> list[bytes]:
    """What a dead process had counted as lost and not told, and what is damaged of its ring.

    The bytes lost, known as one sum, go with the first reason.
    """
    owner = contents.pid, contents.start
    lines = notices("damage", 1, contents.damaged, owner=owner) if contents.damaged else []
    reasons, size = contents.untold, contents.lost_bytes
    if sum(reasons.values()) != contents.lost:  # it was killed between two stores
        reasons = {"recovery": contents.lost} if contents.lost else {}
    for reason, events in reasons.items():
        lines += notices(reason, events, size, owner=owner)
        size = 0
    return lines


def _settle(rings: Directory, segments: Directory, name: str, contents: RingContents, lines: list[bytes]) -> None:
    stem, number = contents.stem, contents.segment_number
    if contents.state == at.WRITTEN:
        _cut_torn_line(segments, stem)
    else:
        _cut(segments, segment_name(stem, number), contents.segment_bytes)
        following = segment_name(stem, number + 1 if contents.segment_bytes else number)
        if lines:
            rings.rename(_write_aside(rings, stem, lines), segments, following)
        else:
            segments.unlink(following)
    rings.unlink(name)


def _write_aside(rings: Directory, stem: str, lines: list[bytes]) -> str:
    """Name of a file in ``rings`` that holds the lines, complete but not yet at its place."""
    name = f"{stem}.{_stdlib.urandom(4).hex()}{PART}"
    fd = rings.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(fd, b"\n".join(lines) + b"\n", 0)
    except BaseException:  # a full disk, or the host's signal handler: in any case no remains
        rings.unlink(name)
        raise
    finally:
        _stdlib.close_fd(fd)
    return name


def _cut(segments: Directory, name: str, size: int) -> None:
    try:
        fd = segments.open(name, os.O_WRONLY)
    except FileNotFoundError:
        return  # never begun, or deleted since
    try:
        if _stdlib.fstat(fd).st_size > size:
            _stdlib.ftruncate(fd, size)
    finally:
        _stdlib.close_fd(fd)


def _cut_torn_line(segments: Directory, stem: str) -> None:
    """The last line of a process that wrote each event at once may be half there."""
    name = max((each for each in segments.names() if (segment_parts(each) or ("", 0))[0] == stem), default="")
    if not name:
        return
    fd = segments.open(name, os.O_RDWR)
    try:
        end = size = _stdlib.fstat(fd).st_size
        while end > 0:
            start = max(0, end - 65536)
            newline = _stdlib.pread_fd(fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            _stdlib.ftruncate(fd, end)
    finally:
        _stdlib.close_fd(fd)


def _take(rings: Directory, segments: Directory, name: str, contents: RingContents) -> bool:
    """Claim the ring of a process we cannot see, if nobody maps it or it gave no sign of life for long.

    Should the owner live after all, it finds the claim at its next drain and goes on in a new ring behind what we took.
    """
    if contents.state == at.WRITTEN:
        return contents.age_ns() > ABANDONED_NS and not _written_lately(segments, contents.stem)
    fd = rings.open(name, os.O_RDWR)
    try:
        if not _locked(fd):
            return False  # it is mapped
        # On this machine the lock is proof; elsewhere, and where there are no locks, only time tells.
        if not (contents.locked and contents.boot == boot_id()) and contents.age_ns() < STALE_NS:
            return False
        if contents.state != at.CLAIMED:
            _store(fd, at.W_CLAIMED, contents.ends[0])
            _store(fd, at.W_CLAIMED_NESTED, contents.ends[1])
            _store(fd, at.W_STATE, at.CLAIMED)
        if read_ring(name, rings, records=False).generation != contents.generation:
            _store(fd, at.W_STATE, at.MAPPED)
            return False  # it drained this very moment
    finally:
        _stdlib.close_fd(fd)
    return True


def _store(fd: int, index: int, value: int) -> None:
    _stdlib.pwrite_fd(fd, value.to_bytes(8, "little"), index * 8)


def _written_lately(segments: Directory, stem: str) -> bool:
    oldest = _stdlib.time_ns() - ABANDONED_NS
    return any(
        segments.stat(each).st_mtime_ns > oldest
        for each in segments.names()
        if (segment_parts(each) or ("", 0))[0] == stem
    )


def _put_aside(rings: Directory, name: str, done: Recovered, *, empty: bool) -> None:
    """A file that is no ring: one that is being made is left, an empty one goes, others are kept for a look."""
    try:
        if _stdlib.time_ns() - rings.stat(name).st_mtime_ns < HALF_MADE_NS:
            done.left += 1
            return
        if empty:
            rings.unlink(name)  # its owner died before the first event
        else:
            rings.rename(name, rings, name.removesuffix(RING) + CORRUPT)
        done.corrupt += 1
    except (OSError, BluerockError) as exc:
        _guard.give_back(exc)
        done.failed += 1
