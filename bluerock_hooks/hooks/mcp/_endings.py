"""Requests that end without an answer on the wire: timed out, cancelled, or left behind.

None of this runs for a request that is answered. A request that ended is remembered for a while: an answer that comes
all the same says that it is late, and an error that the SDK makes up for its caller is not taken for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard, _stdlib
from ...events import McpRequestEnded
from ._spans import plain_id

if TYPE_CHECKING:
    from ...events import End, Outcome, Role, Span
    from ._sessions import Connection

MAX_REASON = 200
_MAX_LATE = 64  # requests whose late answer is still expected

REQUEST_TIMEOUT = -32001
CONNECTION_CLOSED = -32000
_HTTP_TIMEOUT = 408  # 1.x

# Errors that the HTTP clients of the SDKs answer their own caller with, in place of what the server did not say; a text
# that ends in a colon goes on.
_MADE_UP = (
    (32600, "Session terminated"),  # 1.x, without the sign
    (-32600, "Session terminated"),
    (-32601, "Not Found"),
    (-32603, "Server returned an error response"),
    (-32600, "Unexpected content type: "),
    (-32700, "Failed to parse JSON response: "),
    (-32700, "Failed to parse SSE message: "),
)

CANCELLED: dict[str, Any] = {"code": -32800, "message": "Request cancelled"}
"""The error of a request that was cancelled, where the SDK writes it or nothing is written at all."""


class Ended:
    """What is remembered of a request that ended. ``made_up``: the answer that comes next is the SDK's own."""

    __slots__ = ("made_up", "outcome", "span")

    def __init__(self, span: Span, outcome: End, made_up: bool) -> None:
        self.span = span
        self.outcome = outcome
        self.made_up = made_up


def ended(
    connection: Connection,
    request_id: object,
    inbound: bool,
    outcome: End,
    *,
    code: object = None,
    reason: object = None,
    made_up: bool = False,
) -> None:
    """Record that an open request, received or sent, has ended without an answer; nothing where it is not open."""
    span = connection.close_request(request_id, inbound)
    if span is None:
        return
    if not inbound:
        over = connection.over
        if len(over) >= _MAX_LATE:
            del over[next(iter(over))]
        over[span.request_id] = Ended(span, outcome, made_up)
    _record(connection, span, inbound, outcome, code, reason)


def abandoned(connection: Connection, outcome: End = "abandoned") -> int:
    """End every request that is open on a connection that closes; returns how many there were."""
    count = 0
    for inbound in (False, True):
        for request_id in connection.open_requests(inbound):
            span = connection.close_request(request_id, inbound)
            if span is not None:
                count += 1
                _record(connection, span, inbound, "cancelled" if span.cancelled else outcome)
    return count


def _record(
    connection: Connection, span: Span, inbound: bool, outcome: End, code: object = None, reason: object = None
) -> None:
    side = connection.role
    request_id = plain_id(span.request_id)
    event = McpRequestEnded(
        id=request_id if request_id is not None else "",
        method=span.method,
        outcome=outcome,
        side=side,
        source=side if not inbound else other(side),
    )
    event.session_id = connection.session_id
    event.connection_id = connection.id
    event.transport = connection.endpoint.kind
    event.error_code = code if type(code) is int else None
    event.reason = reason[:MAX_REASON] if type(reason) is str else None
    event.duration_ms = elapsed_ms(span.started)
    connection.record(event, span)


def other(side: Role) -> Role:
    """The other side of a connection."""
    return "client" if side == "server" else "server"


def elapsed_ms(started: int) -> float:
    """Milliseconds since ``started`` monotonic nanoseconds, to the microsecond."""
    return (_stdlib.monotonic_ns() - started) // 1000 / 1000


def withdrawn(connection: Connection, params: dict[str, Any], inbound: bool) -> End | None:
    """Mark the request that a ``notifications/cancelled`` names; how it ended, where it ends with the notification.

    The 2.x SDK cancels what timed out, and says so in the reason.
    """
    span = connection.open_request(params.get("requestId"), inbound)
    if span is None:
        return None
    span.cancelled = True
    if inbound or not connection.withdraws:
        return None
    reason = params.get("reason")
    return "timeout" if type(reason) is str and reason.startswith("timed out") else "cancelled"


def unanswered(connection: Connection, span: Span, error: dict[str, Any]) -> None:
    """Record that a request, closed already, has no answer but this error, which the SDK made up for its caller."""
    _record(connection, span, False, "abandoned", error.get("code"), error.get("message"))


def given_up(connection: Connection | None, request_id: object, exc: BaseException) -> None:
    """The call that waits for an answer ends with ``exc``. Runs while ``exc`` is on its way to the host."""
    if connection is None:
        return
    try:
        outcome, code, reason = end_of(exc)
        ended(connection, request_id, False, outcome, code=code, reason=reason)
    except Exception as mine:
        _guard.swallow("mcp.given_up", mine)


def end_of(exc: BaseException) -> tuple[End, object, object]:
    """How a request ended whose call ends with ``exc``: outcome, and code and text of the SDK's error if it is one."""
    if is_cancellation(exc):
        return "cancelled", None, None
    error = getattr(exc, "error", None)
    code = getattr(error, "code", None)
    if code is None:
        return "abandoned", None, _stdlib.type_name(type(exc))
    outcome: End = "timeout" if code in (_HTTP_TIMEOUT, REQUEST_TIMEOUT) else "abandoned"
    return outcome, int(code), getattr(error, "message", None)


def is_cancellation(exc: BaseException) -> bool:
    """Is it what a cancelled task or a closed coroutine sees, of asyncio or trio?"""
    return _stdlib.type_name(type(exc)) in ("CancelledError", "Cancelled", "GeneratorExit")


def is_made_up(error: dict[str, Any]) -> bool:
    """Is this error, which came out of an HTTP client's stream, one that the client itself wrote?"""
    code, message = error.get("code"), error.get("message")
    if type(message) is not str:
        return False
    return any(
        code == known and (message.startswith(text) if text.endswith(": ") else message == text)
        for known, text in _MADE_UP
    )


def outcome_of(result: Any) -> Outcome:
    """How a request ended that has a result."""
    if type(result) is dict:
        if result.get("isError") is True:
            return "tool_error"
        if result.get("resultType") == "input_required":
            return "input_required"
    return "ok"


def failure(code: object, span: Span | None) -> Outcome:
    """How a request ended that has an error."""
    return "cancelled" if code == CANCELLED["code"] or (span is not None and span.cancelled) else "error"
