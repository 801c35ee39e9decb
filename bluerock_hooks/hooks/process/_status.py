"""Wait statuses: who gives them, in which shape, and what they mean."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from posix import CLD_DUMPED, CLD_EXITED, CLD_KILLED, WEXITSTATUS, WIFSIGNALED, WTERMSIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STOPPED = 0x7F
"""The last seven bits of the status of a process that has only stopped, or goes on."""

_signals: dict[int, str] = {}


def of_waitid(result: Any) -> int:
    """The wait status of what ``waitid`` gives."""
    code, status = result.si_code, result.si_status
    if code == CLD_EXITED:
        return int(status << 8)
    return int(status) if code in (CLD_KILLED, CLD_DUMPED) else STOPPED


def of_code(code: int) -> int:
    """The wait status of an exit code as ``subprocess`` and ``multiprocessing`` give it, negative for signals."""
    return -code if code < 0 else code << 8


def meaning(status: int) -> bytes:
    """``returncode``, or ``signal`` by name, as a member behind a comma."""
    if WIFSIGNALED(status):
        return f',"signal":"{_signal_name(WTERMSIG(status))}"'.encode()
    return b',"returncode":%d' % WEXITSTATUS(status)


def _signal_name(number: int) -> str:
    if not _signals:
        for name, value in vars(_signal).items():
            if name.startswith("SIG") and type(value) is int and "_" not in name:
                _signals.setdefault(value, name)
    return _signals.get(number, str(number))
