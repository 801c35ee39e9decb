"""Patch rows and what became of them: the only place that touches wrapt, and the only one that replaces attributes.

A row names a module, an attribute of it, and the function that makes the replacement. It is applied when the module has
been imported, once, to the class that defines the attribute (a subclass would be recorded twice), and its outcome is
kept: what is absent in this SDK is a fact to report, never an error in the user's import.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import wrapt

from .. import _guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    ObjectProxy = wrapt.ObjectProxy[Any]
else:
    ObjectProxy = wrapt.ObjectProxy  # 1.x is not generic

_MARK = "_bluerock_hooks_wrapper"


class Patch:
    """One row: ``module:attribute`` is replaced by ``wrap(original)``.

    ``sees`` says what is lost without it; ``sdk`` names the generations it exists in (``"1"``, ``"2"`` or ``"12"``);
    ``required`` rows are promises: their absence makes ``doctor`` unhealthy.
    """

    __slots__ = ("attribute", "module", "required", "sdk", "sees", "wrap")

    def __init__(
        self,
        module: str,
        attribute: str,
        wrap: Callable[[Any], Callable[..., Any]],
        *,
        sees: str,
        sdk: str,
        required: bool = False,
    ) -> None:
        self.module = module
        self.attribute = attribute
        self.wrap = wrap
        self.sees = sees
        self.sdk = sdk
        self.required = required

    @property
    def target(self) -> str:
        """``module:attribute``."""
        return f"{self.module}:{self.attribute}"


class Outcome:
    """What became of one row: ``applied``, ``absent`` or ``failed``, with the reason of a failure."""

    __slots__ = ("detail", "patch", "state")

    def __init__(self, patch: Patch, state: str, detail: str | None = None) -> None:
        self.patch = patch
        self.state = state
        self.detail = detail


class Patches:
    """The rows of one hook family; ``report(module, outcomes)`` is called once for each module that was imported."""

    def __init__(self, rows: Iterable[Patch], report: Callable[[ModuleType, list[Outcome]], None]) -> None:
        self.rows = tuple(rows)
        self.outcomes: list[Outcome] = []
        self._report = report
        self._undo: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Register every row; those whose module is loaded already are applied now."""
        for name in dict.fromkeys(row.module for row in self.rows):
            wrapt.register_post_import_hook(self._imported, name)

    def undo(self) -> None:
        """Put back every original that still carries our replacement."""
        while self._undo:
            owner, name, original = self._undo.pop()
            if getattr(vars(owner).get(name), _MARK, False):
                setattr(owner, name, original)

    def _imported(self, module: ModuleType) -> None:
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
            original = None if owner is None else vars(owner).get(name)
            if original is None:
                return Outcome(row, "absent")
            if getattr(original, _MARK, False):
                return Outcome(row, "applied", "was applied before")
            replacement = functools.wraps(original)(row.wrap(original))
            setattr(replacement, _MARK, True)
            setattr(owner, name, replacement)
            self._undo.append((owner, name, original))
            return Outcome(row, "applied")
        except Exception as exc:
            _guard.swallow(f"patch {row.target}", exc)
            return Outcome(row, "failed", type(exc).__name__)


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str) -> Any:
    """The argument a caller passed by position or by name, ``None`` where it was left out."""
    return kwargs[name] if name in kwargs else args[position] if len(args) > position else None


def replaced(
    args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, value: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with ``value`` in place of the one that ``argument`` finds; by name where it was left out."""
    if name not in kwargs and len(args) > position:
        return (*args[:position], value, *args[position + 1 :]), kwargs
    return args, {**kwargs, name: value}
