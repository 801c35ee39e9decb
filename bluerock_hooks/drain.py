"""From the ring to the segments: what a batch is, and the thread that moves them.

The thread exists only while there is work it was asked for, imports nothing, and is joined before every fork and at
exit: a thread that is alive when the interpreter ends crashes the host, and one alive at a fork makes 3.12+ warn.
"""

from __future__ import annotations

from . import _guard, _stdlib
from .ring import _layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .ring import Ring
    from .spool import Spool

_HEARTBEAT = 60.0  # seconds between two signs of life of an idle thread


class Batch:
    """Committed records of a ring, taken out in order; the nested region's come last."""

    __slots__ = ("bytes", "damaged_bytes", "ends", "lines")

    def __init__(self, ring: Ring, main_end: int, nested_end: int) -> None:
        """Take what lies before the two ends. No lock is needed: nobody writes there until the batch is committed."""
        self.lines: list[bytes] = []
        self.damaged_bytes = 0
        self.ends = main_end, nested_end
        for region, end in ((ring.main, main_end), (ring.nested, nested_end)):
            found, reached = _layout.records(
                region.words, region.memory, region.base, region.capacity, region.head, end
            )
            self.lines += found
            # Somebody wrote over our mapping. What follows cannot be told apart any more; the ring must not stay stuck.
            self.damaged_bytes += end - reached
        self.bytes = sum(map(len, self.lines))


class Losses:
    """What was lost and no line tells of yet, by reason."""

    __slots__ = ("own", "pending", "reported")

    OWN = ("damage", "error", "ring_full", "spool")  # events of this process; a recovery must be able to tell of them

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
        """These are told now. Wants the recorder's lock."""
        for reason, (events, size) in told.items():
            before = self.pending.pop(reason)
            if before[0] > events:
                self.pending[reason] = before[0] - events, before[1] - size
        self.reported = self.reported_after(told)

    def reported_after(self, told: dict[str, tuple[int, int]]) -> tuple[int, int]:
        """``reported`` as it will be when these are told."""
        events, size = self.reported
        for reason in self.OWN:
            more = told.get(reason, (0, 0))
            events, size = events + more[0], size + more[1]
        return events, size


def write(spool: Spool, ring: Ring, lines: list[bytes]) -> tuple[int, int]:
    """Append ``lines`` to the ring's segments; number and new size of the segment, for ``Ring.commit``.

    OSError, SpoolError; then nothing is written.
    """
    blob = b"\n".join(lines) + b"\n"
    number, offset = ring.segment, ring.segment_bytes
    if offset and offset + len(blob) > spool.segment_bytes:
        number, offset = number + 1, 0
    if not spool.append(ring.stem, number, offset, blob):
        number, offset = number + 1, 0  # somebody deleted or emptied the segment: go on in another
        if not spool.append(ring.stem, number, offset, blob):
            raise FileNotFoundError(2, "No such file or directory", spool.path)
    return number, offset + len(blob)


class DrainThread:
    """Calls ``work`` while there is work, and sleeps for good when there is none.

    ``work()`` gives the seconds to wait before the next call, None to sleep until ``wake``. ``beat()`` is called now
    and then while asleep. RuntimeError (at interpreter shutdown), or another, where no thread can be had.
    """

    __slots__ = ("_awake", "_beat", "_first_wait", "_joined", "_quit", "_stop", "_tid", "_wake", "_work", "ended")

    def __init__(self, work: Callable[[], float | None], beat: Callable[[], None], first_wait: float) -> None:
        self._work = work
        self._beat = beat
        self._first_wait = first_wait
        self._awake = True
        self._quit = False
        self._tid = 0
        self.ended = False
        self._wake, self._stop, self._joined = (_stdlib.allocate_lock() for _ in range(3))
        for lock in (self._wake, self._stop, self._joined):
            lock.acquire()
        _stdlib.start_new_thread(self._run, ())

    def wake(self) -> None:
        """There is work. Wants the recorder's lock."""
        if not self._awake:
            self._awake = True
            _release(self._wake)

    def sleeps(self) -> None:
        """``work`` is about to give None. Wants the recorder's lock, so that no ``wake`` comes between."""
        self._awake = False

    def stop(self, timeout: float = 1.0) -> bool:
        """End the thread and wait until the kernel has forgotten it, too: 3.12's fork warning counts kernel threads."""
        self._quit = True
        _release(self._stop)
        _release(self._wake)
        if not self._joined.acquire(True, timeout):
            return False
        for _ in range(100):
            try:
                _stdlib.stat(f"/proc/self/task/{self._tid}")
            except OSError:
                break
            _stdlib.sleep(0.0001)
        return True

    def _run(self) -> None:
        try:
            self._tid = _stdlib.get_native_id()
            self._loop()
        except BaseException as exc:  # nobody is above us: whatever it is would be printed on the host's stderr
            _count(exc)
        finally:
            self.ended = True
            _release(self._joined)

    def _loop(self) -> None:
        wait: float | None = self._first_wait
        while not self._quit:
            if wait is None:
                if not self._wake.acquire(True, _HEARTBEAT):
                    self._beat()
                    continue
                wait = self._first_wait
            elif self._stop.acquire(True, wait):
                return
            else:
                wait = self._work()


def _release(lock: object) -> None:
    try:
        lock.release()  # type: ignore[attr-defined]
    except RuntimeError:
        return  # released already: it wakes up as it is


def _count(exc: BaseException) -> None:
    try:
        if isinstance(exc, Exception):
            _guard.swallow("drain.thread", exc)
    except Exception:  # the host's, sent to a thread of ours: it has nowhere to go
        return
