"""The one audit hook of an interpreter: a table of event names; what nobody asked for costs one look-up.

Audit hooks cannot be removed, so there is one for all families, which does nothing once it is ``quiet``. An exception
from a hook would abort the operation that raised the event: the guard lets through none but the host's own.
"""

from __future__ import annotations

import sys

from .. import _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from types import FrameType
    from typing import Any

    Handler = Callable[[str, tuple[Any, ...]], None]
    Sieve = Callable[[tuple[Any, ...]], bool]

_PROBE = "bluerock_hooks.probe"
_HERE = _guard.HERE
_getframe = sys._getframe


class Audit:
    """``on(event, handler)`` before or after ``install()``; handlers see what the host does, never what we do.

    A handler is called as ``handler(event, args)`` in the thread that raised the event, before the operation happens
    (it may still fail). ``args`` hold live objects: copy what is needed and touch nothing. What a handler does itself
    raises events that no handler sees; what a signal handler or finaliser of the host does meanwhile raises some that
    all see. ``inside``: idents of the threads that are in our code (``Recorder.inside``).
    """

    __slots__ = ("_asked", "_heard", "_heeded", "_inside", "_installed")

    def __init__(self, inside: Container[int]) -> None:
        self._inside = inside
        self._asked: dict[str, tuple[tuple[Handler, Sieve | None], ...]] = {}
        self._heeded: dict[str, tuple[Handler, Sieve | None]] = {}
        self._installed = False
        self._heard = False

    def on(self, event: str, handler: Handler, *, when: Sieve | None = None) -> None:
        """Have ``handler`` called for ``event``, after those that asked before. Twice is once.

        ``when(args)``: most events of that name have nothing to say, or not more than it notes itself, and it tells in
        a few steps which are for the handler. It is asked before anything else, of our own doings too: it must raise no
        event that is listened to, and neither change nor call anything of the host.
        """
        asked = self._asked.get(event, ())
        if (handler, when) in asked:
            return
        asked = self._asked[event] = (*asked, (handler, when))
        self._heeded[event] = asked[0] if len(asked) == 1 else (_each(asked), None)

    @property
    def wanted(self) -> bool:
        """Has anybody asked for anything?"""
        return bool(self._heeded)

    def install(self) -> bool:
        """Add the hook; False where another hook refused it, of which the interpreter tells nobody. Twice is once."""
        if not self._installed:
            self._installed = True
            self._heeded[_PROBE] = self._probed, None
            sys.addaudithook(_hook(self._heeded, self._inside))
            sys.audit(_PROBE, self)
            self._heeded.pop(_PROBE, None)
        return self._heard

    def quiet(self) -> None:
        """Hear nothing any more: the interpreter ends, or the hooks are undone."""
        self._heeded.clear()

    def _probed(self, _event: str, args: tuple[Any, ...]) -> None:
        self._heard = args == (self,)


def _hook(
    heeded: dict[str, tuple[Handler, Sieve | None]], inside: Container[int]
) -> Callable[[str, tuple[Any, ...]], None]:
    wanted, ident, busy = heeded.get, _stdlib.get_ident, set[int]()
    enter, leave = busy.add, busy.discard

    def bluerock_audit(event: str, args: tuple[Any, ...]) -> None:
        asked = wanted(event)
        if asked is None:
            return
        handler, when = asked
        try:
            if when is not None and not when(args):
                return
            me = ident()
            if me in busy:
                if not _is_ours(_getframe(1)):
                    handler(event, args)
                return
            if me in inside and _is_ours(_getframe(1)):
                return
            try:
                enter(me)
                handler(event, args)
            finally:
                leave(me)
        except Exception as exc:
            _guard.swallow("audit", exc)

    return bluerock_audit


def _is_ours(raiser: FrameType | None) -> bool:
    """In a thread that is in our code: is what ``raiser`` does our doing, or that of host code which interrupted us?"""
    frame, called = raiser, None
    while frame is not None and not frame.f_code.co_filename.startswith(_HERE):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            # An import of ours, unless a signal handler interrupts the import system.
            return called is None or called.f_code.co_name == "<module>"
        frame, called = frame.f_back, frame
    return called is None


def _each(asked: tuple[tuple[Handler, Sieve | None], ...]) -> Handler:
    def each(event: str, args: tuple[Any, ...]) -> None:
        for handler, when in asked:
            if when is None or when(args):
                _guard.attempt("audit", handler, event, args)

    return each
