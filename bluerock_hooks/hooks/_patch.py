"""Patch rows that are applied when their module has been imported: the only place that touches wrapt."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt

from .. import _guard
from ._rows import Outcome, Patch, Rows

if TYPE_CHECKING:
    ObjectProxy = wrapt.ObjectProxy[Any]
else:
    ObjectProxy = wrapt.ObjectProxy  # 1.x is not generic

__all__ = ["ObjectProxy", "Outcome", "Patch", "Patches", "argument", "replaced"]


class Patches(Rows):
    """Rows that wait for their modules by themselves."""

    def install(self) -> None:
        """Register every row; those whose module is loaded already are applied now."""
        for name in self.modules:
            wrapt.register_post_import_hook(self.imported, name)
        try:
            self._rebind()
        except Exception as exc:
            _guard.swallow("rebind", exc)

    def _rebind(self) -> None:
        """Replace functions in modules that had imported them by name before we came.

        Only in the packages of the rows: what the user's own modules hold is the user's.
        """
        late = {
            id(original): (original, vars(owner)[name])
            for owner, name, original in self._undo
            if isinstance(owner, ModuleType)
        }
        packages = {row.module.partition(".")[0] for row in self.rows} if late else ()
        for module in [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]:
            for name, value in list(vars(module).items()):
                original, replacement = late.get(id(value), (None, None))
                if original is value and replacement is not None:
                    setattr(module, name, replacement)
                    self._undo.append((module, name, original))


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
