"""What was touched, summed up: of each kind how often, and the names that came up most."""

from __future__ import annotations

import os
from collections import Counter

from ..reader import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOST_NAMES = 1000  # of a kind; what comes after them is counted without its name


def _program(event: dict[str, Any]) -> str:
    argv = event.get("argv")
    word = event.get("executable") or (argv[0] if isinstance(argv, list) and argv else None) or event.get("api")
    return os.path.basename(str(word))


def host(event: dict[str, Any]) -> str:
    """``host:port``, or the path of a Unix socket."""
    if event.get("host") is None:
        return str(event.get("path"))
    name, port = str(event["host"]), event.get("port")
    if port is None:
        return name
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def path(event: dict[str, Any]) -> str:
    """Of a file, whole where the event says the directory."""
    found = str(event.get("path"))
    cwd = event.get("cwd")
    return os.path.normpath(f"{cwd}/{found}") if isinstance(cwd, str) and found != "*" else found


def _module(event: dict[str, Any]) -> str:
    package = event.get("pkg")
    return str(package if package is not None else event.get("fullname") or event.get("file"))


def _code(event: dict[str, Any]) -> str:
    return " ".join(str(event[name]) for name in ("operation", "subject") if event.get(name) is not None)


# event -> what it is counted as, and its name there
_KINDS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "python_code_exec": ("code", _code),
    "python_file_open": ("files", path),
    "python_file_remove": ("files removed", path),
    "python_file_rename": ("files renamed", path),
    "python_import": ("imports", _module),
    "python_native_load": ("libraries", lambda event: str(event.get("path"))),
    "python_process_exec": ("processes", _program),
    "python_process_spawn": ("processes", _program),
    "python_socket_bind": ("addresses bound", host),
    "python_socket_connect": ("hosts", host),
    "python_socket_send": ("hosts", host),
}


def _since_told(count: object) -> int:
    """How many are new in an event that has this count: it was told at one and at each power of ten before."""
    return count - 10 ** (len(str(count - 1)) - 1) if isinstance(count, int) and count > 1 else 1


class Touches:
    """``add`` every event; ``counts`` has the sums."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Count it, if it touches anything."""
        kind = _KINDS.get(str(member(event, "meta", "name")))
        if kind is None:
            return
        label, naming = kind
        if label == "files" and event.get("mode") == "write":
            label = "files written"
        elif label == "files":
            label = "files read"
        names = self.counts.setdefault(label, Counter())
        name = naming(event)
        if name not in names and len(names) >= MOST_NAMES:
            name = "*"
        names[name] += _since_told(event.get("count"))

    def merge(self, other: Touches) -> None:
        """Add all of it."""
        for label, names in other.counts.items():
            self.counts.setdefault(label, Counter()).update(names)

    def as_json(self, top: int) -> dict[str, Any]:
        """``{"hosts": {"count": 3, "distinct": 2, "top": {"localhost:80": 2}}}``"""
        return {
            label: {"count": sum(names.values()), "distinct": len(names), "top": dict(names.most_common(top))}
            for label, names in sorted(self.counts.items())
        }
