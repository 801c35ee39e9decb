"""Time as the events carry it: wall clock for people, monotonic for durations, boot ticks for identity."""

from __future__ import annotations

from . import _stdlib

_second = (-1, "")  # the last one that was asked for, and its text: events come in bursts


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


def start_tick(pid: int) -> int:
    """Start tick of a child, also of one that has ended and whose status nobody has asked for; 0 where unknown."""
    try:
        return int(_stat(pid)[19])
    except (IndexError, ValueError):
        return 0


def _stat(pid: int) -> list[bytes]:
    """``/proc/<pid>/stat`` from the state on, the third field of proc(5); empty where it cannot be read."""
    try:
        fd = _stdlib.open_fd(f"/proc/{pid}/stat", 0x80000)  # O_RDONLY | O_CLOEXEC
    except OSError:
        return []
    try:
        text = _stdlib.read_fd(fd, 4096)
    except OSError:
        return []
    finally:
        _stdlib.close_fd(fd)
    # The command name may hold spaces and parentheses: fields are counted from the last ")".
    return text[text.rfind(b")") + 2 :].split()


def ancestors(pid: int, limit: int = 16) -> list[tuple[int, int]]:
    """``(pid, start tick)`` of the parents of ``pid``, nearest first, at most ``limit``."""
    chain: list[tuple[int, int]] = []
    parent = process_ticks(pid)[0]
    while parent > 0 and len(chain) < limit:
        grandparent, start = process_ticks(parent)
        if not start:
            break
        chain.append((parent, start))
        parent = grandparent
    return chain
