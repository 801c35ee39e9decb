"""The MCP request that is being served here and now: set around its handler, read by every other hook.

``current()`` is all that a reader needs: the span of that request, or ``None``. It is kept in a context variable, so
that concurrent requests of one event loop never mix, and tasks, ``to_thread`` calls and callbacks that the handler
starts inherit it; ``_threads`` carries it into the threads that inherit nothing. What a handler started may outlive
it: ``span.ended`` says that the handler has returned, and that what happens now is late work of an answered request.

A hook that has a span of its own calls ``enter`` before the work and ``leave`` after it, or ``run`` around it.
"""

from __future__ import annotations

from contextvars import ContextVar

from .. import _guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from typing import Any

    from ..events import Span

_CURRENT: ContextVar[Span | None] = ContextVar("bluerock_request", default=None)

current = _CURRENT.get

enter = _CURRENT.set
"""``enter(span)`` makes it the current one in this context; ``None`` says that what follows belongs to no request."""


_listeners: list[Callable[[Span], None]] = []


def when_over(listener: Callable[[Span], None]) -> None:
    """Have ``listener(span)`` called when the handler of a request has returned. Twice is once."""
    if listener not in _listeners:
        _listeners.append(listener)


def over(span: Span) -> None:
    """The handler of this request has returned: what still happens on its behalf is late."""
    span.ended = True
    try:
        for listener in _listeners:
            listener(span)
    except Exception as exc:
        _guard.swallow("over", exc)


def leave(token: Token[Any]) -> None:
    """Take back what ``enter`` did, or the ``set`` of any other variable of ours. Never raises."""
    try:
        token.var.reset(token)
    except (RuntimeError, ValueError) as exc:
        # A coroutine that was never finished is closed in somebody else's context: there is nothing to take back.
        _guard.give_back(exc)


def run(span: Span | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What ``function(*args, **kwargs)`` returns, called as a part of ``span``."""
    token = enter(span)
    try:
        return function(*args, **kwargs)
    finally:
        leave(token)
