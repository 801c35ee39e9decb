"""What a collector makes of an event, worked out once more in Python from the words of ``deploy/README.md``."""

from __future__ import annotations

import calendar
import json
import time
from typing import Any

_PIPES = {"stdio": "pipe", "http": "tcp", "sse": "tcp", "websocket": "tcp"}
_NAMED_BY_METHOD = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}
NUMBERS = ("process.pid", "bluerock.event.number", "bluerock.duration_ms")


def unique_id(line: str) -> tuple[str, int]:
    """What tells an event from every other."""
    meta = json.loads(line)["event"]["meta"]
    return meta["component_id"], meta["source_event_id"]


def time_ns(line: str) -> int:
    """``ts`` as nanoseconds since 1970."""
    seconds, _, rest = json.loads(line)["ts"].rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(rest.ljust(9, "0"))


def severity(event: dict[str, Any]) -> str:
    """``error``, ``warn`` or ``info``."""
    name = event["meta"]["name"]
    if (
        name in ("python_events_dropped", "python_internal_exception")
        or event.get("record") == "mismatch"
        or event.get("pyc") == "stale"
        or event.get("shadows_stdlib") is True
    ):
        return "error"
    if (
        name == "python_mcp_rejected"
        or event.get("outcome") in ("error", "tool_error", "timeout", "abandoned")
        or any(event.get(field) is not None for field in ("replaces", "error", "signal"))
        or event.get("returncode", 0) != 0
    ):
        return "warn"
    return "info"


def labels(line: str, host: str, service: str) -> dict[str, str]:
    """What tells streams apart."""
    event = json.loads(line)["event"]
    return {
        "service.name": service,
        "host.name": host,
        "event.name": event["meta"]["name"],
        "event.type": event["meta"]["type"],
        "severity": severity(event),
    }


def metadata(line: str) -> dict[str, Any]:
    """What goes beside the line."""
    event = json.loads(line)["event"]
    mcp = event["context"].get("mcp", {})
    method = mcp.get("method", event.get("method"))
    named = _NAMED_BY_METHOD.get(str(method))
    if named is None and str(method).startswith("resources/"):
        named = "mcp.resource.uri"
    request = mcp.get("request_id", event.get("id"))
    error = event.get("error_code")
    if error is None and event.get("outcome") in ("tool_error", "timeout", "cancelled", "abandoned"):
        error = event["outcome"]
    found = {
        "bluerock.component.id": event["meta"]["component_id"],
        "bluerock.event.number": event["meta"]["source_event_id"],
        "process.pid": event["context"]["process"]["pid"],
        "mcp.method.name": method,
        "jsonrpc.request.id": None if request is None else str(request),
        "mcp.session.id": event.get("session_id", mcp.get("session_id")),
        "mcp.protocol.version": event.get("protocol_version"),
        "network.transport": _PIPES.get(event.get("transport", "")),
        "error.type": None if error is None else str(error),
        "bluerock.connection.id": event.get("connection_id"),
        "bluerock.span.id": mcp.get("span_id"),
        "bluerock.parent_span.id": mcp.get("parent_span_id"),
        "bluerock.server.name": event.get("server_name"),
        "bluerock.client.name": event.get("client_name"),
        "bluerock.message": event.get("event"),
        "bluerock.outcome": event.get("outcome"),
        "bluerock.duration_ms": event.get("duration_ms"),
    }
    if named is not None:
        found[named] = mcp.get("tool")
    return {name: value for name, value in found.items() if value is not None}


def trace(line: str) -> tuple[str, str]:
    """Trace id and span id, empty where the event has none."""
    parts = json.loads(line)["event"].get("trace_parent", "").split("-")
    return (parts[1], parts[2]) if len(parts) == 4 else ("", "")
