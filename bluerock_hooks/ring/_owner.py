"""Who owns a ring, and does that process still live? A pid alone does not say: numbers are reused, and equal in two
containers."""

from __future__ import annotations

from .. import _clock, _guard, _proc, _stdlib
from ._layout import WRITTEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from ._reading import RingContents

    OwnerState = Literal["alive", "dead", "unknown"]

_cache: dict[str, bytes] = {}


def boot_id() -> bytes:
    """16 random bytes of this boot of this machine, zeros where ``/proc`` does not say."""
    if "boot" not in _cache:
        _cache["boot"] = _read_boot_id()
    return _cache["boot"]


def pid_namespace() -> int:
    """Inode of this process's pid namespace, 0 where unknown."""
    try:
        return _stdlib.stat("/proc/self/ns/pid").st_ino
    except OSError as exc:
        _guard.give_back(exc)
        return 0


def owner_state(contents: RingContents) -> OwnerState:
    """Is the process that owns this ring alive, dead, or out of our sight (another machine, another pid namespace)?"""
    if contents.boot != boot_id():
        # Written before this machine's boot: nobody can be left. Else the file may be shared with another machine.
        booted = _stdlib.time_ns() - _clock.since_boot_ns()
        return "dead" if contents.mtime_ns < booted else "unknown"
    if contents.pidns != pid_namespace() or not contents.start:
        return "unknown"
    start = _clock.process_ticks(contents.pid)[1]
    if not start and not _clock.process_ticks(_stdlib.getpid())[1]:
        return "unknown"  # no /proc to look at
    if start != contents.start:
        return "dead"
    if contents.pid == _stdlib.getpid() and contents.state != WRITTEN and not _mapped_here(contents.stem):
        return "dead"  # this process became another program (exec): pid and start stayed
    return "alive"


def _mapped_here(stem: str) -> bool:
    """Does this process, in any of its interpreters, still map the ring? True where that cannot be told."""
    maps = _proc.content("/proc/self/maps")
    return not maps or f"/{stem}.ring".encode() in maps


def _read_boot_id() -> bytes:
    try:
        return bytes.fromhex(_proc.content("/proc/sys/kernel/random/boot_id").decode("ascii").strip().replace("-", ""))
    except ValueError:
        return bytes(16)
