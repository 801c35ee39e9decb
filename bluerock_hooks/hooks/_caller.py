"""Who called: the nearest frame of the host, seen from a hook of ours."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_HERE = __file__[: -len("hooks/_caller.py")]
_getframe = sys._getframe


def frame() -> FrameType | None:
    """The nearest frame on this thread's stack that is not ours."""
    found: FrameType | None = _getframe(1)
    while found is not None and found.f_code.co_filename.startswith(_HERE):
        found = found.f_back
    return found


def module() -> str:
    """Its module's name, an empty string where there is none."""
    found = frame()
    name = found.f_globals.get("__name__") if found is not None else None
    return name if type(name) is str else ""
