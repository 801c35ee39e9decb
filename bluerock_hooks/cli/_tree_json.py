"""Trees for programs."""

from __future__ import annotations

from .. import _clock
from ._trees import CallNode, ProcessNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._calls import Program, Side
    from ._touches import Touches
    from ._trees import Node

TOP = 10  # names of a kind outside of requests


def as_json(node: Node, origin: int) -> dict[str, Any]:
    """A node for programs: its kind, its offset, the event's own members, and ``children``; unknown is left out."""
    found: dict[str, Any] = {"kind": node.kind, "at_ms": (node.at - origin) / 1000, **node.fields}
    if node.count > 1:
        found["count"] = node.count
    if node.count > 1 and node.last is not None:
        found["last_at_ms"] = (node.last - origin) / 1000
    if node.late:
        found["late"] = True
    if node.received is not None:
        found["received_at_ms"] = (node.received - origin) / 1000
    if isinstance(node, CallNode):
        found.update(_call_json(node, origin))
    elif isinstance(node, ProcessNode):
        found.update(_process_json(node))
    if node.children:
        found["children"] = [as_json(child, origin) for child in node.in_order()]
    return found


def _call_json(node: CallNode, origin: int) -> dict[str, Any]:
    call = node.call
    found = {
        "ts": _clock.utc_text(call.start * 1000), "method": call.method, "tool": call.tool, "id": call.id,
        "outcome": call.outcome, "duration_ms": call.duration_ms, "error_code": call.error_code,
        "transport": call.transport, "session_id": call.session, "server_name": call.server,
        "client_name": call.client, "sender": _side_json(call.sender, origin),
        "receiver": _side_json(call.receiver, origin), "resumes": call.resumes is not None or None,
        "params": node.params, "answer": node.answer,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _side_json(side: Side | None, origin: int) -> dict[str, Any] | None:
    if side is None:
        return None
    found = {
        "pid": side.pid, "span_id": side.span, "connection_id": side.connection,
        "at_ms": (side.start - origin) / 1000, "duration_ms": side.duration_ms, "outcome": side.outcome,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _process_json(node: ProcessNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if node.exit is not None:
        found["exit"] = {name: node.exit[name] for name in ("returncode", "signal", "duration_ms") if name in node.exit}
    if node.program is not None:
        program = node.program
        found["sensor"] = {"pid": program.pid, "component_id": program.component, **program.info,
                           "ended": program.ended}  # fmt: skip
    return found


def outside_json(program: Program, touches: Touches) -> dict[str, Any]:
    """What a program did that belongs to no request: counts, and the names that came up most."""
    return {
        "kind": "outside", "ts": _clock.utc_text(program.first * 1000), "pid": program.pid,
        "component_id": program.component, **program.info, "ended": program.ended, "touched": touches.as_json(TOP),
    }  # fmt: skip
