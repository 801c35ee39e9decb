"""Who empties the ring: a thread, or whoever fills it.

The thread exists only while there is work it was asked for, imports nothing, and is joined before every fork and at
exit: a thread that is alive when the interpreter ends crashes the host, and one alive at a fork makes Python 3.12+
warn. A fork made in C tells nobody, and the child may wait for ever for a thread that wanted the GIL just then: an idle
one ends.
"""

from __future__ import annotations

from .. import _clock, _guard, _stdlib
from ..ring import _layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ring import Ring
    from . import Drain

# Seconds an event waits in the ring while a drain thread runs. Events are safe there, and our readers see them there at
# once; but a turn of the thread costs a busy host (see let_in): 75 us a tool call with a turn every 50 ms.
TICK = 1.0
_WAIT_FOR_DRAIN = 0.5  # seconds an emitter lets another thread's write go on when the ring is full
RETRY_DRAIN = 1.0  # seconds between two attempts to write to a spool that refuses
_YIELD, _YIELDS = 0.0001, 40  # seconds an emitter steps aside for a thread that has to hurry, and how often

IDLE = 10.0  # seconds without an event after which the thread ends, to be started by the next


class DrainThread:
    """Calls ``work`` while there is work, and sleeps when there is none.

    ``work()`` gives the seconds to wait before the next call, None to sleep until ``wake``. ``rests()`` is called now
    and then while asleep: may it end? RuntimeError (at interpreter shutdown), or another, where no thread can be had.
    """

    __slots__ = ("_first_wait", "_hurried", "_joined", "_quit", "_rests", "_tid", "_wake", "_work", "awake", "ended")

    def __init__(self, work: Callable[[], float | None], rests: Callable[[], bool], first_wait: float) -> None:
        self._work = work
        self._rests = rests
        self._first_wait = first_wait
        self.awake = True
        self._hurried = False
        self._quit = False
        self._tid = 0
        self.ended = False
        self._wake, self._joined = _stdlib.allocate_lock(), _stdlib.allocate_lock()
        _stdlib.acquire(self._wake)
        _stdlib.acquire(self._joined)
        _stdlib.start_new_thread(self._run, ())

    def wake(self) -> None:
        """There is work: see to it when the wait is over. Wants the recorder's lock."""
        if not self.awake:
            self.awake = True
            _release(self._wake)

    def hurry(self) -> None:
        """The ring fills up: do not wait. Wants the recorder's lock."""
        if not self._hurried:
            self.awake = self._hurried = True
            _release(self._wake)

    def sleeps(self) -> None:
        """``work`` is about to give None. Wants the recorder's lock, so that no ``wake`` comes between."""
        self.awake = False

    def stop(self, timeout: float = 1.0, *, last_turn: bool = False) -> bool:
        """End the thread and wait until the kernel has forgotten it, too: 3.12's fork warning counts kernel threads.

        ``last_turn``: it works once more before. False where it could not be joined in ``timeout`` seconds.
        """
        self._hurried = last_turn
        self._quit = True
        _release(self._wake)
        if not _stdlib.acquire(self._joined, True, timeout):
            return False
        for _ in range(100):
            try:
                _stdlib.stat(f"/proc/self/task/{self._tid}")
            except OSError as exc:
                _guard.give_back(exc)
                break
            _clock.pause(0.0001)
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
            woken = _stdlib.acquire(self._wake, True, IDLE if wait is None else wait)
            if self._quit:
                if self._hurried:
                    self._work()
                return
            if wait is None and not woken:
                if self._rests():
                    return
            elif wait is None and not self._hurried:
                wait = self._first_wait
            else:
                self._hurried = False
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


