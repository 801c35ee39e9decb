"""Which generation of the SDK is here, and what this version of it has no place for any more.

A future SDK must fail loudly: a hook whose attribute is gone is reported when its module is imported, one whose whole
module is gone is looked for here, and one that is in place but passed by is noticed when the first transport closes.
"""

from __future__ import annotations

import sys

from ... import _guard, _stdlib
from .._rows import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._rows import Patch

# What one generation has and the other has not. One of them may go without making the SDK unknown to us.
_MARKS = {
    "1": ("shared/session.py", "client/websocket.py", "server/websocket.py", "server/fastmcp/__init__.py"),
    "2": ("shared/jsonrpc_dispatcher.py", "shared/direct_dispatcher.py", "server/runner.py", "server/mcpserver"),
}
_known: dict[str, str] = {}


def generation() -> str:
    """``"1"`` or ``"2"`` for the SDK that is imported, an empty string for one that is neither."""
    for root in getattr(sys.modules.get("mcp"), "__path__", ()):
        if root not in _known:
            counts = {
                name: sum(_stdlib.access(f"{root}/{mark}", 0) for mark in marks) for name, marks in _MARKS.items()
            }
            likely = max(counts, key=lambda name: counts[name])
            _known[root] = likely if counts[likely] else ""
        if _known[root]:
            return _known[root]
    return ""


def missing(rows: Iterable[Patch]) -> list[Outcome]:
    """The required rows for this generation whose whole module is not in the SDK: nothing will ever apply them."""
    known = generation()
    wanted = [row for row in rows if row.required and row.module.startswith("mcp.") and (not known or known in row.sdk)]
    gone = {name for name in {row.module for row in wanted} if not _exists(name)}
    return [lost(row, "absent", f"there is no module {row.module}") for row in wanted if row.module in gone]


def unreached(rows: Iterable[Patch]) -> list[Outcome]:
    """Those of the applied rows that should have seen the messages of a transport that was used, when nothing did."""
    known = generation()
    wanted = [row for row in rows if row.required and row.sees.startswith("every message") and known in row.sdk]
    return [lost(row, "unused", "a transport was used, and no message was seen") for row in wanted]


def lost(row: Patch, outcome: str, why: str) -> Outcome:
    """What is reported of a row that does not do its work."""
    return Outcome(row, outcome, f"{why}, in mcp {_version()}")


def _exists(module: str) -> bool:
    """Is there such a module of the imported package? Nothing is imported to find out."""
    if module in sys.modules:
        return True
    _, *parents, name = module.split(".")
    for root in getattr(sys.modules.get("mcp"), "__path__", ()):
        try:
            entries = _stdlib.listdir("/".join((root, *parents)))
        except OSError as exc:
            _guard.give_back(exc)
            continue
        if any(entry == name or entry.startswith(f"{name}.") for entry in entries):
            return True
    return False


def _version() -> str:
    from importlib import metadata  # slow to load, and only for what should not happen

    try:
        return metadata.version("mcp")
    except metadata.PackageNotFoundError:
        return "of an unknown version"
