"""Who called: the nearest frame of the host, seen from a hook of ours."""

from __future__ import annotations

import sys

from .. import _guard
from . import _audit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_HERE = _guard.HERE
_HOOKS = vars(_audit)
_getframe = sys._getframe


def module() -> str:
    """The module of the nearest frame on this thread's stack that is not ours, an empty string where there is none."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return module_of(frame)


def above() -> FrameType | None:
    """In a handler of an audit event, or in its sieve: the frame that raised it."""
    frame: FrameType | None = _getframe(2)
    # By their globals: to ask a frame for its code raises an audit event, which costs more than all the rest.
    while frame is not None and frame.f_globals is not _HOOKS:  # called by what the handler has called
        frame = frame.f_back
    while frame is not None and frame.f_globals is _HOOKS:
        frame = frame.f_back
    return frame


def raiser() -> FrameType | None:
    """The same, None where that is one of ours."""
    frame = above()
    return None if frame is None or frame.f_code.co_filename.startswith(_HERE) else frame


def module_of(frame: FrameType | None) -> str:
    """The name of its module, an empty string where there is none."""
    name = frame.f_globals.get("__name__") if frame is not None else None
    return name if type(name) is str else ""
