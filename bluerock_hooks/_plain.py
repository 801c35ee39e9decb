"""JSON of plain values without msgspec, for events of a process that never touches MCP.

msgspec costs 20 ms and more to import, ``json`` 5-8 ms; the C functions that they and ``json`` share cost nothing.
"""

from __future__ import annotations

from _json import encode_basestring_ascii as _quote
from _json import make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Grammar:
    """What ``json.JSONDecoder`` tells the scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


_scan = make_scanner(_Grammar)  # type: ignore[arg-type]


def loads(text: str) -> dict[str, Any]:
    """The object that ``dumps`` wrote. ValueError, or StopIteration, for what is no JSON."""
    value, end = _scan(text, 0)
    if end != len(text) or type(value) is not dict:
        raise ValueError("not one JSON object")
    return value


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
        return _quote(value)  # type: ignore[arg-type]
    if kind is int:
        return str(value)
    if kind is float:
        text = repr(value)
        return text if text[-1].isdigit() else "null"
    if kind is dict:
        items = value.items()  # type: ignore[attr-defined]
        return "{" + ",".join(f"{_quote(k)}:{dumps(v)}" for k, v in items if v is not None) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join(map(dumps, value)) + "]"  # type: ignore[call-overload]
    return _quote(kind.__name__)
