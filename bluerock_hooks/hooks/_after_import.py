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

_WATCH = "_bluerock_hooks_watch"


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
        finders = list(sys.meta_path)
        # Those before us were asked. To ask them again would be to ask one like us that waits for the same module.
        for finder in finders[finders.index(self) + 1 if self in finders else len(finders) :]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                self._watch(fullname, spec.loader)
                return spec
        return None

    def _watch(self, fullname: str, loader: Any) -> None:
        try:
            if isinstance(loader, type):
                return  # of frozen modules: it serves them all
            # One that serves an archive has many modules, and may be watched for another of them already.
            before = vars(loader).get("exec_module")
            who, names = getattr(before, _WATCH, (None, set[str]()))
            if who is not self:
                names = set()
                loader.exec_module = self._watched(loader, before, names)
            names.add(fullname)
        except Exception as exc:
            _guard.swallow("after_import", exc)

    def _watched(self, loader: Any, before: object, names: set[str]) -> Action:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            names.discard(module.__name__)
            if not names:
                _unwatch(loader, before)
            execute(module)
            self._act(module)

        setattr(exec_module, _WATCH, (self, names))
        return exec_module

    def _act(self, module: ModuleType) -> None:
        try:
            if module.__name__ not in self._waiting:
                return
            self._waiting.discard(module.__name__)
            if not self._waiting:
                self.remove()
            self._action(module)
        except Exception as exc:
            _guard.swallow("after_import", exc)


def _unwatch(loader: Any, before: object) -> None:
    try:
        if before is None:
            vars(loader).pop("exec_module", None)
        else:
            loader.exec_module = before
    except Exception as exc:
        _guard.swallow("after_import", exc)
