"""What an independent wire log says, in the same terms as our events, so that the two can be compared one by one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

TEE = Path(__file__).with_name("_tee.py")

# (class of message, direction) -> what the side that wrote it and the side that read it call the event
NAMES = {
    ("request", "c2s"): ("client_send_request", "server_received_request"),
    ("response", "s2c"): ("server_send_response", "client_received_response"),
    ("notification", "c2s"): ("client_send_notification", "server_received_notification"),
    ("notification", "s2c"): ("server_send_notification", "client_received_notification"),
    ("request", "s2c"): ("server_send_request", "client_received_request"),
    ("response", "c2s"): ("client_send_response", "server_received_response"),
}


def key(message: dict[str, Any]) -> tuple[str, str]:
    """What tells one message from another: its id or, of a notification, its method and parameters."""
    if "id" in message or "method" not in message:  # the answer to what was no message has the id null, or none
        return json.dumps(message.get("id")), str(message.get("method"))
    return "", json.dumps([message["method"], message.get("params")], sort_keys=True)


def kind(message: dict[str, Any]) -> str:
    """``request``, ``notification`` or ``response``."""
    if "method" not in message:
        return "response"
    return "request" if "id" in message else "notification"


def messages_of_tee(log: Path) -> list[tuple[str, dict[str, Any]]]:
    """``(direction, message)`` of each line of a tee's log."""
    lines = log.read_bytes().splitlines()
    return [("c2s" if line.startswith(b"> ") else "s2c", json.loads(line[2:])) for line in lines]


def expected(wire: Iterable[tuple[str, dict[str, Any]]], side: str) -> Counter[tuple[str, tuple[str, str]]]:
    """How often one side must have recorded each message of the wire."""
    counts: Counter[tuple[str, tuple[str, str]]] = Counter()
    for direction, message in wire:
        writer, reader = NAMES[kind(message), direction]
        counts[writer if writer.startswith(side) else reader, key(message)] += 1
    return counts


def recorded(events: Iterable[dict[str, Any]], side: str) -> Counter[tuple[str, tuple[str, str]]]:
    """How often one side recorded each message."""
    counts: Counter[tuple[str, tuple[str, str]]] = Counter()
    for line in events:
        event = line["event"]
        if event["meta"]["name"] == "python_mcp_event" and event["event"].startswith(side):
            counts[event["event"], key(event["message"])] += 1
    return counts
