"""Takes encoded events from the hooks and puts them where they outlive the process; the drain moves them on.

``emit`` is what the host pays: it copies the line into the ring and commits it, without a system call, a wait or
letting go of the GIL. All else happens in ``_slow``, in the drain thread, or at exit.

Locks: ``_lock`` guards the ring's tail and is held for microseconds; ``_drain_lock`` is held while a batch is
written, and is taken first. A thread that is in our code is in ``inside``, from before it takes a lock until after it
has given it back: what it emits then (a signal handler, a finaliser, an audit hook) goes to the nested region and
waits for nobody. Both are plain locks of ``_thread``: eventlet finds RLocks through gc and swaps them.
"""

from __future__ import annotations

import errno
from _collections import deque  # type: ignore[import-not-found]

from . import _guard, _stdlib
from .drain import Batch, DrainThread, Losses, write
from .errors import BluerockError
from .ring import Ring, _forkpage, _layout
from .spool import Spool, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .ring._directory import Directory

    Notices = Callable[[str, int, int], list[bytes]]
    T = TypeVar("T")

# This file system maps no files. Whatever else can go wrong (space, rights, limits) would hit plain writes too.
_NO_MAPPING = frozenset((errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.ENXIO, errno.EOPNOTSUPP))

TICK = 0.05  # seconds an event waits in the ring while a drain thread runs
RETRY_DRAIN = 1.0  # seconds between two attempts to write to a spool that refuses
RETRY_OPEN = 30.0  # seconds between two attempts to get a ring
CLEAN_EVERY = 60.0  # seconds between two recoveries and sweeps, of all processes together
_WAIT_FOR_DRAIN = 0.5  # seconds an emitter lets another thread's write go on when the ring is full
_CROWDED = 32  # ring files that make a starting process recover some
_FEW = 4

_word = _forkpage.word
_get_ident = _stdlib.get_ident


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


