"""Files that are opened, removed or renamed."""

from __future__ import annotations

import os

from ... import _guard, _stdlib
from .. import _caller
from .._attribution import current
from .._text import text, working_directory
from ._family import Family
from ._repeats import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...events import Span
    from .. import Recording
    from ._family import Handler
    from ._repeats import Repeats

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OPEN = "python_file_open"
_THROUGH = frozenset(("pathlib", "zipfile", "zipp"))  # modules that open what their caller names
_DIRECTORY = os.O_DIRECTORY


class Files(Family):
    """Not told: what the ignore lists name, the directories and descriptors that are opened, and our own work."""

    __slots__ = ("_ignored", "_ignored_callers")

    def __init__(
        self,
        recording: Recording,
        repeats: Repeats,
        ignored: Callable[[str], bool],
        ignored_callers: Callable[[str], bool],
    ) -> None:
        super().__init__(recording, repeats)
        self._ignored = ignored
        self._ignored_callers = ignored_callers

    def handlers(self) -> dict[str, Handler]:
        """Audit event -> handler."""
        return {
            "open": self._opened,
            "sqlite3.connect": self._database,
            "os.remove": self._removed,
            "os.rmdir": self._removed,
            "os.rename": self._renamed,
        }

    def _opened(self, _event: str, args: tuple[Any, ...]) -> None:
        span = current()
        if span is None and not self.everywhere:
            return
        path, _, flags = args
        if type(path) is not str:
            if type(path) is int:
                return
            path = text(path)
        reads = flags & _WRITES == 0
        entry = self._repeats.entries(span, _OPEN).get((path, reads))
        if entry is not None:
            self._repeats.again(span, entry)
        elif not flags & _DIRECTORY:
            self._open(span, path, reads)

    def _database(self, _event: str, args: tuple[Any, ...]) -> None:
        """SQLite opens its file in C."""
        span = current()
        path = text(args[0])
        if (span is not None or self.everywhere) and path not in (":memory:", ""):
            self._open(span, path, False)

    def _open(self, span: Span | None, path: str, reads: bool) -> None:
        if self._ignored(path):
            return
        # Programs open the same files again and again, or many of a directory: such an open is to cost little. Who does
        # it is not asked then, so that an import of a file that was opened before counts as well.
        repeats, directory = self._repeats, path.rpartition("/")[0]
        keys = (path, reads), (directory, "*", reads), (reads,)
        level, entry = known(repeats.entries(span, _OPEN), keys)
        if entry is not None:
            repeats.again(span, entry)
        elif not self._is_others() and (new := repeats.first(span, _OPEN, *keys)):
            level, entry = new
            place = self._place((path, f"{directory}/*", "*")[level])
            repeats.tell(span, entry, {**place, "mode": "read" if reads else "write"})

    def _removed(self, _event: str, args: tuple[Any, ...]) -> None:
        wanted, span = self._wanted()
        path = _in_directory(text(args[0]), args[1]) if wanted else ""
        if not wanted or self._unwanted(path):
            return
        directory = path.rpartition("/")[0]
        new = self._repeats.first(span, "python_file_remove", ("remove", path), ("remove", directory, "*"), ("remove",))
        if new is not None:
            level, entry = new
            self._repeats.tell(span, entry, self._place((path, f"{directory}/*", "*")[level]))

    def _renamed(self, _event: str, args: tuple[Any, ...]) -> None:
        wanted, span = self._wanted()
        if not wanted:
            return
        path, target = _in_directory(text(args[0]), args[2]), _in_directory(text(args[1]), args[3])
        if self._unwanted(path):
            return
        new = self._repeats.first(span, "python_file_rename", ("rename", path, target), ("rename",))
        if new is not None:
            level, entry = new
            goal = "*" if level else self._recording.word(target)
            self._repeats.tell(span, entry, {**self._place("*" if level else path), "target": goal})

    def _unwanted(self, path: str) -> bool:
        return self._ignored(path) or self._is_others()

    def _is_others(self) -> bool:
        """Is it the work of a module that is not told of, or ours?"""
        frame = _caller.raiser()
        module = _caller.module_of(frame)
        while frame is not None and frame.f_back is not None and module.partition(".")[0] in _THROUGH:
            frame = frame.f_back
            module = _caller.module_of(frame)
        return frame is None or self._ignored_callers(module)

    def _place(self, path: str) -> dict[str, object]:
        relative = not path.startswith("/") and path != "*"
        return {"path": self._recording.word(path), "cwd": working_directory() if relative else None}


def _in_directory(path: str, descriptor: object) -> str:
    """``path`` with the directory that it is relative to, where that is an open one, as in ``shutil.rmtree``."""
    if type(descriptor) is not int or descriptor < 0 or path.startswith("/"):
        return path
    try:
        return f"{_stdlib.readlink(f'/proc/self/fd/{descriptor}')}/{path}"
    except OSError as exc:
        _guard.give_back(exc)
        return path
