"""Takes encoded events from the hooks and puts them where they outlive the process; the drain moves them on.

``emit`` is what the host pays: it copies the line into the ring and commits it, without a system call, a wait or
letting go of the GIL. All else happens in ``_slow``, in the drain thread, or at exit.

A thread that is in our code is in ``inside``, from before it takes a lock until after it has given it back: what it
emits then (a signal handler, a finaliser, an audit hook) goes to the nested region and waits for nobody; where that has
no room it is parked, in memory, until there is some. Locks are plain ones of ``_thread``: eventlet finds RLocks through
gc and swaps them for its own.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]

from . import _guard, _stdlib
from .drain import TICK, Completion, Counts, Drain, Draining, Outside, holds
from .errors import BluerockError
from .ring import _forkpage, _layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .ring import Ring
    from .ring._recovery import Notices
    from .spool import Spool

    T = TypeVar("T")

__all__ = ["Counts", "Recorder"]

_PARKED = 1024  # lines of nested calls that wait for room at most
_CROWDED = 32  # ring files that make a starting process recover some
_FEW = 4

_word = _forkpage.word
_get_ident = _stdlib.get_ident


class Recorder:
    """One per process. No method raises an error of ours.

    ``preamble()`` gives the lines every process begins with. ``notice(text)`` is told once of each kind of trouble.
    ``notices`` gives lines that tell readers of losses; it is asked before the batch that follows one, and with no loss
    when the guard has caught something new. ``on_new_process()`` is called in a forked
    child before anything else of ours happens there. ``completion`` completes what is marked in the ring. ``thread``: a
    drain thread may be started.
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
        completion: Completion | None = None,
        thread: bool = True,
        tick: float = TICK,
    ) -> None:
        self.spool = spool
        self.inside: set[int] = set()
        """Idents of the threads that are in our code just now: what they do to files is not the host's doing."""
        self._ring_bytes = ring_bytes
        self._outside = Outside(preamble, notice, notices)
        self._completion = completion or Completion()
        self._on_new_process = on_new_process
        self._draining = Draining(self._enter, tick, allowed=thread)
        self._begin(mode)
        _forkpage.enlist(self)

    def _begin(self, mode: str) -> None:
        """The state of a process that has recorded nothing yet."""
        self._drain = Drain(self.spool, self._outside, self._completion, self._ring_bytes, mode)
        self._parked: deque[bytes] = deque()
        self._refused: dict[tuple[int, str], list[int]] = {}  # events and bytes by thread and reason, not counted yet
        self._draining.begin(self._drain)

    @property
    def mode(self) -> str:
        """``mmap``, or ``write`` where it was asked for or nothing can be mapped."""
        return self._drain.mode

    # -- the hot path

    def way_in(self) -> Drain:
        """Whose ``put`` takes an event as ``emit`` does, or refuses it. A forked child has another one."""
        return self._drain

    def emit(self, line: bytes) -> bool:
        """Record one event, a JSON object without newline. False where it was dropped, which is counted."""
        try:
            if _word[0] and self._drain.put(line):
                return True
        except Exception as exc:
            self._lose("error", line)
            _guard.swallow("recorder.emit", exc)
            return False
        return self._emit(line)

    def _emit(self, line: bytes) -> bool:
        done = False
        drain = self._drain
        try:
            if not _word[0]:
                _forkpage.new_process()
                drain = self._drain
            me = _get_ident()
            if me in self.inside:
                return self._nested(line)
            try:
                self.inside.add(me)
                done = self._slow(line)
            finally:
                self.inside.discard(me)
            if self._parked or self._refused:
                self._catch_up()
        except Exception as exc:
            if drain is not self._drain:
                # A signal handler forked, and the interrupted call goes on here in the child: its ring is the parent's,
                # every store into it fails, and the parent records the event.
                _guard.give_back(exc)
                return False
            if not done:
                self._lose("error", line)
            _guard.swallow("recorder.emit", exc)
        return done

    def failed(self, place: str, exc: Exception) -> None:
        """An event could not be made: count it as lost, and the error. Raises what is the host's again."""
        try:
            _guard.swallow(place, exc)
        finally:
            self._lose("error", None)

    def _nested(self, line: bytes) -> bool:
        drain = self._drain
        if _stdlib.acquire(drain.nested_lock, False):
            try:
                ring = drain.ring
                mapped = ring is not None and ring.state == _layout.MAPPED
                if ring is not None and mapped and (ring.nested.put(line) or ring.nested.place(line)):
                    return True
            finally:
                drain.nested_lock.release()
        if line and len(self._parked) < _PARKED and not drain.hopeless(line):
            self._parked.append(line)  # nested twice, or no room: it is written as soon as there is
            return True
        self._refuse(drain.reason(line), line)
        return False

    def _refuse(self, reason: str, line: object) -> None:
        """A loss in a nested call, which waits for no lock: counted when the call that it interrupted is done."""
        size = len(line) if type(line) is bytes else 0
        refused = self._refused.setdefault((_get_ident(), reason), [0, 0])
        refused[0] += 1
        refused[1] += size

    def _enter(self, work: Callable[..., T], *arguments: object) -> T | None:
        """Run ``work`` as a thread that is in our code, then what nested calls left; None if it is there already."""
        done = self._within(work, *arguments)
        if self._parked or self._refused:
            self._catch_up()
        return done

    def _within(self, work: Callable[..., T], *arguments: object) -> T | None:
        me = _get_ident()
        if me in self.inside:
            return None
        try:
            self.inside.add(me)
            return work(*arguments)
        finally:
            self.inside.discard(me)

    def _catch_up(self) -> None:
        """Count and write what nested calls left, as far as there is room; more may come meanwhile."""
        while self._within(self._settle):
            pass

    def _settle(self) -> bool:
        """One line that was parked, and the losses. False where there is no more, or the rest has to wait."""
        drain, parked = self._drain, self._parked
        with drain.lock:
            for thread, reason in list(self._refused):
                if thread == _get_ident() or thread not in self.inside:  # else its nested call may be adding to it
                    events, size = self._refused.pop((thread, reason))
                    drain.drop(reason, size, events)
            if not parked:
                return False
            ring = drain.open()
            placed = ring is not None and self._place_parked(drain, ring, parked)
        return placed or self._draining.make_room(drain, wait=False)

    def _place_parked(self, drain: Drain, ring: Ring, parked: deque[bytes]) -> bool:
        line, before = parked[0], (ring.segment, ring.segment_bytes)
        try:
            placed = drain.place(line)
        except BaseException:  # the host's, from a signal handler: before the line was in, or after?
            if holds(ring, line) or before != (ring.segment, ring.segment_bytes):
                del parked[0]
            raise
        if placed:
            del parked[0]  # no call, so that no exception comes between
            self._draining.steer(ring)
        return placed

    # -- everything unusual; the caller is inside, and holds no lock

    def _slow(self, line: bytes) -> bool:
        drain = self._drain
        for _ in range(3):
            with drain.lock:
                ring = drain.open()
                placed = ring is not None and drain.place(line)
                hurried = ring is not None and placed and self._draining.steer(ring)
            if hurried:
                self._draining.let_in(drain)
            if placed:
                if drain.rotated and drain.mode == "write":
                    drain.clean()
                return True
            if drain.reason(line) != "ring_full" or not self._draining.make_room(drain):
                break
        if drain is self._drain:  # else a signal handler forked: in the child it is no loss, the parent records it
            self._drop(drain.reason(line), line)
        return False

    def _lose(self, reason: str, line: object) -> None:
        """Count a lost event, ``line`` if there is one."""
        if not self._enter(self._drop, reason, line):
            self._refuse(reason, line)

    def _drop(self, reason: str, line: object) -> bool:
        drain = self._drain
        with drain.lock:
            drain.drop(reason, len(line) if type(line) is bytes else 0)
        return True

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
        drain = self._drain
        with drain.lock:
            if drain.open() is None:
                return False
        # Where every process is killed, nobody comes to clean up: then those that start do, a little each.
        if len(self.spool.rings()) > _CROWDED:
            self.spool.recover(_FEW, self._outside.notices)
            drain.clean(_FEW)
        return True

    def check_process(self) -> None:
        """After a fork made in C: become this process's recorder. Costs 20 ns otherwise."""
        if not _word[0]:
            _forkpage.new_process()

    def want_thread(self) -> None:
        """Work has begun that is worth a thread; the next event starts it."""
        self._draining.want()

    def serving(self) -> None:
        """This process is about to start another one on behalf of a request: its sensor will look for that."""
        try:
            self._enter(self._drain.serving)
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)  # the ring cannot be written: neither can what the child would add to

    def drain(self) -> int:
        """Write what is in the ring to the spool now. How many events; 0 also where the disk refuses."""
        try:
            self.check_process()
            return self._enter(self._drain.move) or 0
        except Exception as exc:
            _guard.swallow("recorder.drain", exc)
            return 0

    def close(self, farewell: Callable[[], None] | None = None) -> None:
        """At exit: join the thread, write everything out, and leave no ring behind where that worked.

        ``farewell()`` emits the last event, when the others are complete. What is emitted later still (a late
        ``__del__``) makes a new ring, which is left for a recovery.
        """
        try:
            self.check_process()
            joined = self._draining.close()
            if joined:
                self._enter(self._drain.flush)
            self._catch_up()
            self._enter(self._write_off)
            if farewell is not None:
                farewell()
            if joined:
                self._enter(self._drain.finish)
            # Else the disk holds the thread up; it is not to hold up the exit, and the ring keeps what there is.
        except Exception as exc:
            _guard.swallow("recorder.close", exc)

    def _write_off(self) -> None:
        """What is still parked finds no room any more."""
        drain = self._drain
        with drain.lock:
            while self._parked:
                line = self._parked.popleft()
                drain.drop(drain.reason(line), len(line))

    def counts(self) -> Counts:
        """What happened so far, in this process."""
        return self._enter(self._drain.counts) or self._drain.totals

    # -- forks, as told by ring._forkpage

    def before_fork(self) -> None:
        """No lock is taken here: this thread may hold it, further up its stack."""
        self._draining.pause()

    def after_fork(self) -> None:
        """In the parent: the thread comes back with the next event, after Python has counted threads."""
        self._draining.resume()

    def abandon(self) -> None:
        """In the child: the locks, the thread, the ring are the parent's."""
        # This thread goes on where it was, also if that is inside a call of ours that a signal handler interrupted.
        self.inside.intersection_update((_get_ident(),))
        self._drain.abandon()
        self._begin(self._drain.mode)

    def started(self) -> None:
        """In the child, when everything is new."""
        if self._on_new_process is not None:
            try:
                self._on_new_process()
            except Exception as exc:
                _guard.swallow("recorder.on_new_process", exc)