class Draining:
    """Keeps the ring from filling up: by the drain thread, or, where there is none, in the thread that fills it.

    ``enter(work)`` runs ``work`` as a thread that is in our code. A fork leaves nothing of it but what was asked for.
    """

    __slots__ = ("_allowed", "_closed", "_drain", "_enter", "_forking", "_tick", "_wanted", "thread")

    def __init__(self, enter: Callable[[Callable[[], Any]], Any], tick: float, *, allowed: bool) -> None:
        self._enter = enter
        self._tick = tick
        self._allowed = allowed
        self._wanted = False
        self._closed = False

    def begin(self, drain: Drain) -> None:
        """In a new process: there is no thread."""
        self._drain = drain
        self.thread: DrainThread | None = None
        self._forking = False

    def want(self) -> None:
        """The next event starts the thread."""
        self._wanted = True
        self._interrupt_fast_way()

    def pause(self) -> None:
        """No thread until ``resume``. No lock is taken."""
        self._forking = True
        self._stop()

    def resume(self) -> None:
        """The thread comes back with the next event."""
        self._forking = False
        self._interrupt_fast_way()

    def close(self) -> bool:
        """No thread any more; it takes a last turn. False where it hangs."""
        self._closed = True
        return self._stop(last_turn=True)

    def _stop(self, *, last_turn: bool = False) -> bool:
        thread, self.thread = self.thread, None
        return thread is None or thread.stop(last_turn=last_turn)

    def _interrupt_fast_way(self) -> None:
        """Have the next event look at the thread. One store, so that no lock is needed."""
        ring = self._drain.ring
        if ring is not None:
            ring.main.soft = -1

    # -- in an emitter

    def make_room(self, drain: Drain, *, wait: bool = True) -> bool:
        """Have the ring's events written out, by the drain thread or in its place. False where that cannot be now.

        ``wait``: the thread may be waited for.
        """
        before = drain.totals.written
        waited = 0.0
        if _stdlib.monotonic() < drain.not_before:
            return False
        thread = self.thread
        if thread is not None:
            # It is the thread's work to write, and to hang where the disk does.
            with drain.lock:
                thread.hurry()
        if not wait and (
            drain.drain_lock.locked() or not (thread is None or thread.ended or drain.cleaning)
        ):  # who writes sees to what is parked then
            return False
        # A fork, in a signal handler just now, ends the thread.
        while drain.drain_lock.locked() or (
            thread is not None
            and thread is self.thread
            and not (thread.ended or drain.cleaning)
            and drain.totals.written == before
        ):
            if waited >= _WAIT_FOR_DRAIN:
                drain.not_before = _stdlib.monotonic() + RETRY_DRAIN  # a stalled disk: the host does not wait for it
                return False
            _clock.pause(0.001)
            waited += 0.001
        return drain.move() > 0 or drain.totals.written > before

    def let_in(self, drain: Drain) -> None:
        """Step aside for the drain thread, a few milliseconds at most in hundreds of events.

        An event loop without a pause gives the GIL up for a microsecond around each poll. That wakes a thread that
        waits for it every time, and every time too late; and as it is woken, it never waits the 5 ms after which it
        may ask for the GIL. A turn took 100 ms so, and the wake-ups cost the host a quarter of its speed.
        """
        thread, before = self.thread, drain.totals.written
        for _ in range(_YIELDS):
            if thread is None or thread is not self.thread or thread.ended or drain.totals.written != before:
                return
            _clock.pause(_YIELD)

    def steer(self, ring: Ring) -> bool:
        """Start or wake the drain thread where there is work for it, and say how far ``put`` may go by itself.

        True where the thread has to hurry. Wants the drain's lock.
        """
        if ring.state != _layout.MAPPED:
            return False
        main = ring.main
        full = main.head + main.capacity
        if self.thread is not None and self.thread.ended:
            self._stop()
        # Only where it was asked for: a server's master process that forks workers in C must have none, however much it
        # imports. Without it, who fills the ring empties it.
        if self.thread is None and self._wanted and self._allowed and not (self._closed or self._forking):
            self._start()
        if self.thread is not None:
            half = main.head + (main.capacity >> 1)
            if main.tail <= half:
                self.thread.wake()
                main.limit(half)
                return False
            self.thread.hurry()
            main.limit(full)
            return True
        main.limit(full)
        return False

    def _start(self) -> None:
        try:
            self.thread = DrainThread(self._work, self._rests, self._tick)
        except Exception as exc:  # at shutdown, at the limit of threads, in a sub-interpreter: emitters drain then
            self._allowed = False
            if _guard.is_host_exception(exc):
                raise

    # -- in the thread

    def _work(self) -> float | None:
        """One turn; how long the thread may sleep then."""
        wait: float | None = self._enter(self._turn)
        return wait

    def _turn(self) -> float | None:
        drain = self._drain
        try:
            moved = drain.move()
            if drain.rotated:
                drain.clean()
        except Exception as exc:
            _guard.swallow("recorder.drain", exc)
            return RETRY_DRAIN
        if drain.not_before:
            return RETRY_DRAIN
        with drain.lock:
            ring, thread = drain.ring, self.thread
            if ring is not None:
                # From here on the next event takes the thorough way, and wakes the thread; before the look, or one that
                # comes the fast way between look and sleep would wait there.
                ring.main.limit(0)
                if moved or not ring.drained():
                    # More may come: to be woken for each first event would cost the host more than a look now and then.
                    ring.main.limit(ring.main.head + (ring.main.capacity >> 1))
                    return self._tick
            if thread is not None:
                thread.sleeps()
            return None

    def _rests(self) -> bool:
        """The thread is idle: may it end?"""
        return bool(self._enter(self._let_go))

    def _let_go(self) -> bool:
        drain = self._drain
        with drain.lock:
            ring, thread = drain.ring, self.thread
            if ring is not None and not ring.words[_layout.W_LOCKED]:
                ring.beat()  # where files have no locks, this alone says that we live
                return False
            if thread is not None:
                thread.ended = not thread.awake  # the next event starts another
            return thread is None or thread.ended
