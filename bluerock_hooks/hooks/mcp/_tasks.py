"""Background tasks of fastmcp: docket queues a tool call and a worker runs it later, for the request that asked for it.

A worker has a context of its own. Where it runs in the process that queued the task, the request is remembered by the
task's key; a worker in another process knows what the key says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ... import _guard, _stdlib
from ...events import Span
from .._attribution import current, enter, leave
from .._patch import argument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .. import Recording

_MAX_TASKS = 4096
_METHODS = {"tool": "tools/call", "resource": "resources/read", "template": "resources/read", "prompt": "prompts/get"}


class Tasks:
    """Replacements for the two ends of docket's queue."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._queued: dict[str, Span] = {}

    def schedule(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``Execution.schedule(self, ...)``: a task is queued."""

        async def schedule(self_: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                span = current()
                if span is not None:
                    self._remember(self_.key, span)
            except Exception as exc:
                _guard.swallow("mcp.schedule", exc)
            return await original(self_, *args, **kwargs)

        return schedule

    def execute(self, original: Any) -> Callable[..., Awaitable[Any]]:
        """``Worker._execute(self, execution, ...)``: runs in the task's own asyncio task."""

        async def _execute(self_: Any, *args: Any, **kwargs: Any) -> Any:
            token = None
            try:
                # None where the task is nobody's: the worker may have been started by a request.
                token = enter(self._span(argument(args, kwargs, 0, "execution").key))
            except Exception as exc:
                _guard.swallow("mcp.execute", exc)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if token is not None:
                    leave(token)

        return _execute

    def _span(self, key: str) -> Span | None:
        span = self._queued.get(key)  # kept: a task that has to wait or fails is executed again
        if span is None:
            found = _request(key)
            if found is None:
                return None
            method, name, session_id = found
            name, span_id = self._recording.clean(name), self._recording.new_id()
            span = Span(method, name, None, session_id, span_id, None, _stdlib.monotonic_ns())
            self._remember(key, span)
        return span

    def _remember(self, key: str, span: Span) -> None:
        if len(self._queued) >= _MAX_TASKS:
            del self._queued[next(iter(self._queued))]
        self._queued[key] = span


def _request(key: str) -> tuple[str, str, str | None] | None:
    """Method, name of the element and session of the request that fastmcp describes in a key, its parts quoted.

    ``session:task:type:name``, ``anon:task:type:name`` or ``auth:scope:task:type:name``.
    """
    parts = key.split(":")
    scope = parts[0]
    if len(parts) != (5 if scope == "auth" else 4):
        return None
    kind, name = parts[-2], unquote(parts[-1])
    method = _METHODS.get(kind)
    if method is None:
        return None
    if name.startswith(f"{kind}:"):  # since 3.0: "tool:name@version"
        name = name[len(kind) + 1 :].rpartition("@")[0]
    return method, name, None if scope in ("anon", "auth") else scope
