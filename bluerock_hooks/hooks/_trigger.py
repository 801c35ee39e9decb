"""Waits for the first import of a package and then loads the hooks for it, so that other processes pay nothing."""

from __future__ import annotations

import sys

from .. import _guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Trigger:
    """A finder that finds nothing: it sees the name of every import, and acts once."""

    def __init__(self, packages: tuple[str, ...], action: Callable[[], None]) -> None:
        self._packages = packages
        self._action = action

    def install(self) -> None:
        """Wait in front of ``sys.meta_path``; act at once where a package is loaded already."""
        if any(name in sys.modules for name in self._packages):
            self._action()
        else:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stop waiting. Removing twice is harmless."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  the finder protocol's own parameters
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """``None``, always; the import goes on to the next finder."""
        try:
            if fullname in self._packages:
                self.remove()
                self._action()
        except Exception as exc:
            _guard.swallow("trigger", exc)
        return None
