"""What wrappers of MCP are made of: the only place that touches wrapt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    ObjectProxy = wrapt.ObjectProxy[Any]
else:
    ObjectProxy = wrapt.ObjectProxy  # 1.x is not generic

__all__ = ["ObjectProxy", "argument", "replaced"]


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
