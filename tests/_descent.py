"""Joins events to the request that caused them, as ``docs/operations.md`` says it is done."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]


def requests_of(lines: list[Event]) -> dict[str, list[Event]]:
    """Span id of a served request -> the activity that it caused, also in the processes that it started."""
    startups = {line["event"]["meta"]["component_id"]: line for line in lines if _name(line) == "sensor_startup"}
    spawns = [line for line in lines if _name(line) == "python_process_spawn"]
    ends = {line["event"]["spawn_id"]: line["ts"] for line in lines if _name(line) == "python_process_exit"}
    owners: dict[str, str | None] = {}

    def owner(component: str) -> str | None:
        """The span id of the request that a process works for."""
        if component not in owners:
            owners[component] = None
            startup = startups.get(component)
            spawn = None if startup is None else _cause(startup, spawns, ends)
            owners[component] = None if spawn is None else span_of(spawn)
        return owners[component]

    def span_of(line: Event) -> str | None:
        request = line["event"]["context"].get("mcp")
        return request["span_id"] if request else owner(line["event"]["meta"]["component_id"])

    found: dict[str, list[Event]] = {}
    for line in lines:
        span = span_of(line)
        if span is not None and not _name(line).startswith(("python_mcp", "python_internal")):
            found.setdefault(span, []).append(line["event"])
    return found


def _cause(startup: Event, spawns: list[Event], ends: dict[str, str]) -> Event | None:
    """The start of this process, or of the nearest process that it descends from."""
    event = startup["event"]
    by_pid = {(line["event"].get("pid"), line["event"].get("start")): line for line in spawns}
    chain = [{"pid": event["context"]["process"]["pid"], "start": event["start"]}, *event["ancestors"]]
    for process in chain:
        known = by_pid.get((process["pid"], process["start"]))
        if known is not None:
            return known
        # A shell of os.system: its thread waits for it.
        thread = process.get("thread", process["pid"])
        for line in spawns:
            spawn = line["event"]
            same = spawn.get("thread") == thread and spawn["context"]["process"]["pid"] == process["pid"]
            if same and line["ts"] <= startup["ts"] <= ends.get(spawn["spawn_id"], "9"):
                return line
    return None


def _name(line: Event) -> str:
    return str(line["event"]["meta"]["name"])
