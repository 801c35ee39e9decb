"""JSON of plain values without msgspec, for the few events of a process that never touches MCP.

msgspec costs 20 ms and more to import, ``json`` 5-8 ms; the C function that quotes a string costs nothing.
"""

from __future__ import annotations

from _json import encode_basestring_ascii as _quote


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
