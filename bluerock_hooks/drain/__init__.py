"""From the ring to the segments: the ring this process has now, and what moves its events on.

``lock`` guards ring and tail and is held for microseconds. ``drain_lock`` is held while a batch is written, and is
taken first. A batch is read and written under the second alone: emitters go on meanwhile. ``nested_lock`` guards the
ring's nested region and is taken last; nested calls do not wait for it.
"""

from __future__ import annotations

import sys

from .. import _guard, _stdlib
from ..errors import BluerockError, explain
from ..ring import Ring, _layout
from ._accounts import Counts, Losses
from ._batch import Batch, holds, write
from ._completion import Completion
from ._outside import Outside
from ._thread import RETRY_DRAIN, TICK, Draining

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..spool import Spool
    from ._outside import Told

__all__ = ["TICK", "Batch", "Completion", "Counts", "Drain", "Draining", "Outside", "holds"]

# The fast way into the ring is one step to all other threads, as long as there is a GIL.
_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()

RETRY_OPEN = 30.0  # seconds between two attempts to get a ring
_LAST_BATCHES = 4
CLEAN_EVERY = 60.0  # seconds between two recoveries and sweeps, of all processes together


class Drain:
    """The ring of one process and the way out of it. A forked child makes one anew.

    Its methods want the caller to be inside (``Recorder.inside``); those that say so want ``lock``, the others take it.
    """

    def __init__(self, spool: Spool, outside: Outside, completion: Completion, ring_bytes: int, mode: str) -> None:
        self.spool = spool
        self.outside = outside
        self._completion = completion
        self.mode = mode
        self.lock = _stdlib.allocate_lock()
        self.drain_lock = _stdlib.allocate_lock()
        self.nested_lock = _stdlib.allocate_lock()
        self.ring: Ring | None = None
        self.put: Callable[[bytes], bool] = _refuse
        """The ring's fast way in; it wants no lock."""
        self.totals = Counts()
        self.losses = Losses()
        self.not_before = 0.0
        """The spool refused: no use to write before this time (``monotonic``)."""
        self.rotated = False
        self.cleaning = False
        """The drain thread is busy with other things than this process's events."""
        self._unswept_from = 0
        self._serving = False
        self._ring_bytes = ring_bytes
        self._open_not_before = 0.0
        self._introduced = False
        self._suspicious = False

    # -- the ring

    def open(self) -> Ring | None:
        """The ring, made if there is none; None where there is none to be had now. Wants the lock."""
        if self.ring is not None:
            return self.ring
        now = _stdlib.monotonic()
        if now < self._open_not_before:
            return None
        try:
            self.spool.prepare()
            with self.spool.rings_directory() as directory:
                ring = Ring.make(directory, self._ring_bytes if self.mode == "mmap" else 0)
            if self._serving:
                ring.serve(self.spool.rings_directory)
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            self._open_not_before = now + RETRY_OPEN
            self.outside.tell("open", str(explain(self.spool.path, exc)))
            return None
        if ring.state != _layout.MAPPED:
            self.mode = "write"
        ring.start_with(self.losses.own, self.losses.reported)
        self.ring = ring
        self._account()
        if not self._introduced:
            self._introduced = True
            for line in self.outside.first_lines():
                if not self.place(line):
                    self.drop(self.reason(line), len(line))
        if ring.state == _layout.MAPPED and _GIL:
            self.put = ring.main.put  # not before: what every process begins with comes first
        return ring

    def serving(self) -> None:
        """From now on the ring says that its owner starts processes on behalf of requests. OSError, BluerockError."""
        self._serving = True
        if self.ring is not None:
            self.ring.serve(self.spool.rings_directory)

    def place(self, line: bytes) -> bool:
        """Into the ring, or, where nothing can be mapped, into the segment at once. Wants the lock and a ring."""
        ring = self.ring
        if ring is None:
            return False
        if ring.state == _layout.MAPPED:
            return len(line) <= ring.largest and ring.main.place(line)
        if _stdlib.monotonic() < self.not_before:
            return False
        told, notices = self.outside.loss_lines(self.losses)
        complete = self._completion.lines([line])
        try:
            number, size = write(self.spool, ring, complete + notices)
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            self._refused(exc)
            return False
        self.rotated = self.rotated or number != ring.segment
        ring.segment, ring.segment_bytes = number, size
        self.totals.written += 1 + len(notices)
        self.totals.written_bytes += sum(map(len, complete + notices))
        self._completion.forget()
        self.losses.settle(told)
        self.outside.told()
        return True

    def reason(self, line: bytes) -> str:
        """Why there is no place for a line."""
        ring = self.ring
        if ring is None or ring.state != _layout.MAPPED:
            return "spool"
        return "oversize" if len(line) > ring.largest else "ring_full"

    def hopeless(self, line: bytes) -> bool:
        """Will there be no place for a line soon? It is too long, or nothing is free and the spool refuses just now."""
        ring, now = self.ring, _stdlib.monotonic()
        if ring is None:
            return now < self._open_not_before or (self.mode == "mmap" and len(line) > self._ring_bytes >> 2)
        if ring.state != _layout.MAPPED:
            return now < self.not_before
        main = ring.main
        full = main.head + main.capacity < main.tail + len(line) + 32
        return len(line) > ring.largest or (full and now < self.not_before)

    def drop(self, reason: str, size: int, events: int = 1) -> None:
        """Count lost events. Wants the lock."""
        self.totals.dropped += events
        self.totals.dropped_bytes += size
        self.losses.add(reason, events, size)
        if self.ring is not None:
            self.ring.lose(reason, size, events)

    def _account(self) -> None:
        if self.ring is not None:
            self.ring.account(self.totals.written, self.losses.counts, self.losses.untold())

    def _let_go(self) -> None:
        ring, self.ring = self.ring, None
        self.put = _refuse
        if ring is not None:
            ring.abandon()

    # -- moving on

    def move(self) -> int:
        """Write one batch: everything that is in the ring now. How many events."""
        with self.drain_lock:
            if self.ring is not None:
                self._completion.begin()
            with self.lock:
                ring = self._usable()
                if ring is None:
                    return 0
                ends = ring.main.tail, ring.nested.tail
            told, notices = self.outside.loss_lines(self.losses)
            batch = Batch(ring, *ends)
            batch.lines = self._completion.lines(batch.lines)
            segment = ring.segment, ring.segment_bytes
            lines = batch.lines + notices
            if lines:
                try:
                    segment = write(self.spool, ring, lines)
                except (OSError, BluerockError) as exc:
                    _guard.give_back(exc)
                    if self.ring is ring:  # else a signal handler forked meanwhile: this is the child
                        self._refused(exc)
                    return 0
            elif not batch.damaged_bytes:
                return 0
            with self.lock:
                if self.ring is not ring:
                    return 0  # the same: the ring is the parent's
                self._publish(ring, batch, segment, lines, told)
            return len(batch.lines)

    def _publish(self, ring: Ring, batch: Batch, segment: tuple[int, int], lines: list[bytes], told: Told) -> None:
        """The batch's ``lines`` are in the segment: say so, and keep the accounts. Wants the lock."""
        totals, losses = self.totals.copy(), self.losses.copy()
        losses.settle(told)
        totals.written += len(lines)
        totals.written_bytes += sum(map(len, lines))
        before = ring.segment
        rotated = self.rotated or segment[0] != before
        generation = ring.prepare(*batch.ends, *segment, losses.reported)
        # No call from here on: an exception of the host between two of these would have the batch written twice.
        ring.words[_layout.W_GENERATION] = generation
        ring.main.head, ring.nested.head = batch.ends
        ring.segment, ring.segment_bytes = segment
        self.totals, self.losses = totals, losses
        self.rotated = rotated
        # Somebody may have emptied the whole spool: then the segment is a new one, too.
        self._suspicious = self._suspicious or segment[0] != before
        self.not_before = 0.0
        self._completion.forget()
        self.outside.told()
        self._account()
        if batch.damaged_bytes:
            self.drop("damage", batch.damaged_bytes)

    def _usable(self) -> Ring | None:
        """The ring to drain; where ours was taken away, a new one. Wants the lock."""
        ring = self.ring
        if ring is None or ring.state != _layout.MAPPED:
            return None
        safe = ring.claimed() or self._if_gone(ring)
        if safe is None:
            return ring
        with self.nested_lock:
            return self._replace(ring, *safe)

    def _if_gone(self, ring: Ring) -> tuple[int, int] | None:
        """Up to where the ring's records are safe, if its file is not there any more. Wants the lock."""
        if not self._suspicious:
            return None
        try:
            self.spool.prepare()
            self._suspicious = False
            if ring.exists(self.spool.rings_path):
                return None
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            return None
        return ring.main.head, ring.nested.head

    def _replace(self, ring: Ring, head: int, nested_head: int) -> Ring | None:
        """Go on in a new ring with what lies behind the heads; wants the lock and the nested one.

        A recovery took our ring for a dead process's, or somebody removed the file.
        """
        ring.main.limit(0)  # the fast way wants no lock: what came through it so far is in the batch
        ring.main.free(head)
        ring.nested.free(nested_head)
        rest = Batch(ring, ring.main.tail, ring.nested.tail)
        self._let_go()
        new = self.open()
        for line in rest.lines:
            if new is None or not (new.main.place(line) or new.nested.place(line)):
                self.drop("spool", len(line))
        return new

    def _refused(self, exc: Exception) -> None:
        self.not_before = _stdlib.monotonic() + RETRY_DRAIN
        # Was the directory removed? Then the ring may be gone with it.
        self._suspicious = self._suspicious or isinstance(exc, FileNotFoundError)
        waiting = "; until then events wait in the ring, and are dropped when it is full" if self.mode == "mmap" else ""
        self.outside.tell("drain", f"{explain(self.spool.path, exc)}{waiting}")

    # -- around it

    def clean(self, limit: int | None = None) -> None:
        """Recover what killed processes left, and delete what is too much; once a minute, whoever does it.

        Deleted is also what this process alone has made too much meanwhile.
        """
        self.rotated = False
        self.cleaning = True
        try:
            if self.spool.due(CLEAN_EVERY):
                self.spool.recover(limit, self.outside.notices)
            elif self.totals.written_bytes - self._unswept_from < self.spool.spool_bytes >> 4:
                return
            self._unswept_from = self.totals.written_bytes
            swept = self.spool.sweep()
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            return  # whoever is next tries again
        finally:
            self.cleaning = False
        if swept.files:
            with self.lock:
                self.losses.add("retention", swept.events, swept.bytes)
                self._account()

    def flush(self) -> None:
        """Write batches until there is nothing left, a few at most: a thread of the host may never cease to emit."""
        self.not_before = 0.0
        for _ in range(_LAST_BATCHES):
            if not self.move():
                break

    def finish(self) -> None:
        """At exit: write everything out, and leave no ring behind where that worked. OSError, SpoolError."""
        self.flush()
        if self.ring is None:
            return
        self.clean(4)
        self.move()
        with self.lock, self.nested_lock:
            ring = self.ring
            untold = self.outside.notices is not None and self.losses.pending
            if ring is None or untold:
                return
            ring.main.limit(0)  # nothing comes the fast way any more, which wants no lock
            if not ring.drained():
                return
            with self.spool.rings_directory() as directory:
                directory.unlink(ring.name)
            self._let_go()

    def counts(self) -> Counts:
        """What happened so far, with what is in the ring now."""
        with self.lock:  # enough: progress is published under it, and who holds the other may be waiting for the disk
            counts = self.totals.copy()
            counts.events, counts.bytes = counts.written, counts.written_bytes
            counts.lost = dict(self.losses.counts)
            ring = self.ring
            if ring is not None and ring.state == _layout.MAPPED:
                waiting = Batch(ring, ring.main.tail, ring.nested.tail)
                counts.events += len(waiting.lines)
                counts.bytes += sum(map(len, waiting.lines))
        return counts

    def abandon(self) -> None:
        """In a forked child: the ring is the parent's. A call that goes on in the child finds nothing any more."""
        self._let_go()
        self._open_not_before = float("inf")
        self._completion.forget()
        self.outside.told()


def _refuse(_line: bytes) -> bool:
    return False
