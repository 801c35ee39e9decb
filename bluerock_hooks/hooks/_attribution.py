"""The MCP request that is being served here and now: set around its handler, read by every other hook.

Kept in a context variable, so that concurrent requests of one event loop never mix, and tasks, ``to_thread`` calls and
callbacks that the handler starts inherit it.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..events import Span

CURRENT: ContextVar[Span | None] = ContextVar("bluerock_request", default=None)

current = CURRENT.get
