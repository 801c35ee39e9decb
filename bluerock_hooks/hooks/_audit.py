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

    __slots__ = ("_asked", "_handlers", "_heard", "_inside", "_installed", "_sieves")

    def __init__(self, inside: Container[int]) -> None:
        self._inside = inside
        self._asked: dict[str, tuple[tuple[Handler, Sieve | None], ...]] = {}
        self._handlers: dict[str, Handler] = {}
        self._sieves: dict[str, Sieve] = {}
        self._installed = False
        self._heard = False

    def on(self, event: str, handler: Handler, *, unless: Sieve | None = None) -> None:
        """Have ``handler`` called for ``event``, after those that asked before. Twice is once.

        ``unless(args)``: of most events of that name there is nothing to say, and it tells which in a few steps. It is
        asked before anything else, of our own doings too, and must neither change nor call anything of the host.
        """
        asked = self._asked.get(event, ())
        if (handler, unless) in asked:
            return
        asked = self._asked[event] = (*asked, (handler, unless))
        if len(asked) == 1:
            if unless is not None:
                self._sieves[event] = unless
            self._handlers[event] = handler
        else:
            self._sieves.pop(event, None)
            self._handlers[event] = _each(asked)

    @property
    def wanted(self) -> bool:
        """Has anybody asked for anything?"""
        return bool(self._handlers)

    def install(self) -> bool:
        """Add the hook; False where another hook refused it, of which the interpreter tells nobody. Twice is once."""
        if not self._installed:
            self._installed = True
            self._handlers[_PROBE] = self._probed
            sys.addaudithook(_hook(self._handlers, self._sieves, self._inside))
            sys.audit(_PROBE, self)
            self._handlers.pop(_PROBE, None)
        return self._heard

    def quiet(self) -> None:
        """Hear nothing any more: the interpreter ends, or the hooks are undone."""
        self._handlers.clear()

    def _probed(self, _event: str, args: tuple[Any, ...]) -> None:
        self._heard = args == (self,)


def _hook(
    handlers: dict[str, Handler], sieves: dict[str, Sieve], inside: Container[int]
) -> Callable[[str, tuple[Any, ...]], None]:
    wanted, ident, busy = handlers.get, _stdlib.get_ident, set[int]()

    def bluerock_audit(event: str, args: tuple[Any, ...]) -> None:
        handler = wanted(event)
        if handler is None:
            return
        try:
            if event in sieves and sieves[event](args):
                return
            me = ident()
            if me not in busy:
                if me in inside and _is_ours(_getframe(1)):
                    return
                try:
                    busy.add(me)
                    handler(event, args)
                finally:
                    busy.discard(me)
            elif not _is_ours(_getframe(1)):
                handler(event, args)
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
        for handler, unless in asked:
            if unless is None or not unless(args):
                _guard.attempt("audit", handler, event, args)

    return each
