"""Wait statuses: who gives them, in which shape, and what they mean."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Reader = Callable[[Any], tuple[int, int | None]]

WAITS = ("waitpid", "wait", "wait3", "wait4", "waitid")
"""Functions of ``os`` that give the status of a child."""

_signals: dict[int, str] = {}


def reader(function: str) -> Reader:
    """From what ``function`` returns to the pid and the wait status, which is None where no process has ended."""
    return _from_waitid if function == "waitid" else _from_wait


def _from_wait(result: Any) -> tuple[int, int | None]:
    pid, status = result[0], result[1]
    return pid, status if pid and (os.WIFEXITED(status) or os.WIFSIGNALED(status)) else None


def _from_waitid(result: Any) -> tuple[int, int | None]:
    if result is None:
        return 0, None
    code, status = result.si_code, result.si_status
    if code == os.CLD_EXITED:
        return result.si_pid, status << 8
    return result.si_pid, status if code in (os.CLD_KILLED, os.CLD_DUMPED) else None


def of_code(code: int) -> int:
    """The wait status of an exit code as ``subprocess`` and ``multiprocessing`` give it, negative for signals."""
    return -code if code < 0 else code << 8


def meaning(status: int) -> dict[str, object]:
    """``returncode``, or ``signal`` by name."""
    if os.WIFSIGNALED(status):
        return {"signal": _signal_name(os.WTERMSIG(status))}
    return {"returncode": os.WEXITSTATUS(status)}


def _signal_name(number: int) -> str:
    if not _signals:
        for name, value in vars(_signal).items():
            if name.startswith("SIG") and type(value) is int and "_" not in name:
                _signals.setdefault(value, name)
    return _signals.get(number, str(number))
