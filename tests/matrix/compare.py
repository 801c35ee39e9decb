"""Judges a cell: every message of the wire is one event of each side, whole, and belongs to the right request.

``DIFFERENCES`` lists what the SDK itself tells one side and never puts on the wire.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from _peers import named
from _wire import NAMES, kind

from .stage.steps import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .cells import Cell
    from .play import Played

Seen = Counter[tuple[str, str]]
"""(name of the event, the message as JSON) -> how often."""


class Difference(NamedTuple):
    """Events of a side that have no message on the wire, and why. A message without an event is never right."""

    event: str
    where: Callable[[Cell], bool]
    message: Callable[[dict[str, Any]], bool]
    reason: str


CONNECTION_CLOSED = -32000

DIFFERENCES = [
    Difference(
        "server_send_notification",
        where=lambda cell: bool(cell.words) and cell.era == "2025",
        message=lambda message: True,
        reason="HTTP that answers in JSON, or without sessions, takes a handler's notifications and discards them",
    ),
    Difference(
        "server_send_response",
        where=lambda cell: cell.words == ["stateless"] and cell.on_mcp_2,
        message=lambda message: message.get("error", {}).get("code") == CONNECTION_CLOSED,
        reason="HTTP without sessions of 2.x answers a cancelled call when its client has left",
    ),
    Difference(
        "client_send_notification",
        where=lambda cell: cell.transport == "http" and cell.era == "2026",
        message=lambda message: message["method"] == "notifications/cancelled",
        reason="HTTP of 2026-07-28 has no such message: the client's transport closes the stream instead",
    ),
]


def problems(cell: Cell, lit: Played, dark: Played, used: set[int] | None = None) -> list[str]:
    """What is wrong with a cell, a line each. Rows of ``DIFFERENCES`` that were needed are added to ``used``."""
    events = lit.events
    found = [*_harm(lit, dark), *_health(events)]
    if not lit.wire:
        found.append("the witness saw nothing")
    for side in ("client", "server"):
        found += _side(cell, lit, side, set() if used is None else used)
    return [*found, *_pairs(events), *_ends(events), *_children(cell, events), *_constants(cell, events)]


def _harm(lit: Played, dark: Played) -> list[str]:
    found = []
    if lit.said != dark.said:
        found.append(f"the client says with the sensor\n{lit.said}and without\n{dark.said}")
    if _headlines(lit.complained) != _headlines(dark.complained):
        found.append(f"on stderr with the sensor\n{lit.complained}and without\n{dark.complained}")
    return found


def _headlines(stderr: str) -> list[str]:
    """Without the insides of tracebacks, which may show that we are there, and without addresses."""
    return [re.sub("0x[0-9a-f]+", "0x", line) for line in stderr.splitlines() if not line.startswith(" ")]


def _health(events: list[dict[str, Any]]) -> list[str]:
    found = [f"lost: {event}" for event in named(events, "python_events_dropped")]
    for event in named(events, "sensor_hooks"):
        found += [
            f"hook: {hook}"
            for hook in event["hooks"]
            if hook["outcome"] == "failed" or (hook.get("required") and hook["outcome"] != "applied")
        ]
    return found


def _side(cell: Cell, played: Played, side: str, used: set[int]) -> list[str]:
    """Messages without an event, events without a message."""
    # In process the two sides number the same call differently; the witness sees the server's numbers.
    numbered = not (cell.direct and side == "client")
    wire, events = _on_wire(played.wire, side, numbered), _in_events(played.events, side, numbered)
    found = [f"no event: {count} {name} {text[:300]}" for (name, text), count in (wire - events).items()]
    for (name, text), count in (events - wire).items():
        row = _known(cell, name, json.loads(text))
        if row is None:
            found.append(f"event without a message: {count} {name} {text[:300]}")
        else:
            used.add(row)
    return found


def _known(cell: Cell, name: str, message: dict[str, Any]) -> int | None:
    for number, row in enumerate(DIFFERENCES):
        if row.event == name and row.where(cell) and row.message(message):
            return number
    return None


def _on_wire(wire: Iterable[tuple[str, dict[str, Any]]], side: str, numbered: bool) -> Seen:
    seen: Seen = Counter()
    for direction, message in wire:
        writer, reader = NAMES[kind(message), direction]
        seen[writer if writer.startswith(side) else reader, _text(message, numbered)] += 1
    return seen


def _in_events(events: list[dict[str, Any]], side: str, numbered: bool) -> Seen:
    seen: Seen = Counter()
    for event in named(events, "python_mcp_event"):
        if event["event"].startswith(side):
            seen[event["event"], _text(event["message"], numbered)] += 1
            if event.get("id") != event["message"].get("id"):
                seen["id of its message", _text(event, True)] += 1
    return seen


def _text(message: dict[str, Any], numbered: bool) -> str:
    """The whole message, in one spelling."""
    kept = {key: value for key, value in message.items() if key != "jsonrpc" and (numbered or key != "id")}
    return json.dumps(_plain(kept), sort_keys=True)


_SEALED = "requestState"


def _plain(value: Any) -> Any:
    """Without nulls, which SDKs write or not as they please, and without what is never recorded."""
    if isinstance(value, dict):
        return {key: "" if key == _SEALED else _plain(part) for key, part in value.items() if part is not None}
    return [_plain(part) for part in value] if isinstance(value, list) else value


# A response, and the request it answers, as the same side names them.
_ASKED = {"send_response": "received_request", "received_response": "send_request"}


def _pairs(events: list[dict[str, Any]]) -> list[str]:
    """A response has its request's method, id and span; a request has at most one."""
    found = []
    requests: dict[Any, dict[str, Any]] = {}
    for event in named(events, "python_mcp_event"):
        end = event["meta"]["component_id"], event["connection_id"], event["event"].partition("_")[0]
        _, _, way = event["event"].partition("_")
        if way in ("send_request", "received_request"):
            requests[(*end, way, repr(event["id"]))] = event
        elif way in _ASKED:
            request = requests.pop((*end, _ASKED[way], repr(event.get("id"))), None)
            if request is None:
                found.append(f"a response to nothing: {event}")
            elif (request["method"], request["context"]["mcp"]) != (event.get("method"), event["context"].get("mcp")):
                found.append(f"a response that is not of its request: {request} {event}")
    return found


