"""Patch rows and what became of them: the only place that replaces attributes, and it needs no wrapt.

A row names a module, an attribute of it, and the function that makes the replacement. It is applied once, to the class
that defines the attribute (a subclass would be recorded twice), and its outcome is kept: what is absent in this version
is a fact to report, never an error in the user's import.

What a deferred row needs is loaded when somebody first calls what it replaces: most programs that import a library use
little of it.
"""

from __future__ import annotations

import sys

from .. import _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType
    from typing import Any

    Wrap = Callable[[Any], Callable[..., Any]]

if not TYPE_CHECKING:  # its home module is not loaded at start-up
    ModuleType = type(sys)
_BUILTIN = type(len)
_MARK = "_bluerock_hooks_wrapper"  # True, or what follows
_STANDS_IN = "deferred"
_COROUTINE = 0x80  # of co_flags
_LIKENESS = ("__module__", "__name__", "__qualname__", "__doc__", "__type_params__") + (
    ("__annotate__",) if sys.version_info >= (3, 14) else ("__annotations__",)
)


class Patch:
    """One row: ``module:attribute`` is replaced by ``wrap(original)``.

    ``sees`` says what is lost without it; ``sdk`` names the generations of the MCP SDK it exists in (``"1"``, ``"2"``
    or ``"12"``; of another module, none); ``required`` rows are promises: their absence makes ``doctor`` unhealthy.
    ``inherited`` rows are applied to the base that defines the attribute, where the class does not. The ``wrap`` of
    ``deferred`` rows is called when the attribute is, or by ``Rows.renew``.
    """

    __slots__ = ("attribute", "deferred", "inherited", "module", "required", "sdk", "sees", "wrap")

    def __init__(
        self,
        module: str,
        attribute: str,
        wrap: Wrap,
        *,
        sees: str,
        sdk: str = "",
        required: bool = False,
        inherited: bool = False,
        deferred: bool = False,
    ) -> None:
        self.module = module
        self.attribute = attribute
        self.wrap = wrap
        self.sees = sees
        self.sdk = sdk
        self.required = required
        self.inherited = inherited
        self.deferred = deferred

    @property
    def target(self) -> str:
        """``module:attribute``."""
        return f"{self.module}:{self.attribute}"


class Outcome:
    """What became of one row: ``applied``, ``absent``, ``failed`` or ``unused``, with the reason where it needs one."""

    __slots__ = ("detail", "patch", "state")

    def __init__(self, patch: Patch, state: str, detail: str | None = None) -> None:
        self.patch = patch
        self.state = state
        self.detail = detail

    def fields(self) -> dict[str, object]:
        """As in ``events.HookOutcome``."""
        patch = self.patch
        return {
            "target": patch.target,
            "outcome": self.state,
            "feature": patch.sees,
            "required": patch.required or None,
            "detail": self.detail,
        }


