"""JSON of plain values without msgspec, for events of a process that never touches MCP.

msgspec costs 20 ms and more to import, ``json`` 5-8 ms; the C functions that they and ``json`` share cost nothing.
"""

from __future__ import annotations

from _json import encode_basestring_ascii as quote
from _json import make_scanner, scanstring

from . import _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


__all__ = ["dumps", "loads", "member", "members", "quote"]


class _Grammar:
    """What ``json.JSONDecoder`` tells the scanner."""

    strict = True
    parse_float, parse_int, parse_constant = float, int, float

    def __getattr__(self, name: str) -> None:
        """Hooks for objects, pairs and, since 3.15, arrays: there are none."""


_scan = make_scanner(_Grammar())  # type: ignore[arg-type]


def loads(text: str) -> dict[str, Any]:
    """The object that ``dumps`` wrote. ValueError, or StopIteration, for what is no JSON."""
    value, end = _scan(text, 0)
    if end != len(text) or type(value) is not dict:
        raise ValueError("not one JSON object")
    return value


def member(line: bytes, name: bytes) -> str | None:
    """The text of a member of a line that ``quote`` has a part in: of the first of that name, None if there is none.

    Text has no quotation mark that is not behind a backslash, so nothing in a value looks like a member.
    """
    start = line.find(b',"%b":"' % name)
    if start < 0:
        return None
    start += len(name) + len(',"":"')
    text = line[start : line.find(b'"', start)]
    if b"\\" in text:
        return scanstring(line.decode("ascii"), start, True)[0]
    return text.decode("ascii")


def members(fields: Mapping[str, object]) -> str:
    """What stands between the braces of an object."""
    # Most values are text and numbers, and a call for each would be most of the work.
    return ",".join(
        [
            f"{quote(name)}:{quote(value) if type(value) is str else value if type(value) is int else dumps(value)}"
            for name, value in fields.items()
            if value is not None
        ]
    )


def dumps(value: object) -> str:
    """Compact JSON of None, bool, int, float, str, list, tuple and dict with string keys; of anything else, its type.

    ``None`` members of a dict are left out: what is unknown is not written.
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    kind = type(value)
    if kind is str:
        return quote(value)  # type: ignore[arg-type]
    if kind is int:
        return str(value)
    if kind is float:
        text = repr(value)
        return text if text[-1].isdigit() else "null"
    if kind is dict:
        return "{" + members(value) + "}"  # type: ignore[arg-type]
    if kind is list or kind is tuple:
        # Mostly all text, and a call of ours for each would be most of the work.
        each = quote if set(map(type, value)) == {str} else dumps  # type: ignore[call-overload]
        return "[" + ",".join(map(each, value)) + "]"  # type: ignore[call-overload]
    return quote(_stdlib.type_name(kind))