def _ends(events: list[dict[str, Any]]) -> list[str]:
    """Every request has one end on each side: its response, or an event that says how it ended without one.

    A response that comes after that end says that it is late.
    """
    ends: dict[Any, list[str]] = {}
    for event in named(events, "python_mcp_event"):
        side, _, way = event["event"].partition("_")
        end = event["meta"]["component_id"], event["connection_id"], side
        if way in ("send_request", "received_request"):
            ends[(*end, way, repr(event["id"]))] = []
        elif way in _ASKED and not event.get("late"):
            ends.setdefault((*end, _ASKED[way], repr(event.get("id"))), []).append("response")
    for event in named(events, "python_mcp_request_ended"):
        way = "send_request" if event["side"] == event["source"] else "received_request"
        key = event["meta"]["component_id"], event["connection_id"], event["side"], way, repr(event["id"])
        ends.setdefault(key, []).append(event["outcome"])
    # A client may kill the server it started, and its requests with it.
    lived = {event["meta"]["component_id"] for event in named(events, "sensor_shutdown")}
    return [
        f"a request that ended {how or 'never'}: {key}"
        for key, how in ends.items()
        if len(how) > 1 or (not how and key[0] in lived)
    ]


def _children(cell: Cell, events: list[dict[str, Any]]) -> list[str]:
    """What a call causes carries the call's own id: progress by its token, ``mark`` by the number it was given."""
    found = []
    looked_at = 0
    calls: dict[tuple[str, str], dict[str, Any]] = {}
    for event in named(events, "server_received_request"):
        calls[event["meta"]["component_id"], event["context"]["mcp"]["span_id"]] = event
    for event in named(events, "server_send_notification"):
        params = event["message"].get("params") or {}
        cause = calls.get((event["meta"]["component_id"], event["context"].get("mcp", {}).get("span_id", "")))
        asked = cause["message"].get("params", {}) if cause else {}
        if "progressToken" in params:
            right = asked.get("_meta", {}).get("progressToken") == params["progressToken"]
        elif "mark " in json.dumps(params.get("data")):
            right = (
                str(asked.get("arguments", {}).get("number")) in json.dumps(params["data"]).replace('"', " ").split()
            )
        else:
            continue
        looked_at += 1
        if not right or event["context"]["mcp"]["request_id"] != cause["id"]:  # type: ignore[index]
            found.append(f"not of its own call: {event['message']}, but of {cause and cause['message']}")
    if cell.crowd and looked_at < AT_ONCE:
        found.append(f"of {AT_ONCE} calls at once only {looked_at} messages came")
    return found


def _constants(cell: Cell, events: list[dict[str, Any]]) -> list[str]:
    """What all messages of a cell have in common."""
    messages = named(events, "python_mcp_event")
    found = []
    if {event["transport"] for event in messages} != {cell.transport}:
        found.append(f"transports: {Counter(event['transport'] for event in messages)}")
    sessions: dict[str, set[Any]] = defaultdict(set)
    for event in messages:
        if event.get("method") == "tools/call":
            sessions[event["event"].partition("_")[0]].add(event.get("session_id"))
    if len(sessions["server"]) != 1:
        return [*found, f"sessions: {dict(sessions)}"]
    (served,) = sessions["server"]  # one session, or none: a set of one all the same
    stateful = cell.transport in ("http", "sse") and cell.era == "2025" and "stateless" not in cell.words
    # Clients of SSE learn it from 1.23 on.
    right = {served, None} if cell.transport == "sse" else {served}
    if (served is not None) != stateful or not sessions["client"] <= right:
        found.append(f"sessions: {dict(sessions)}")
    connects = [event["server"] for event in named(events, "python_mcp_client_connect")]
    known = {"stdio": {"command", "args"}, "memory": set()}.get(cell.transport, {"url", "auth"})
    if [(server["type"], set(server) - {"type", "pid"}) for server in connects] != [(cell.transport, known)]:
        found.append(f"connects: {connects}")
    return found
