"""Exec: what this process is about to become, told before, since there is no after; and that it did not."""

from __future__ import annotations

from ... import _guard, _stdlib
from ..._plain import quote
from ...ring import _forkpage
from .._attribution import current
from .._text import text
from ._facts import can_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._launches import Launches

_get_ident = _stdlib.get_ident


class Execs:
    """``os.execvp`` tries one directory of ``PATH`` after the other: what is told is the one that has the program."""

    def __init__(self, launches: Launches) -> None:
        self._launches = launches
        self._tell_exec = launches.recording.kind("python_process_exec")
        self._searching: dict[int, bool] = {}  # threads in os.execvp: has it found something?
        _forkpage.enlist(self)

    def heard(self, _event: str, args: tuple[Any, ...]) -> None:
        """The audit event: an exec of ``args[0]`` is tried."""
        me = _get_ident()
        if self._launches.silent or me in self._launches.told_by_parent:
            return
        path, argv, env = args
        if me in self._searching:
            if self._searching[me] or not can_run(text(path)):
                return
            self._searching[me] = True
        self._tell(path, argv, env, None)

    def wrap(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """``os.execv(path, argv)``, ``os.execve(path, argv, env)``, ``os._execvpe(file, argv, env=None)``."""
        searches = original.__name__ == "_execvpe"

        def exec_(*args: Any, **kwargs: Any) -> Any:
            me = _get_ident()
            outermost = me not in self._searching
            if searches:
                self._searching.setdefault(me, False)
            try:
                return original(*args, **kwargs)
            except OSError as exc:
                if outermost:
                    self._failed(args, kwargs, exc)
                raise
            finally:
                if outermost:
                    self._searching.pop(me, None)

        return exec_

    def _failed(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: OSError) -> None:
        try:
            self._launches.told_by_parent.discard(_get_ident())  # that did not come true
            if not self._launches.silent:
                path, argv, env = (*args, *kwargs.values(), None)[:3]
                self._tell(path, argv, env, type(error).__name__)
        except Exception as exc:
            _guard.swallow("process.exec", exc)

    def _tell(self, path: object, argv: object, env: object, error: str | None) -> None:
        members = self._launches.facts.of((argv, path, None, env)).decode()
        if error is not None:
            members += f',"error":{quote(error)}'
        self._tell_exec(members, current())

    # -- forks

    def before_fork(self) -> None:
        """Nothing."""

    def after_fork(self) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """In the child: it has one thread, and that one forks rather than searches."""
        self._searching = {}

    def started(self) -> None:
        """Nothing."""