class Recorder:
    """One per process. No method raises an error of ours.

    ``preamble()`` gives the lines every process begins with. ``notice(text)`` is told once of each kind of trouble.
    ``notices(reason, events, bytes)`` gives lines that tell readers of losses; it is asked before each batch that
    follows one, and with no loss when the guard has caught something new. ``on_new_process()`` is called in a forked
    child before anything else of ours happens there. ``thread``: a drain thread may be started.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        ring_bytes: int = 1 << 20,
        mode: str = "mmap",
        preamble: Callable[[], list[bytes]] | None = None,
        notice: Callable[[str], None] | None = None,
        notices: Notices | None = None,
        on_new_process: Callable[[], None] | None = None,
        thread: bool = True,
        tick: float = TICK,
    ) -> None:
        self.spool = spool
        self.mode = mode
        self.inside: set[int] = set()
        """Idents of the threads that are in our code just now: what they do to files is not the host's doing."""
        self._ring_bytes = ring_bytes
        self._preamble = preamble
        self._notice = notice
        self._notices = notices
        self._on_new_process = on_new_process
        self._thread_allowed = thread
        self._tick = tick
        self._noticed: set[str] = set()
        self._closed = False
        self._forking = False
        self._wanted = False
        self._thread: DrainThread | None = None
        self._begin()
        _forkpage.enlist(self)

    def _begin(self) -> None:
        """The state of a process that has recorded nothing yet."""
        self._lock = _stdlib.allocate_lock()
        self._drain_lock = _stdlib.allocate_lock()
        self._nested_lock = _stdlib.allocate_lock()
        self._ring: Ring | None = None
        self._put: Callable[[bytes], bool] = _refuse
        self._parked: deque[bytes] = deque()
        self._counts = Counts()
        self._losses = Losses()
        self._told_errors = 0
        self._introduced = False
        self._open_again = 0.0
        self._drain_again = 0.0
        self._rotated = False
        self._suspicious = False

    # -- the hot path

    def emit(self, line: bytes) -> bool:
        """Record one event, a JSON object without newline. False where it was dropped, which is counted."""
        done = False
        try:
            if not _word[0]:
                _forkpage.new_process()
            me = _get_ident()
            inside = self.inside
            if me in inside:
                return self._nested(line)
            try:
                inside.add(me)
                with self._lock:
                    done = self._put(line)
                if not done:
                    done = self._slow(line)
            finally:
                inside.discard(me)
            if self._parked:
                self._unpark()
        except Exception as exc:
            if not done:
                self._enter(self._drop, "error", line)
            _guard.swallow("recorder.emit", exc)
        return done

    def _nested(self, line: bytes) -> bool:
        ring = self._ring
        if ring is not None and self._nested_lock.acquire(False):
            try:
                if ring.nested.put(line) or ring.nested.place(line):
                    return True
            finally:
                self._nested_lock.release()
        self._parked.append(line)  # nested twice, or no room: the outer call writes it when it is done
        return True

    def _enter(self, work: Callable[..., T], *arguments: object) -> T | None:
        """Run ``work`` as a thread that is in our code; None if it is there already."""
        me = _get_ident()
        if me in self.inside:
            return None
        try:
            self.inside.add(me)
            done = work(*arguments)
        finally:
            self.inside.discard(me)
        if self._parked:
            self._unpark()
        return done

    def _unpark(self) -> None:
        """Write what nested calls left; more may come meanwhile."""
        while self._parked and self._enter(self._write_parked) is not None:
            pass

    def _write_parked(self) -> bool:
        try:
            line = self._parked.popleft()
        except IndexError:
            return True  # another thread was faster
        return self._slow(line)

    # -- everything unusual; the caller is inside, and holds no lock

    def _slow(self, line: bytes) -> bool:
        reason = "ring_full"
        for _ in range(3):
            with self._lock:
                ring = self._ring or self._open_ring()
                if ring is None:
                    reason = "spool"
                    break
                if ring.state == _layout.WRITTEN:
                    if self._write_through(ring, [line]):
                        return True
                    reason = "spool"
                    break
                if len(line) > ring.largest:
                    line = b'{"oversize":%d}' % len(line)
                if ring.main.place(line):
                    self._steer(ring)
                    return True
            if not self._make_room():
                break
        self._drop(reason, line)
        return False

    def _drop(self, reason: str, line: object) -> None:
        size = len(line) if type(line) is bytes else 0
        with self._lock:
            self._count_drop(reason, size)

    def _count_drop(self, reason: str, size: int) -> None:
        self._counts.dropped += 1
        self._counts.dropped_bytes += size
        self._losses.add(reason, 1, size)
        if self._ring is not None:
            self._ring.lose(1, size)

    def _make_room(self) -> bool:
        """Write the ring's events out in place of the drain thread. False where that cannot be done now."""
        if _stdlib.monotonic() < self._drain_again:
            return False
        before = self._counts.written
        waited = 0.0
        while self._drain_lock.locked():
            if waited >= _WAIT_FOR_DRAIN:
                self._drain_again = _stdlib.monotonic() + RETRY_DRAIN  # a stalled disk: the host does not wait for it
                return False
            _stdlib.sleep(0.001)
            waited += 0.001
        return self._drain() > 0 or self._counts.written > before

    def _steer(self, ring: Ring) -> None:
        """Start or wake the drain thread where there is work for it, and say up to where ``put`` may go by itself."""
        main = ring.main
        full = main.head + main.capacity
        quarter = main.head + (main.capacity >> 2)
        if self._thread is not None and self._thread.ended:
            self._thread = None
        may_start = self._thread_allowed and not self._closed and not self._forking
        if self._thread is None and may_start and (self._wanted or main.tail > quarter):
            self._start_thread()
        if self._thread is not None:
            self._thread.wake()
            main.limit(full)
        else:
            main.limit(quarter if may_start and main.tail <= quarter else full)

    def _start_thread(self) -> None:
        try:
            self._thread = DrainThread(self._work, self._beat, self._tick)
        except Exception as exc:  # at shutdown, at the limit of threads, in a sub-interpreter: emitters drain then
            self._thread_allowed = False
            if _guard.is_host_exception(exc):
                raise

    # -- ring and segments

    def _open_ring(self) -> Ring | None:
        """Make this process's ring; wants the lock. None where there is none to be had now."""
        now = _stdlib.monotonic()
        if now < self._open_again:
            return None
        self._open_again = now + RETRY_OPEN
        try:
            self.spool.prepare()
            with self.spool.rings_directory() as directory:
                ring = self._make_ring(directory)
        except OSError as exc:
            self._tell("open", str(explain(self.spool.path, exc)))
            return None
        except BluerockError as exc:
            self._tell("open", str(exc))
            return None
        ring.start_with(self._losses.own, self._losses.reported)
        self._open_again = 0.0
        self._ring = ring
        if ring.state == _layout.MAPPED:
            self._put = ring.main.put
        self._introduce(ring)
        return ring

    def _make_ring(self, directory: Directory) -> Ring:
        stem = f"{_stdlib.getpid()}-{_stdlib.urandom(8).hex()}"
        if self.mode == "mmap":
            try:
                return Ring.create(directory, stem, self._ring_bytes)
            except OSError as exc:
                if exc.errno in _NO_MAPPING:
                    raise
                self.mode = "write"
        return Ring.declare(directory, stem)

    def _introduce(self, ring: Ring) -> None:
        if self._introduced or self._preamble is None:
            return
        self._introduced = True
        try:
            lines = self._preamble()
            if ring.state == _layout.WRITTEN:
                self._write_through(ring, lines)
            else:
                for line in lines:
                    ring.main.place(line)
                self._steer(ring)
        except Exception as exc:
            _guard.swallow("recorder.preamble", exc)

    def _write_through(self, ring: Ring, lines: list[bytes]) -> bool:
        """Where nothing can be mapped: write at once. Wants the lock."""
        if not lines or _stdlib.monotonic() < self._drain_again:
            return False
        try:
            told, notices = self._loss_lines()
            number, size = write(self.spool, ring, lines + notices)
        except (OSError, BluerockError) as exc:
            self._refused(exc)
            return False
        self._rotated = self._rotated or number != ring.segment
        ring.segment, ring.segment_bytes = number, size
        self._counts.written += len(lines)
        self._counts.written_bytes += sum(map(len, lines))
        self._losses.settle(told)
        return True

    def _refused(self, exc: Exception) -> None:
        self._drain_again = _stdlib.monotonic() + RETRY_DRAIN
        if isinstance(exc, OSError):
            text = str(explain(self.spool.path, exc))
            if exc.errno == errno.ENOENT:
                self._suspicious = True  # somebody removed the directory: the ring may be gone with it
        else:
            text = str(exc)
        if self.mode == "mmap":
            text += "; until then events wait in the ring, and are dropped when it is full"
        self._tell("drain", text)

    def _tell(self, kind: str, text: str) -> None:
        if kind in self._noticed or self._notice is None:
            return
        self._noticed.add(kind)
        try:
            self._notice(text)
        except Exception as exc:
            _guard.swallow("recorder.notice", exc)

    # -- the drain; the caller is inside, and holds no lock

    def _drain(self) -> int:
        """Write one batch: everything that is in the ring now. How many events."""
        with self._drain_lock:
            with self._lock:
                ring = self._ring
                if ring is None or ring.state != _layout.MAPPED:
                    return 0
                claim = ring.claimed() or self._if_gone(ring)
                if claim is not None:
                    ring = self._leave(ring, claim)
                    if ring is None:
                        return 0
                ends = ring.main.tail, ring.nested.tail
            told, notices = self._loss_lines()
            batch = Batch(ring, *ends)
            if not batch.lines and not notices and not batch.damaged_bytes:
                return 0
            segment = ring.segment, ring.segment_bytes
            if batch.lines or notices:
                try:
                    segment = write(self.spool, ring, batch.lines + notices)
                except (OSError, BluerockError) as exc:
                    self._refused(exc)
                    return 0
            with self._lock:
                if self._ring is not ring:
                    return 0  # a signal handler forked meanwhile: this is the child, and the ring the parent's
                return self._commit(ring, batch, segment, told)

    def _commit(self, ring: Ring, batch: Batch, segment: tuple[int, int], told: dict[str, tuple[int, int]]) -> int:
        """Publish that the batch is in the segment; wants the lock."""
        self._rotated = self._rotated or segment[0] != ring.segment
        ring.commit(*batch.ends, *segment, self._losses.reported_after(told))
        self._losses.settle(told)
        self._counts.written += len(batch.lines)
        self._counts.written_bytes += batch.bytes
        if batch.damaged_bytes:
            self._count_drop("damage", batch.damaged_bytes)
        self._drain_again = 0.0
        self._steer(ring)
        return len(batch.lines)

    def _if_gone(self, ring: Ring) -> tuple[int, int] | None:
        """Up to where the ring's records are safe, if its file is not there any more; wants the lock."""
        if not self._suspicious:
            return None
        try:
            self.spool.prepare()
            if ring.exists(self.spool.rings_path):
                self._suspicious = False
                return None
        except (OSError, BluerockError):
            return None
        self._suspicious = False
        return ring.main.head, ring.nested.head

    def _leave(self, ring: Ring, safe: tuple[int, int]) -> Ring | None:
        """Go on in a new ring with what lies behind ``safe``; wants the lock.

        A recovery took our ring for a dead process's, or somebody removed the file.
        """
        ring.main.free(safe[0])
        ring.nested.free(safe[1])
        rest = Batch(ring, ring.main.tail, ring.nested.tail)
        self._put = _refuse
        self._ring = None
        ring.abandon()
        new = self._open_ring()
        for line in rest.lines:
            if new is None or not (new.main.place(line) or new.nested.place(line)):
                self._count_drop("spool", len(line))
        return new

    def _loss_lines(self) -> tuple[dict[str, tuple[int, int]], list[bytes]]:
        """What is to be told of losses, by reason, and the lines that tell it."""
        told: dict[str, tuple[int, int]] = {}
        lines: list[bytes] = []
        if self._notices is None:
            return told, lines
        try:
            for reason, (events, size) in list(self._losses.pending.items()):
                lines += self._notices(reason, events, size)
                told[reason] = events, size
            if _guard.caught != self._told_errors:
                self._told_errors = _guard.caught
                lines += self._notices("", 0, 0)
        except Exception as exc:
            _guard.swallow("recorder.notices", exc)
        return told, lines

    def _work(self) -> float | None:
        """One turn of the drain thread; how long it may sleep."""
        return self._enter(self._turn)

    def _turn(self) -> float | None:
        try:
            self._drain()
            if self._rotated:
                self._clean()
        except Exception as exc:
            _guard.swallow("recorder.drain", exc)
            return RETRY_DRAIN
        if self._drain_again:
            return RETRY_DRAIN
        with self._lock:
            ring, thread = self._ring, self._thread
            if ring is not None and not ring.drained():
                return self._tick
            if thread is not None:
                thread.sleeps()
            if ring is not None:
                ring.main.limit(0)  # the next event takes the thorough way, and wakes the thread
            return None

    def _beat(self) -> None:
        ring = self._ring
        if ring is not None:
            ring.beat()

    def _clean(self, limit: int | None = None) -> None:
        """Recover what killed processes left, and delete what is too much; once a minute, whoever does it."""
        self._rotated = False
        try:
            if not self.spool.due(CLEAN_EVERY):
                return
            self.spool.recover(limit, self._notices)
            swept = self.spool.sweep()
        except (OSError, BluerockError):
            return  # the next one tries again
        if swept.files:
            with self._lock:
                self._losses.add("retention", swept.events, swept.bytes)

    # -- life

    def open(self) -> bool:
        """Make the ring now. False where there is none to be had; then ``emit`` drops, and tries again now and then."""
        try:
            self.check_process()
            return bool(self._enter(self._open))
        except Exception as exc:
            _guard.swallow("recorder.open", exc)
            return False

    def _open(self) -> bool:
        with self._lock:
            if (self._ring or self._open_ring()) is None:
                return False
        # Where every process is killed nobody comes to clean up: then those that start do, a little each.
        if len(self.spool.rings()) > _CROWDED:
            self.spool.recover(_FEW, self._notices)
            self._clean(_FEW)
        return True

    def check_process(self) -> None:
        """After a fork made in C: become this process's recorder. Costs nothing else."""
        if not _word[0]:
            _forkpage.new_process()

    def want_thread(self) -> None:
        """Work has begun that is worth a thread; the next event starts it."""
        self._wanted = True
        ring = self._ring
        if ring is not None:
            ring.main.soft = -1

    def wake(self) -> None:
        """Drain soon."""
        self.want_thread()
        try:
            self._enter(self._wake)
        except Exception as exc:
            _guard.swallow("recorder.wake", exc)

    def _wake(self) -> None:
        with self._lock:
            if self._ring is not None and self._ring.state == _layout.MAPPED:
                self._steer(self._ring)

    def drain(self) -> int:
        """Write what is in the ring to the spool now. How many events; 0 also where the disk refuses."""
        try:
            self.check_process()
            return self._enter(self._drain) or 0
        except Exception as exc:
            _guard.swallow("recorder.drain", exc)
            return 0

    def close(self) -> None:
        """At exit: join the thread, write everything out, and leave no ring behind where that worked.

        What is emitted later (a late ``__del__``) makes a new ring, which is left for a recovery.
        """
        try:
            self.check_process()
            self._closed = True
            thread, self._thread = self._thread, None
            if thread is not None:
                thread.stop()
            self._enter(self._finish)
        except Exception as exc:
            _guard.swallow("recorder.close", exc)

    def _finish(self) -> None:
        self._drain_again = 0.0
        while self._drain():
            pass
        if self._ring is not None:
            self._clean(_FEW)
            self._drain()
        with self._lock:
            ring = self._ring
            if ring is None or not ring.drained() or (self._notices is not None and self._losses.pending):
                return
            with self.spool.rings_directory() as directory:
                directory.unlink(ring.name)
            self._put = _refuse
            self._ring = None
            ring.abandon()

    def counts(self) -> Counts:
        """What happened so far, in this process."""
        return self._enter(self._count) or self._counts

    def _count(self) -> Counts:
        counts = Counts()
        with self._drain_lock, self._lock:
            for name in Counts.__slots__:
                setattr(counts, name, getattr(self._counts, name))
            counts.events, counts.bytes = counts.written, counts.written_bytes
            if self._ring is not None and self._ring.state == _layout.MAPPED:
                waiting = Batch(self._ring, self._ring.main.tail, self._ring.nested.tail)
                counts.events += len(waiting.lines)
                counts.bytes += waiting.bytes
        return counts

    # -- forks, as told by ring._forkpage

    def before_fork(self) -> None:
        """No lock is taken here: this thread may hold it, further up its stack."""
        self._forking = True
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def after_fork(self) -> None:
        """In the parent: the thread comes back with the next event, after Python has counted threads."""
        self._forking = False
        ring = self._ring
        if ring is not None:
            ring.main.soft = -1

    def abandon(self) -> None:
        """In the child: the locks, the thread, the ring are the parent's."""
        # This thread goes on where it was, also if that is inside a call of ours that a signal handler interrupted.
        self.inside.intersection_update((_get_ident(),))
        ring = self._ring
        if ring is not None:
            ring.abandon()
        self._forking = False
        self._thread = None
        self._begin()

    def started(self) -> None:
        """In the child, when everything is new."""
        if self._on_new_process is not None:
            try:
                self._on_new_process()
            except Exception as exc:
                _guard.swallow("recorder.on_new_process", exc)


def _refuse(_line: bytes) -> bool:
    return False
