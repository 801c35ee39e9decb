"""The one guard: what goes wrong in our code is counted here and kept from the host.

Every entry of ours into the host's control flow looks the same::

    try:
        ...  # our step
    except Exception as exc:
        _guard.swallow("mcp.tap", exc)

``swallow`` returns for our own failures and re-raises what belongs to the host: an exception its signal handler raised
while our code was on the stack, or one that was injected into the thread. ``BaseException`` is never caught at all.
"""

from __future__ import annotations

from . import _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_PACKAGE = __name__.rpartition(".")[0]
HERE = __file__[: -len("_guard.py")]
"""What the file names of our code begin with."""

_DISTINCT = 32  # different (place, error) pairs that are remembered by name; the count covers all

# What code of ours can raise by itself. An exception of another type whose innermost frame is ours was not raised by a
# statement of ours: somebody put it there (PyThreadState_SetAsyncExc is how timeout libraries do it).
_OWN_MODULES = frozenset(
    ("builtins", "msgspec", "msgspec._core", "zlib", "struct", "re", "re._constants", "_struct", "mmap")
)

caught = 0
places: dict[tuple[str, str], int] = {}

# Tests set this to see what would have been swallowed: the suite refuses to fail open.
observer: Callable[[str, Exception], None] | None = None


def swallow(place: str, exc: Exception) -> None:
    """Count ``exc`` against ``place``, or re-raise it where it is the host's own.

    Call it only from an ``except Exception`` clause, so that what is raised again keeps its traceback.
    """
    if is_host_exception(exc):
        raise exc
    global caught
    caught += 1
    key = (place, _describe(exc))
    if key in places or len(places) < _DISTINCT:
        places[key] = places.get(key, 0) + 1
    if observer is not None:
        observer(place, exc)


def give_back(exc: BaseException) -> None:
    """Re-raise ``exc`` where it is the host's own: the first line of a clause that expects, say, an ``OSError``.

    ``TimeoutError`` is one, and a favourite of signal handlers.
    """
    if is_host_exception(exc):
        raise exc


def attempt(place: str, step: Callable[..., object], *arguments: object) -> None:
    """``step(*arguments)``; what it raises is swallowed."""
    try:
        step(*arguments)
    except Exception as exc:
        swallow(place, exc)


def is_host_exception(exc: BaseException) -> bool:
    """Does ``exc``, caught while our code was on the stack, belong to the host?

    A bare ``except Exception: pass`` swallowed 72-88 % of the exceptions that a host's signal handler raised through
    us: a time-out that never fires. Two kinds are the host's:

    * one of its traceback frames runs a signal handler that is installed right now;
    * it was injected: its innermost frame is ours, and its type is none that our statements raise.

    What a host object's own method raises when we look at it (innermost frame the host's, no handler) is our failure:
    we should not have asked.
    """
    tb = exc.__traceback__
    handlers: set[CodeType] | None = None
    innermost = ""
    while tb is not None:
        code = tb.tb_frame.f_code
        innermost = code.co_filename
        if not innermost.startswith(HERE):
            if handlers is None:
                handlers = _handler_codes()
            if code in handlers:
                return True
        tb = tb.tb_next
    if not innermost.startswith(HERE):
        return False
    module = _module(type(exc))
    return not (module in _OWN_MODULES or module == _PACKAGE or module.startswith(_PACKAGE + "."))


def reset() -> None:
    """Start counting anew: a forked child answers only for itself."""
    global caught
    caught = 0
    places.clear()


def _describe(exc: Exception) -> str:
    # The type and, of built-in types only, the text: str() of a foreign exception runs foreign code.
    kind = type(exc)
    module = _module(kind)
    if module == "builtins":
        return f"{kind.__name__}: {exc}"[:200]
    return f"{module}.{_stdlib.type_qualname(kind)}"[:200]


def _module(kind: type) -> str:
    """Where a class says that it is from; its metaclass, which is foreign code, is not asked."""
    try:
        module = _stdlib.type_module(kind)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def _handler_codes() -> set[CodeType]:
    """Code objects of the Python signal handlers installed now. Looked at only when something was raised."""
    codes: set[CodeType] = set()
    for number in range(1, _stdlib.NSIG):
        try:
            handler = _stdlib.getsignal(number)
        except (OSError, ValueError):
            continue
        # A handler may be a function, a bound method, a functools.partial, or an object with __call__.
        for candidate in (
            handler,
            getattr(handler, "func", None),
            getattr(handler, "__wrapped__", None),
            vars(type(handler)).get("__call__"),
        ):
            code = getattr(getattr(candidate, "__func__", candidate), "__code__", None)
            if code is not None:
                codes.add(code)
    return codes
