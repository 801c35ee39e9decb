"""Events that are hard on a mapping: one of each kind from real runs, and what is rare in real ones."""

from __future__ import annotations

from typing import Any

from _command import line
from _peers import ROOT

EXAMPLES = (ROOT / "docs" / "examples.ndjson").read_text().splitlines()
CALL: dict[str, Any] = {"method": "tools/call", "tool": "add", "span_id": "0000000000000001"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def hard() -> list[str]:
    """Lines without newlines, all different."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("python_mcp_event", {"mcp": {**CALL, "request_id": 2**53 - 1}, "trace_parent": TRACE}),
        ("python_mcp_event", {"mcp": {**CALL, "request_id": "x-7"}, "trace_parent": "nonsense"}),
        ("python_mcp_event", {"mcp": {**CALL, "request_id": 0}, "outcome": "error", "error_code": -32602}),
        ("python_mcp_event", {"id": 5, "method": "ping", "transport": "http", "session_id": "s1", "outcome": "ok"}),
        ("python_mcp_event", {"method": "notifications/progress", "transport": "memory"}),
        ("python_mcp_event", {"mcp": {"method": "prompts/get", "tool": "summarise", "parent_span_id": "f"}}),
        ("python_mcp_event", {"mcp": {"method": "resources/read", "tool": "notes://welcome"}}),
        ("python_mcp_event", {"mcp": {"method": "tools/call"}, "outcome": "cancelled", "duration_ms": 0.001}),
        ("python_mcp_event", {"mcp": CALL, "outcome": "tool_error", "duration_ms": 1234567.125}),
        (
            "python_mcp_event",
            {"mcp": CALL, "text": 'quotes " and \\ and \t and \n and \x7f and / and {} and $x %s @a:b'},
        ),
        ("python_mcp_event", {"mcp": {**CALL, "tool": "ünïcode — 工具 \U0001f600"}, "server_name": 'a "b" \\ c'}),
        ("python_mcp_event", {"mcp": CALL, "text": "long" * 60_000}),
        ("python_mcp_request_ended", {"id": 1, "method": "tools/call", "outcome": "abandoned", "side": "client"}),
        ("python_mcp_server_add", {"replaces": "0" * 64}),
        ("python_import", {"record": "mismatch"}),
        ("python_import", {"pyc": "stale"}),
        ("python_import", {"shadows_stdlib": True}),
        ("python_process_exit", {"spawn_id": "s", "returncode": 0}),
        ("python_process_exit", {"spawn_id": "s", "returncode": -1}),
        ("python_process_exit", {"spawn_id": "s", "signal": "SIGKILL"}),
        ("python_process_spawn", {"spawn_id": "s", "api": "os.fork", "error": "OSError"}),
    ]
    made = [line(number, name, component="hard", **fields).decode() for number, (name, fields) in enumerate(events, 1)]
    # As recovery leaves it where an event was not completed.
    return [*EXAMPLES, *made, " " + line(999, "python_import", component="hard").decode()]
