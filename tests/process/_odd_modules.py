"""Modules, specs, loaders and names as nobody should make them; run as a program, with and without a sensor.

Prints what the program itself sees of each. Methods of its objects must not be called but by the interpreter.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import types
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

asked: Counter[str] = Counter()
never = threading.Event()


def no(name: str, how: str = "raises") -> Any:
    """A property that raises, recurses, or never comes back."""

    def get(self: Any) -> Any:
        asked[name] += 1
        if how == "recurses":
            return getattr(self, name)
        if how == "blocks":
            never.wait(90)
        raise RuntimeError(name)

    return property(get)


class Meta(type):
    """The class of a class whose name cannot be had."""

    __name__ = no("Meta.__name__")  # type: ignore[assignment]
    __module__ = no("Meta.__module__")  # type: ignore[assignment]
    __mro__ = no("Meta.__mro__")  # type: ignore[assignment]

    def __repr__(cls) -> str:
        asked["Meta.__repr__"] += 1
        raise RuntimeError


def odd_class(how: str) -> type:
    members = {name: no(f"{how}.{name}", how) for name in ("__spec__", "__file__", "__path__", "__loader__", "__doc__")}

    def getattribute(self: Any, name: str) -> Any:
        asked[f"{how}.__getattribute__"] += 1
        if how == "blocks":
            never.wait(90)
        raise RuntimeError(name)

    return type("Odd", (types.ModuleType,), {**members, "__getattribute__": getattribute})


class Text(str):
    """A name that is hostile to whoever uses it."""

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)

    def rpartition(self, *_: Any) -> Any:
        asked["Text.rpartition"] += 1
        raise RuntimeError

    partition = startswith = endswith = encode = lower = split = rpartition  # type: ignore[assignment]


class Thing:
    """Stands in sys.modules and is no module."""

    __class__ = no("Thing.__class__")  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        asked[f"Thing.{name}"] += 1
        raise RuntimeError(name)


class Liar:
    """Says that it is a module."""

    __class__ = types.ModuleType  # type: ignore[assignment]


class Loader(metaclass=Meta):
    """Loads, and cannot be named."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile("x = 1", "odd\nfile", "exec"), vars(module))


LONG = "long" * 250_000
NAMES = [
    "new\nline",
    "sur\udc80rogate",
    "lone\ud800",
    "nul\0",
    "",
    " ",
    ".",
    "..",
    "a..b",
    "x" * 300,
    LONG,
    "\u202e",
    "é",
]


def register() -> None:
    """Odd things and names in sys.modules."""
    for index, name in enumerate(NAMES):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[f"child{index}.{name}"] = types.ModuleType("child")
    for how in ("raises", "recurses", "blocks"):
        sys.modules[f"odd_{how}"] = odd_class(how)("odd")
    sys.modules["thing"] = Thing()  # type: ignore[assignment]
    sys.modules["liar"] = Liar()  # type: ignore[assignment]
    sys.modules["nothing"] = None  # type: ignore[assignment]
    sys.modules["number"] = 7  # type: ignore[assignment]
    sys.modules["meta"] = Meta("Named", (types.ModuleType,), {})("meta")  # type: ignore[assignment]
    sys.modules[7] = types.ModuleType("seven")  # type: ignore[index]
    sys.modules[Text("text")] = types.ModuleType("text")
    for index, file in enumerate(
        ("rel/a\0tive.py", "/sur\udc80.py", "/lone\ud800.py", "/new\nline.py", 7, Text("/t.py"), b"/b.py")
    ):
        module = types.ModuleType(f"file{index}")
        module.__file__ = file  # type: ignore[assignment]
        sys.modules[f"file{index}"] = module
    for index, origin in enumerate(("\0", "/" + LONG, 7, Text("built-in"))):
        module = types.ModuleType(f"origin{index}")
        module.__spec__ = ModuleSpec(f"origin{index}", Loader(), origin=origin)  # type: ignore[arg-type]
        sys.modules[f"origin{index}"] = module


def load(directory: Path) -> None:
    """Odd names on real files, and odd loaders."""
    source = directory / "source.py"
    source.write_text("y = 2")
    for name in NAMES:
        spec = importlib.util.spec_from_file_location(name, source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        print(repr(name)[:40], module.y)
    for name in ("odd.loaded", "odd\nloaded", LONG):
        spec = ModuleSpec(name, Loader())  # type: ignore[arg-type]
        module = importlib.util.module_from_spec(spec)
        Loader().exec_module(module)
        print(repr(name)[:40], module.x)
    for namespace in (
        {"__name__": Thing(), "__file__": Thing(), "__spec__": Thing(), "__loader__": Thing()},
        {"__name__": 7, "__file__": b"/x"},
        {"__name__": "n" * 2_000_000, "__file__": "/f" * 1_000_000},
        {"__name__": "__main__", "__spec__": None, "__file__": "\ud800"},
    ):
        exec(compile("z = 3", str(source), "exec"), namespace)
        print(namespace["z"])
    renamed = directory / "new\nline\udc80.py"
    os.rename(source, os.fsencode(renamed))
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    print(importlib.import_module("new\nline\udc80").y)


def refuse() -> None:
    """Imports that fail, as they do."""
    for name in ("nothing", "no.such", "nul\0", "", "\ud800", 7, None, ".relative"):
        attempt(name)


def attempt(name: Any) -> None:
    try:
        importlib.import_module(name)
        print(repr(name), "is there")
    except BaseException as exc:
        print(repr(name)[:40], type(exc).__name__, str(exc)[:80].encode("ascii", "backslashreplace"))


register()
load(Path(sys.argv[1]))
refuse()
before = dict(asked)
os.system("true")
print(sorted(before.items()))
sys.stdout.flush()
