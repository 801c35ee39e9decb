"""Who called: the nearest frame of the host, seen from a hook of ours."""

from __future__ import annotations

import sys

from ._audit import HOOK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_HERE = __file__[: -len("hooks/_caller.py")]
_getframe = sys._getframe


def module() -> str:
    """The module of the nearest frame on this thread's stack that is not ours, an empty string where there is none."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return module_of(frame)


def raiser() -> FrameType | None:
    """In a handler of an audit event: the frame that raised it, None where that is one of ours."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code is not HOOK:
        frame = frame.f_back
    frame = None if frame is None else frame.f_back
    return None if frame is None or frame.f_code.co_filename.startswith(_HERE) else frame


def module_of(frame: FrameType | None) -> str:
    """The name of its module, an empty string where there is none."""
    name = frame.f_globals.get("__name__") if frame is not None else None
    return name if type(name) is str else ""
