"""Native libraries that ``ctypes`` loads; extension modules are imports."""

from __future__ import annotations

from .. import _caller
from .._text import text
from ._family import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._family import Handler


class Native(Family):
    """``ctypes.CDLL(None)``, the program itself, is no library."""

    __slots__ = ()

    def handlers(self) -> dict[str, Handler]:
        """Audit event -> handler."""
        return {"ctypes.dlopen": self._loaded}

    def _loaded(self, _event: str, args: tuple[Any, ...]) -> None:
        wanted, span = self._wanted()
        if not wanted or not args[0] or _caller.raiser() is None:
            return
        path = text(args[0])
        new = self._repeats.first(span, "python_native_load", ("dlopen", path), ("dlopen",))
        if new is not None:
            level, entry = new
            self._repeats.tell(span, entry, {"path": "*" if level else self._recording.word(path)})
