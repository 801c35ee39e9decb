"""Files that are opened, removed or renamed."""

from __future__ import annotations

import os

from .. import _caller
from .._attribution import current
from .._text import text
from ._family import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...events import Span
    from .. import Recording
    from ._family import Handler
    from ._repeats import Repeats

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DIRECTORY = os.O_DIRECTORY
_SQLITE = os.O_RDWR | os.O_CREAT


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
        if type(path) is int or flags & _DIRECTORY:
            return
        self._open(span, path if type(path) is str else text(path), flags)

    def _database(self, _event: str, args: tuple[Any, ...]) -> None:
        """SQLite opens its file in C."""
        span = current()
        path = text(args[0])
        if (span is not None or self.everywhere) and path not in (":memory:", ""):
            self._open(span, path, _SQLITE)

    def _open(self, span: Span | None, path: str, flags: int) -> None:
        mode = "write" if flags & _WRITES else "read"
        exact = "open", mode, path
        # Programs open the same files again and again: such an open is to cost little. Who does it is not asked then,
        # so that an import of a file that was opened before counts as well.
        if self._repeats.again(span, "python_file_open", exact) or self._unwanted(path):
            return
        directory = path.rpartition("/")[0]
        new = self._repeats.first(span, "python_file_open", exact, ("open", mode, directory, "*"), ("open", mode))
        if new is not None:
            level, entry = new
            place = self._place((path, f"{directory}/*", "*")[level])
            self._repeats.tell(span, entry, {**place, "mode": mode})

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
        if self._ignored(path):
            return True
        frame = _caller.raiser()
        return frame is None or self._ignored_callers(_caller.module_of(frame))

    def _place(self, path: str) -> dict[str, object]:
        relative = not path.startswith("/") and path != "*"
        return {"path": self._recording.word(path), "cwd": text(os.getcwd()) if relative else None}


def _in_directory(path: str, descriptor: object) -> str:
    """``path`` with the directory that it is relative to, where that is an open one, as in ``shutil.rmtree``."""
    if type(descriptor) is not int or descriptor < 0 or path.startswith("/"):
        return path
    try:
        return f"{os.readlink(f'/proc/self/fd/{descriptor}')}/{path}"
    except OSError:
        return path
