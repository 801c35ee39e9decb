"""The directory all events end up in: segments of NDJSON, and under ``rings/`` what is on its way.

Every process appends to segments of its own; whoever comes by recovers what killed processes left and deletes the
oldest segments. Nothing is kept open between two calls: a host may close every descriptor it did not open itself.
"""

from __future__ import annotations

import os

from . import _guard, _stdlib
from .errors import BluerockError, SpoolError, explain, reason_of
from .ring import RingContents, UnfinishedError, _forkpage, any_serving, owner_state, read_ring
from .ring._directory import SAFELY, Directory, make, random_bytes, write_all
from .ring._names import RING, pid_of, segment_name, segment_parts
from .ring._recovery import CORRUPT, HALF_MADE_NS, PART, Recovered, recover_rings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .ring._recovery import Notices

__all__ = ["Recovered", "SegmentInfo", "Spool", "Swept", "owner_state", "stem_of"]

MOST_SEGMENTS = 4096
_births = _forkpage.births
_MOST_CORRUPT = 16
_STAMP = ".sweep"
_KEY = "digest.key"
_KEY_BYTES = 32
_BLOCK = 1 << 18  # bytes; a mebibyte at a time would stay with the process for ever


class SegmentInfo:
    """One segment file, as it was when it was listed."""

    __slots__ = ("mtime_ns", "name", "number", "path", "pid", "size", "stem")

    def __init__(self, directory: str, name: str, stem: str, number: int, state: os.stat_result) -> None:
        self.name = name
        self.path = f"{directory}/{name}"
        self.stem = stem
        self.pid = pid_of(stem)
        self.number = number
        self.size = state.st_size
        self.mtime_ns = state.st_mtime_ns


class Swept:
    """What retention deleted."""

    __slots__ = ("bytes", "events", "files")

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.events = 0
        """Lines in the deleted files."""


def stem_of(name: str) -> str:
    """``<pid>-<unique>`` of a segment's or ring's file name or path, empty for any other."""
    name = name.rpartition("/")[2]
    stem = name.removesuffix(RING)
    if stem != name:
        return stem if pid_of(stem) else ""
    parts = segment_parts(name)
    return parts[0] if parts else ""


