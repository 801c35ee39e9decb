"""Time as the events carry it: wall clock for people, monotonic for durations, boot ticks for identity."""

from __future__ import annotations

from _functools import partial  # type: ignore[import-not-found]
from time import CLOCK_BOOTTIME, clock_gettime_ns

from . import _guard, _proc, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_second = (-1, "")  # the last one that was asked for, and its text: events come in bursts
_MOST_THREADS = 64  # of a process that are looked at

TICK_NS = 1_000_000_000 // _stdlib.sysconf("SC_CLK_TCK")
"""A process made ``ns`` nanoseconds after boot has the start tick ``ns // TICK_NS``."""

since_boot_ns: Callable[[], int] = partial(clock_gettime_ns, CLOCK_BOOTTIME)
"""Nanoseconds since boot, suspended time included; the same in every container of a machine."""


def pause(seconds: float) -> None:
    """Sleep, where that can be done: with a library between Python and the clocks (libfaketime) it may fail."""
    try:
        _stdlib.sleep(seconds)
    except OSError as exc:
        _guard.give_back(exc)


def utc_text(ns: int) -> str:
    """RFC 3339 text, microseconds, UTC, of ``ns`` nanoseconds since the epoch (without importing ``datetime``)."""
    global _second
    seconds, rest = divmod(ns, 1_000_000_000)
    known, text = _second
    if seconds != known:
        t = _stdlib.gmtime(seconds)
        text = f"{t.tm_year:04d}-{t.tm_mon:02d}-{t.tm_mday:02d}T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
        _second = seconds, text
    return f"{text}.{rest // 1000:06d}Z"


def process_ticks(pid: int) -> tuple[int, int]:
    """Parent pid and start tick of a process, ``(0, 0)`` where ``/proc`` does not say and for one that has ended.

    A pid alone names no process: numbers are reused. Pid and start tick together do, within one boot and one pid
    namespace.
    """
    fields = _stat(pid)
    try:
        # Ended, and nobody has asked for its status: the first process of a container often never does. A process whose
        # first thread has ended looks the same, but for its threads.
        if fields[0] in (b"Z", b"X") and int(fields[17]) <= 1:
            return 0, 0
        return int(fields[1]), int(fields[19])
    except (IndexError, ValueError):
        return 0, 0


def children_of_thread() -> frozenset[bytes]:
    """Pids of the children that this thread has made; empty where the kernel keeps no such list."""
    return frozenset(_proc.content("/proc/thread-self/children").split())


def start_tick(pid: int) -> int:
    """Start tick of a child, also of one that has ended and whose status nobody has asked for; 0 where unknown.

    The kernel takes some 80 us to answer. Where the call that made the child began and ended within one tick, the
    caller knows it anyway.
    """
    try:
        return int(_stat(pid)[19])
    except (IndexError, ValueError):
        return 0


def ancestors(pid: int, limit: int = 16) -> list[tuple[int, int, int]]:
    """``(pid, start tick, thread)`` of the parents of ``pid``, nearest first, at most ``limit``.

    ``thread`` is the kernel's id of the thread that made the process before it in the list (a parent that waits in
    ``os.system`` does not know the pid of what it waits for); 0 where there is only one, or that cannot be seen.
    """
    chain: list[tuple[int, int, int]] = []
    child, parent = pid, process_ticks(pid)[0]
    while parent > 0 and len(chain) < limit:
        grandparent, start = process_ticks(parent)
        if not start:
            break
        chain.append((parent, start, _maker(parent, child)))
        child, parent = parent, grandparent
    return chain


def _maker(parent: int, child: int) -> int:
    """The thread of ``parent`` that made ``child``."""
    try:
        threads = _stdlib.listdir(f"/proc/{parent}/task")
    except OSError as exc:
        _guard.give_back(exc)
        return 0
    if not 1 < len(threads) <= _MOST_THREADS:
        return 0
    name = str(child).encode()
    for thread in threads:
        if name in _proc.content(f"/proc/{parent}/task/{thread}/children").split():
            return int(thread)
    return 0


def _stat(pid: int) -> list[bytes]:
    """``/proc/<pid>/stat`` from the state on, the third field of proc(5); empty where it cannot be read."""
    text = _proc.content(f"/proc/{pid}/stat")
    # The command name may hold spaces and parentheses: fields are counted from the last ")".
    return text[text.rfind(b")") + 2 :].split()
