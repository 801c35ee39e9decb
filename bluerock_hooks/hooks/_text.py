"""What the host passes as a path, name or argument, as text: looked at, never called, but for ``pathlib``'s own."""

from __future__ import annotations

from .. import _guard, _stdlib


def text(value: object) -> str:
    """``value`` as text that any JSON reader takes; the name of its type where it is neither text nor path."""
    kind = type(value)
    if kind is str and value.isascii():  # type: ignore[attr-defined]
        return value  # type: ignore[return-value]
    if kind is bytes:
        return value.decode("utf-8", "backslashreplace")  # type: ignore[attr-defined,no-any-return]
    if kind is not str and _is_path(kind):
        value = str(value)
    if type(value) is str:
        return value.encode("utf-8", "backslashreplace").decode()
    return f"<{_stdlib.type_name(kind)}>"


def _is_path(kind: type) -> bool:
    try:
        module = _stdlib.type_module(kind)
    except AttributeError:
        return False
    return type(module) is str and module.partition(".")[0] == "pathlib"


def working_directory() -> str | None:
    """Where the process is, as text; None where that directory is gone."""
    try:
        return text(_stdlib.getcwd())
    except OSError as exc:
        _guard.give_back(exc)
        return None
