"""Code and objects that are made from data: text that is compiled, and what marshal and pickle load."""

from __future__ import annotations

from .. import _caller
from .._text import text
from ._family import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .. import Recording
    from ._family import Handler
    from ._repeats import Repeats


class Code(Family):
    """Not told: what the import system does, and the modules of the ignore list, which make code for a living."""

    __slots__ = ("_ignored_callers",)

    def __init__(self, recording: Recording, repeats: Repeats, ignored_callers: Callable[[str], bool]) -> None:
        super().__init__(recording, repeats)
        self._ignored_callers = ignored_callers

    def handlers(self) -> dict[str, Handler]:
        """Audit event -> handler."""
        return {
            "compile": self._compiled,
            "marshal.loads": self._unmarshalled,
            "marshal.load": self._unmarshalled,
            "pickle.find_class": self._unpickled,
        }

    def _compiled(self, _event: str, args: tuple[Any, ...]) -> None:
        """``exec`` and ``eval`` of text come here too. A tree that is compiled is no text."""
        source, filename = args
        if type(source) in (str, bytes):
            self._made("compile", text(filename) if filename is not None else None, len(source))

    def _unmarshalled(self, _event: str, args: tuple[Any, ...]) -> None:
        self._made("marshal", None, len(args[0]) if args and type(args[0]) is bytes else None)

    def _unpickled(self, _event: str, args: tuple[Any, ...]) -> None:
        self._made("pickle", f"{text(args[0])}.{text(args[1])}", None)

    def _made(self, operation: str, subject: str | None, size: int | None) -> None:
        wanted, span = self._wanted()
        frame = _caller.raiser() if wanted else None
        if frame is None:
            return
        module = _caller.module_of(frame)
        if self._ignored_callers(module):
            return
        caller = f"{module}:{frame.f_lineno}"
        new = self._repeats.first(span, "python_code_exec", (operation, subject, caller), (operation,))
        if new is not None:
            level, entry = new
            fields: dict[str, object] = {"operation": operation}
            if not level:
                word = self._recording.word
                fields |= {"subject": subject and word(subject), "caller": caller, "size": size}
            self._repeats.tell(span, entry, fields)