class Spool:
    """The spool at ``path``, an absolute path; it need not exist yet.

    ``segment_bytes``: a segment is not continued beyond this size. ``spool_bytes``: what all segments together may take
    before ``sweep`` deletes the oldest.
    """

    __slots__ = ("_key", "_root", "path", "rings_path", "segment_bytes", "spool_bytes")

    def __init__(self, path: str, segment_bytes: int = 16 << 20, spool_bytes: int = 256 << 20) -> None:
        self.path = path.rstrip("/") or path[:1]
        self.rings_path = f"{self.path}/rings"
        self.segment_bytes = segment_bytes
        self.spool_bytes = spool_bytes
        self._key = b""
        self._root = _root()

    def prepare(self) -> None:
        """Make the directories where they are missing; SpoolError, with a hint, where they cannot be used."""
        if not self.path.startswith("/"):
            raise SpoolError(f"{self.path or 'an empty path'} is no absolute path", "set BLUEROCK_SPOOL_DIR to one")
        try:
            if _root() != self._root:
                raise SpoolError(f"{self.path} is out of reach: this process changed its root directory")
            for path in (self.path, self.rings_path):
                make(path)
                Directory(path).close()
        except OSError as exc:
            _guard.give_back(exc)
            raise explain(self.path, exc) from exc

    def rings_directory(self) -> Directory:
        """Open ``rings/``, for a ``with`` statement. OSError, SpoolError."""
        return Directory(self.rings_path)

    # -- segments

    def append(self, stem: str, number: int, offset: int, blob: bytes, birth: int | None = None) -> bool:
        """Write ``blob`` at ``offset`` of a segment; what lay behind was never committed and goes.

        ``birth``: the process that may do so, as in ``Ring.birth``; a child forked meanwhile gets a SpoolError.

        ``offset`` 0 makes the segment. False, and nothing is written, where the segment is shorter than that: somebody
        deleted or emptied it. OSError, SpoolError; then the segment is as before.
        """
        fd, size = self._reopen(segment_name(stem, number)) if offset else (-1, 0)
        if fd < 0:
            fd, size = self._open_segment(segment_name(stem, number), bool(offset))
        if fd < 0:
            return False
        try:
            if size < offset:
                return False
            # No call between this question and what it allows. Writing what the parent writes does no harm.
            if birth is not None and birth != _births[0]:
                raise SpoolError("this process was forked in the middle of a write")
            if size > offset:
                _stdlib.ftruncate(fd, offset)
            _write_or_undo(fd, blob, offset)
        finally:
            _stdlib.close_fd(fd)
        return True

    def _open_segment(self, name: str, exists: bool) -> tuple[int, int]:
        """Descriptor and size, after a look at the directory; (-1, 0) where it has no such segment."""
        with Directory(self.path) as directory:
            try:
                fd = directory.open(name, os.O_WRONLY | (0 if exists else os.O_CREAT))
            except FileNotFoundError:
                return -1, 0
            try:
                return fd, _stdlib.fstat(fd).st_size
            except BaseException:  # the host's own, from a signal handler: no descriptor may stay behind
                _stdlib.close_fd(fd)
                raise

    def _reopen(self, name: str) -> tuple[int, int]:
        """The same for a segment that was written before, in two system calls instead of six; (-1, 0): not this way.

        Each call gives up the GIL, and a busy host pays when it is won back. The directory was ours, and closed to
        others, when the segment was made: nobody else can have changed what is in it.
        """
        try:
            fd = _stdlib.open_fd(f"{self.path}/{name}", os.O_WRONLY | SAFELY)
        except FileNotFoundError:
            return -1, 0  # the segment is gone, or the whole directory
        try:
            state = _stdlib.fstat(fd)
            # The owner says whether it is still that directory: who owns the one above may put another in its place.
            ours = state.st_uid == _stdlib.geteuid()
            if fd > 2 and state.st_mode & 0o170000 == 0o100000 and state.st_nlink == 1 and ours:
                return fd, state.st_size
        except BaseException:  # as above
            _stdlib.close_fd(fd)
            raise
        _stdlib.close_fd(fd)
        return -1, 0

    def segments(self) -> list[SegmentInfo]:
        """Every segment, by name. OSError, SpoolError."""
        found = []
        with Directory(self.path) as directory:
            for name in directory.names():
                parts = segment_parts(name)
                if parts is None:
                    continue
                try:
                    found.append(SegmentInfo(self.path, name, *parts, directory.stat(name)))
                except FileNotFoundError:
                    continue  # retention was faster
        return found

    # -- rings

    def rings(self) -> list[str]:
        """Path of every ring file, of living and dead processes."""
        try:
            with Directory(self.rings_path) as directory:
                return [f"{self.rings_path}/{name}" for name in directory.names() if name.endswith(RING)]
        except FileNotFoundError:
            return []

    def peek(self, *, records: bool = True, unreadable: dict[str, str] | None = None) -> list[RingContents]:
        """What every ring, of living and dead processes, holds now. Nothing is changed. OSError, SpoolError.

        One that cannot be read is left out; ``unreadable`` takes its path and the reason.
        """
        found = []
        try:
            with Directory(self.rings_path) as directory:
                for name in directory.names():
                    if name.endswith(RING):
                        try:
                            found.append(read_ring(name, directory, records=records))
                        except (UnfinishedError, FileNotFoundError):
                            continue  # being made, or closed just now
                        except (OSError, BluerockError) as exc:
                            _guard.give_back(exc)
                            if unreadable is not None:
                                unreadable[f"{self.rings_path}/{name}"] = reason_of(exc)
        except FileNotFoundError:
            pass
        return found

    def descends_from_serving(self, ancestors: Mapping[int, int]) -> bool:
        """Was a process with these ancestors, or one of them, started on behalf of a request? Ticks by pid."""
        try:
            with self.rings_directory() as directory:
                return any_serving(directory, ancestors)
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            return False

    def recover(self, limit: int | None = None, notices: Notices | None = None) -> Recovered:
        """Write what killed processes left in their rings into segments, each event once: see ``ring._recovery``.

        At most ``limit`` rings. ``notices`` gives lines that tell of what they had lost.
        OSError, SpoolError.
        """
        try:
            with Directory(self.rings_path) as rings, Directory(self.path) as segments:
                return recover_rings(rings, segments, limit, notices)
        except FileNotFoundError:
            return Recovered()

    # -- retention

    def due(self, interval: float) -> bool:
        """Is it time to clean up? True for one caller of all processes each ``interval`` seconds.

        OSError, SpoolError.
        """
        with Directory(self.path) as directory:
            try:
                age = (_stdlib.time_ns() - directory.stat(_STAMP).st_mtime_ns) / 1e9
                if 0 <= age < interval:
                    return False
            except FileNotFoundError:
                pass
            fd = directory.open(_STAMP, os.O_WRONLY | os.O_CREAT)
            try:
                _stdlib.utime(fd)
            finally:
                _stdlib.close_fd(fd)
        return True

    def sweep(self) -> Swept:
        """Delete segments until the rest fits in ``spool_bytes`` and ``MOST_SEGMENTS``. OSError, SpoolError.

        The oldest of dead processes go first, then the oldest that a living process has done with; never the one it
        writes to.
        """
        swept = Swept()
        open_from = {ring.stem: ring.segment_number for ring in self.peek(records=False)}
        segments = self.segments()
        count, total = len(segments), sum(segment.size for segment in segments)
        sealed = [each for each in segments if each.number < open_from.get(each.stem, each.number + 1)]
        sealed.sort(key=lambda each: (each.stem in open_from, each.mtime_ns, each.stem, each.number))
        with Directory(self.path) as directory:
            for segment in sealed:
                if total <= self.spool_bytes and count <= MOST_SEGMENTS:
                    break
                events = _count_lines(directory, segment.name)
                try:
                    gone = directory.unlink(segment.name)
                except OSError as exc:  # a directory of that name, an attribute: the others go all the same
                    _guard.give_back(exc)
                    continue
                if gone:
                    swept.files += 1
                    swept.bytes += segment.size
                    swept.events += events
                total -= segment.size
                count -= 1
        self._sweep_remains()
        return swept

    def _sweep_remains(self) -> None:
        """Files of recoveries that were killed, and rings put aside beyond a few."""
        try:
            with Directory(self.rings_path) as rings:
                names = rings.names()
                for name in [each for each in names if each.endswith(CORRUPT)][_MOST_CORRUPT:]:
                    rings.unlink(name)
                for name in names:
                    if name.endswith(PART) and _stdlib.time_ns() - rings.stat(name).st_mtime_ns > HALF_MADE_NS:
                        rings.unlink(name)
        except FileNotFoundError:
            return  # another sweep was faster; what is left is for the next

    # -- the key of digests

    def digest_key(self) -> bytes:
        """32 random bytes of this spool, the same for every process: the key of digests of secrets-to-be.

        Where it cannot be stored, a key of this process. Never raises an error of ours.
        """
        if not self._key:
            try:
                with Directory(self.path) as directory:
                    self._key = random_bytes(directory, _KEY, _KEY_BYTES)
            except (OSError, BluerockError) as exc:
                _guard.give_back(exc)
                self._key = _stdlib.urandom(_KEY_BYTES)
        return self._key


def _root() -> tuple[int, int]:
    """Identity of the root directory: in another one our path names somebody else's place."""
    state = _stdlib.stat("/")
    return state.st_dev, state.st_ino


def _write_or_undo(fd: int, blob: bytes, offset: int) -> None:
    try:
        write_all(fd, blob, offset)
    except OSError as exc:
        _guard.give_back(exc)
        _stdlib.ftruncate(fd, offset)  # half a batch on a full disk: readers are not to see it
        raise


def _count_lines(directory: Directory, name: str) -> int:
    try:
        fd = directory.open(name, os.O_RDONLY)
    except (OSError, SpoolError) as exc:
        _guard.give_back(exc)
        return 0
    count = 0
    try:
        while block := _stdlib.read_fd(fd, _BLOCK):
            count += block.count(b"\n")
    finally:
        _stdlib.close_fd(fd)
    return count
