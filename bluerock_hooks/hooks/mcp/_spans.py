"""Spans of requests whose message is not at hand, and what a request may be called."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from ... import _stdlib
from ...events import Span

if TYPE_CHECKING:
    from .. import Recording
    from ._sessions import Connection

_MAX_ID = 256

SERVING: ContextVar[Connection | None] = ContextVar("bluerock_serving", default=None)
"""The connection of a request that did not come through a tapped stream: one HTTP exchange, or the in-process peer."""


def served(recording: Recording, connection: Connection | None, method: str, request_id: int | str) -> Span:
    """The span of a request whose handler starts: that of its message or, where none was seen here, one of its own."""
    span = connection.open_request(request_id, True) if connection is not None else None
    if span is not None:
        return span
    return Span(method, None, request_id, None, recording.new_id(), None, _stdlib.monotonic_ns())


def unnamed(recording: Recording, session_id: str | None) -> Span:
    """The span of a request that nobody can name: what there is of it belongs together all the same."""
    return Span(None, None, None, session_id, recording.new_id(), None, _stdlib.monotonic_ns())


def plain_method(value: object) -> str:
    """A method's name as it may be recorded."""
    return value[:_MAX_ID] if type(value) is str else f"<{_stdlib.type_name(type(value))}>"


def plain_id(value: object) -> int | str | None:
    """A JSON-RPC id as it may be recorded; None for what is none."""
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else hex(value)[:_MAX_ID]
    if type(value) is str:
        return value[:_MAX_ID]
    return None


def key_of(request_id: object) -> int | str | None:
    """What an open request is found by: its id; None, which is no id, stands for the request that has none."""
    return request_id if type(request_id) is int else plain_id(request_id)
