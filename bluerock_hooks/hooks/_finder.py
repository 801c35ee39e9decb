"""Acts when a module is looked for, or has been imported, for processes that do not load wrapt.

One finder for all that waits, in front of the others: each import asks every finder, in some microseconds. It finds
nothing of its own. For a module that somebody waits for it asks the others for the spec, and has the loader of that one
module call us when the module has run. The loader stays the object that it is, the spec is the other finder's own.
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


class Finder:
    """One a sensor. It stands on ``sys.meta_path`` while something is waited for."""

    def __init__(self) -> None:
        self._before: dict[str, Callable[[], None]] = {}
        self._after: dict[str, tuple[Action, ...]] = {}

    def before(self, names: Iterable[str], action: Callable[[], None]) -> None:
        """``action()`` is called once, when the first module of ``names`` is looked for; now where one is loaded."""
        names = tuple(names)
        if any(name in sys.modules for name in names):
            action()
        else:
            self._before.update(dict.fromkeys(names, action))
            self._wait()

    def after(self, names: Iterable[str], action: Action) -> None:
        """``action(module)`` is called once for each module of ``names``: now if it is loaded, else when it has run."""
        for name in sorted(names):
            module = sys.modules.get(name)
            if module is None and name in sys.builtin_module_names:
                # Part of the interpreter: loading it costs nothing, and nobody loads it for us.
                module = __import__(name)
            if module is not None:
                _guard.attempt("finder", action, module)
            elif action not in (waiting := self._after.get(name, ())):
                self._after[name] = (*waiting, action)
        self._wait()

    def forget(self, action: Action) -> None:
        """Never call ``action`` again. Twice is harmless."""
        for name, actions in list(self._after.items()):
            others = tuple(each for each in actions if each != action)
            if others:
                self._after[name] = others
            else:
                self._after.pop(name, None)
        self._rest()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the next finder says, for the modules that are waited for; ``None`` for all others."""
        if fullname in self._before:
            _guard.attempt("finder", self._first, fullname)
        if fullname not in self._after:
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

    def _first(self, name: str) -> None:
        # The import system walks over sys.meta_path just now: whoever leaves it here has another one skipped.
        action = self._before.get(name)
        if action is None:
            return  # another thread was faster
        self._before = {other: each for other, each in self._before.items() if each != action}
        action()

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
            _guard.swallow("finder", exc)

    def _watched(self, loader: Any, before: object, names: set[str]) -> Action:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            names.discard(module.__name__)
            if not names:
                _unwatch(loader, before)
            execute(module)
            _guard.attempt("finder", self._arrived, module)

        setattr(exec_module, _WATCH, (self, names))
        return exec_module

    def _arrived(self, module: ModuleType) -> None:
        actions = self._after.pop(module.__name__, ())
        self._rest()
        for action in actions:
            _guard.attempt("finder", action, module)

    def _wait(self) -> None:
        if (self._before or self._after) and self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def _rest(self) -> None:
        if not self._before and not self._after and self in sys.meta_path:
            sys.meta_path.remove(self)


def _unwatch(loader: Any, before: object) -> None:
    try:
        if before is None:
            vars(loader).pop("exec_module", None)
        else:
            loader.exec_module = before
    except Exception as exc:
        _guard.swallow("finder", exc)
