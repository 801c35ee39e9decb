"""``subprocess.Popen``, which starts nearly all processes.

``fork_exec`` knows pid and arguments; ``_execute_child``, around it, whether the program runs. Between a start and its
end the processor had other programs to run, and each step of ours finds cold caches: there are as few as can be.
"""

from __future__ import annotations

import sys
from _operator import itemgetter

from ... import _clock, _draft, _guard
from .._attribution import current
from .._rows import Patch
from ._launch import Launch
from ._launches import POPEN, said_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._launches import Launches

    Call = Callable[..., Any]

__all__ = ["Popens"]

_BY_NAME = sys.version_info >= (3, 11)  # before, subprocess calls it where it is, as multiprocessing does
_given = itemgetter(0, 1, 4, 5)  # args, executables, cwd, env
_since_boot_ns = _clock.since_boot_ns


class _Start(Launch):
    api = POPEN
    said = said_of(POPEN)


class Popens:
    """The hooks of ``subprocess``."""

    def __init__(self, launches: Launches) -> None:
        self._launches = launches

    def rows(self) -> list[Patch]:
        """What is wrapped."""
        sees = "processes started by subprocess"
        around = Patch("subprocess", "Popen._execute_child", self._execute_child, sees=sees, required=True)
        return [Patch("subprocess", "_fork_exec", self._fork_exec, sees=sees), around] if _BY_NAME else [around]

    def _fork_exec(self, original: Call) -> Call:
        """``fork_exec(args, executables, close_fds, pass_fds, cwd, env, ...)``, positional in every version."""
        launches = self._launches

        def _fork_exec(*args: Any) -> Any:
            span, since = None, 0
            try:
                span = current()
                if span is not None:
                    launches.serve()
                since = _since_boot_ns()
            except Exception as exc:
                _guard.swallow("process.popen", exc)
            try:
                pid = original(*args)
            except BaseException:
                self._unborn(args)
                raise
            try:
                if since and not launches.silent:
                    launch = _Start()
                    launch.span = span
                    launch.since = since
                    launch.given = _given(args)
                    launches.add(launch, pid)
            except Exception as exc:
                _guard.swallow("process.popen", exc)
            return pid

        return _fork_exec

    def _unborn(self, args: tuple[Any, ...]) -> None:
        """``fork_exec(*args)`` made no process: ``_failed`` tells."""
        try:
            launch = self._launches.begin(POPEN)
            if launch is not None:
                launch.given = _given(args)
        except Exception as exc:
            _guard.swallow("process.popen", exc)

    def _execute_child(self, original: Call) -> Call:
        """Returns when the program runs, raises where it cannot."""
        launches = self._launches
        _draft.packer()  # loads what the first start needs: not in a child, where an import of its parent may hang

        def _execute_child(*args: Any, **kwargs: Any) -> Any:
            try:
                result = original(*args, **kwargs)
            except BaseException as exc:
                self._failed(args, exc)
                raise
            try:
                launch = launches.children.get(args[0].pid)
                if launch is not None and not launch.told:
                    launches.tell(launch)
            except Exception as exc:
                _guard.swallow("process.popen", exc)
            return result

        return _execute_child

    def _failed(self, args: tuple[Any, ...], error: BaseException) -> None:
        """``_execute_child(*args)`` raised ``error``, perhaps before there was a process."""
        launches = self._launches
        try:
            launch = launches.children.get(args[0].pid) or launches.here()
            if launch is None or launch.api is not POPEN or launch.told:
                launch = launches.begin(POPEN)
        except Exception as exc:
            _guard.swallow("process.popen", exc)
        else:
            launches.settle(launch, error)
