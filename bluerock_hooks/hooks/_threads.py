"""Carries the request that is being served into threads, which inherit no context: nothing but our own variable.

Installed with the MCP hooks only. A thread that a request starts works for that request. A worker of a pool works for
whoever submits, and never for the request that happened to start it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _guard
from ._attribution import current, enter, leave, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events import Span

# Pickles what is submitted and runs it in another interpreter, where neither our function nor the span can go.
_ELSEWHERE = "concurrent.futures.interpreter"


def submit(original: Any) -> Callable[..., Any]:
    """``ThreadPoolExecutor.submit(self, fn, /, ...)``, which ``run_in_executor`` and asyncio's ``getaddrinfo`` call."""

    def submit(self_: Any, *args: Any, **kwargs: Any) -> Any:
        span = current()
        if span is None:
            return original(self_, *args, **kwargs)
        try:
            if args and not any(base.__module__ == _ELSEWHERE for base in type(self_).__mro__):
                args = (run, span, *args)
        except Exception as exc:
            _guard.swallow("threads.submit", exc)
        # What is submitted outside a request is not wrapped: the worker that may be started here begins without one.
        token = enter(None)
        try:
            return original(self_, *args, **kwargs)
        finally:
            leave(token)

    return submit


def start(original: Any) -> Callable[..., Any]:
    """``Thread.start(self)``."""

    def start(self_: Any, *args: Any, **kwargs: Any) -> Any:
        put_back = None
        span = current()
        if span is not None:
            try:
                put_back = _carry(self_, span)
            except Exception as exc:
                _guard.swallow("threads.start", exc)
        try:
            return original(self_, *args, **kwargs)
        except BaseException:  # passes on at once: the thread was started before, or the system has no more
            if put_back is not None:
                put_back()
            raise

    return start


def _carry(thread: Any, span: Span) -> Callable[[], None]:
    """Have ``thread`` run as a part of ``span``; returns what makes it as it was.

    Its ``run``, whoever defined it, is called by one of ours, which first puts everything back: nobody finds us there,
    and the circle of references is open again.
    """
    own = vars(thread)
    method = thread.run
    found = "run" in own

    def put_back() -> None:
        if found:
            own["run"] = method
        else:
            own.pop("run", None)

    def carried() -> Any:
        try:
            put_back()
        except Exception as exc:
            _guard.swallow("threads.run", exc)
        return run(span, method)

    own["run"] = carried
    return put_back