class Rows:
    """The rows of one hook family; ``report(module, outcomes)`` is called once for each module that they are tried on.

    ``imported(module)`` is to be called when a module of ``modules`` has loaded.
    """

    def __init__(self, rows: Iterable[Patch], report: Callable[[ModuleType, list[Outcome]], None]) -> None:
        self.rows = tuple(rows)
        self.outcomes: list[Outcome] = []
        self._report = report
        self._undo: list[tuple[Patch, Any, str, Any]] = []

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of the modules that have rows, each once."""
        return tuple(dict.fromkeys(row.module for row in self.rows))

    def undo(self) -> None:
        """Put back every original that still carries our replacement."""
        while self._undo:
            _, owner, name, original = self._undo.pop()
            if getattr(vars(owner).get(name), _MARK, False):
                setattr(owner, name, original)

    def renew(self) -> None:
        """What deferred rows need is loaded: no call has to pass what stood in for them any more. Twice is once."""
        for each in list(self._undo):
            self._renew(*each)

    def _renew(self, row: Patch, owner: Any, name: str, original: Any) -> None:
        try:
            if getattr(vars(owner).get(name), _MARK, False) == _STANDS_IN:
                setattr(owner, name, _replacement(row, original))
        except Exception as exc:
            _guard.swallow(f"patch {row.target}", exc)

    def rebind(self) -> None:
        """Replace functions in modules that had imported them by name before we came.

        Only in the packages of the rows: what the user's own modules hold is the user's.
        """
        late = {
            _stdlib.identity(original): (row, original, vars(owner)[name])
            for row, owner, name, original in self._undo
            if isinstance(owner, ModuleType)
        }
        packages = {row.module.partition(".")[0] for row in self.rows} if late else ()
        for module in [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]:
            for name, value in list(vars(module).items()):
                row, original, replacement = late.get(_stdlib.identity(value), (None, None, None))
                if row is not None and original is value:
                    setattr(module, name, replacement)
                    self._undo.append((row, module, name, original))

    def imported(self, module: ModuleType) -> None:
        """Apply the rows of ``module``. Never raises an error of ours."""
        # An exception from here would come out of the user's import statement.
        try:
            rows = [row for row in self.rows if row.module == module.__name__]
            outcomes = [self._apply(row, module) for row in rows]
            self.outcomes += outcomes
            self._report(module, outcomes)
        except Exception as exc:
            _guard.swallow("patch", exc)

    def _apply(self, row: Patch, module: ModuleType) -> Outcome:
        try:
            owner_name, _, name = row.attribute.rpartition(".")
            owner: Any = vars(module).get(owner_name) if owner_name else module
            if row.inherited:
                owner = next((base for base in getattr(owner, "__mro__", ()) if name in vars(base)), None)
            original = None if owner is None else vars(owner).get(name)
            if original is None:
                return Outcome(row, "absent")
            if isinstance(original, StandIn) and original.__module__ != module.__name__:
                original = original.__wrapped__  # imported by name from a module that has a row of its own
            if getattr(original, _MARK, False):
                return Outcome(row, "applied", "was applied before")
            setattr(owner, name, _deferred(row, original) if row.deferred else _replacement(row, original))
            self._undo.append((row, owner, name, original))
            return Outcome(row, "applied")
        except Exception as exc:
            _guard.swallow(f"patch {row.target}", exc)
            return Outcome(row, "failed", type(exc).__name__)


def _replacement(row: Patch, original: Any) -> Any:
    return _marked(row.wrap(original), original, row, True)


def _deferred(row: Patch, original: Any) -> Any:
    """What stands in for the replacement until it is made, at the first call."""
    made: Any = None

    def replacement() -> Any:
        nonlocal made
        try:
            if made is None:
                made = row.wrap(original)
        except Exception as exc:
            _guard.swallow(f"patch {row.target}", exc)
            return original
        return made

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        function = replacement()
        return await function(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        function = replacement()
        return function(*args, **kwargs)

    waits = getattr(getattr(original, "__code__", None), "co_flags", 0) & _COROUTINE
    return _marked(coroutine if waits else call, original, row, _STANDS_IN)


def _marked(replacement: Any, original: Any, row: Patch, mark: object) -> Any:
    """``replacement`` like ``original``, and known as ours."""
    if type(original) is _BUILTIN and not row.attribute.startswith("_"):  # no class holds, nobody pickles a private one
        replacement = _stand_in(replacement, original, row.module)
    else:
        _liken(replacement, original)
    setattr(replacement, _MARK, mark)
    return replacement


def _liken(replacement: Any, original: Any) -> None:
    """What ``functools.wraps`` does; functools itself would be new to most processes."""
    for name in _LIKENESS:
        if hasattr(original, name):
            setattr(replacement, name, getattr(original, name))
    vars(replacement).update(getattr(original, "__dict__", ()))
    replacement.__wrapped__ = original


class StandIn:
    """In place of a function of C: like that, it is no descriptor (a class may hold it), and is pickled by its name.

    Its name is the one it has in its module: a pickle looks it up there and finds this object, or the original in a
    process that has no sensor.
    """

    __wrapped__: Any
    __call__: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # a copy that is still empty
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> str:
        return str(self.__name__)


def _stand_in(call: Callable[..., Any], original: Any, module: str) -> StandIn:
    # A class of its own, so that a call goes straight to ours.
    made: StandIn = type("StandIn", (StandIn,), {"__call__": staticmethod(call)})()
    vars(made).update(
        __wrapped__=original,
        __name__=original.__name__,
        __qualname__=original.__name__,
        __doc__=original.__doc__,
        __module__=module,
    )
    return made
