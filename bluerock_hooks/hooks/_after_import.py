"""Acts when a module has been imported, for processes that do not load wrapt.

A finder in front of the others asks them for the spec, and has the loader of that one module call us when the module
has run. The loader stays the object that it is, the spec is the other finder's own.
"""

from __future__ import annotations

import sys

from .. import _guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Action = Callable[[ModuleType], None]


class AfterImport:
    """``action(module)`` is called once for each module of ``names``: now where it is loaded, else when it has been."""

    def __init__(self, names: Iterable[str], action: Action) -> None:
        self._waiting = set(names)
        self._action = action

    def install(self) -> None:
        """Act on what is loaded, and wait for the rest in front of ``sys.meta_path``."""
        for name in sorted(self._waiting):
            module = sys.modules.get(name)
            if module is None and name in sys.builtin_module_names:
                module = __import__(
                    name
                )  # part of the interpreter: loading it costs nothing, and nobody loads it for us
            if module is not None:
                self._act(module)
        if self._waiting:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stop waiting. Removing twice is harmless."""
        self._waiting.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the next finder says, for the modules that are waited for; ``None`` for all others."""
        if fullname not in self._waiting:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                self._watch(spec.loader)
                return spec
        return None

    def _watch(self, loader: Any) -> None:
        try:
            if isinstance(loader, type):
                return  # of frozen modules: it serves them all
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                self._unwatch(loader)
                execute(module)
                self._act(module)

            loader.exec_module = exec_module
        except Exception as exc:
            _guard.swallow("after_import", exc)

    def _unwatch(self, loader: Any) -> None:
        try:
            del loader.exec_module
        except Exception as exc:
            _guard.swallow("after_import", exc)

    def _act(self, module: ModuleType) -> None:
        try:
            self._waiting.discard(module.__name__)
            if not self._waiting:
                self.remove()
            self._action(module)
        except Exception as exc:
            _guard.swallow("after_import", exc)
