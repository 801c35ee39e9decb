"""The thread that drains.

It exists only while there is work it was asked for, imports nothing, and is joined before every fork and at exit: a
thread that is alive when the interpreter ends crashes the host, and one alive at a fork makes Python 3.12+ warn. A fork
made in C tells nobody, and the child may wait for ever for a thread that wanted the GIL just then: an idle one ends.
"""

from __future__ import annotations

from .. import _clock, _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
