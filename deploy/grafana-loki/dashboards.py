"""Writes the dashboards in ``grafana/dashboards``.

A test fails where they are out of date, or ask for a label or a member of an event that there is not.

Usage::

    python deploy/grafana-loki/dashboards.py             # writes them
    python deploy/grafana-loki/dashboards.py --check     # exit status 1 where one would change
    python deploy/grafana-loki/dashboards.py --fleet DIR # writes those for a Loki where host_name is no label
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from _panels import Json, board, box, counts, logs, rows, series, stat, table
from _queries import (
    ANSWERS,
    CALLS,
    FAILED,
    SERVER,
    SESSION,
    SPAN,
    STEP,
    TOOL,
    distinct,
    events,
    members,
    number,
    percentile,
    total,
)

DIRECTORY = Path(__file__).resolve().parent / "grafana" / "dashboards"

_SELECTOR = re.compile(r'\{service_name=~"\$service", host_name=~"\$host"([^}]*)\}')

SERVER_BOX, TOOL_BOX, SESSION_BOX = box("server", "Server"), box("tool", "Tool"), box("session", "Session")
SPAN_BOX = box("span", "Span", ".+")

LOADED = "python_import|python_native_load"
TALKED = "python_socket_connect|python_socket_send"
FILES = "python_file_.+"

CHANGED = (members("kind=element.type element=element.name replaces said=element.description source"), 'replaces!=""')
IMPORT = "module=fullname file pkg version record pyc shadows=shadows_stdlib digest=sha256"
LOADING = members(f"{IMPORT} path")
SOCKETS = members("address=host port path protocol count")
PROCESSES = members("argv child=pid code=returncode signal failure=error cwd api")
CODE = members("operation subject caller size")


def fleet() -> Json:
    """Everything at a glance."""
    everything = events("")
    calls = events("python_mcp_event", CALLS)
    dropped = events("python_events_dropped", members("dropped"))
    finding = members(
        "module=fullname path record pyc program=argv[0] code=returncode failure=error "
        "element=element.name reason place"
    )
    line = "{{.event_name}} {{.gen_ai_tool_name}} {{.bluerock_outcome}} {{.module}} {{.path}} {{.record}} {{.pyc}} "
    line += "{{.program}} {{.code}} {{.failure}} {{.element}} {{.reason}} {{.place}}"
    panels = [
        stat("Tool calls", number(calls), said="Answered by a server that has a sensor.", to="bluerock-call"),
        stat("Failed calls", number(f"{calls} | {FAILED}"), bad=1, to="bluerock-server"),
        stat("Servers", distinct(f'{calls} | bluerock_server_name!=""', "bluerock_server_name")),
        stat("Hosts", distinct(everything, "host_name")),
        stat(
            "Findings", number(events("", severity="error")), bad=1, said="Files that are not as installed, and losses."
        ),
        stat("Events dropped", total(dropped, "dropped"), bad=1),
        series(
            "Tool calls by server",
            {"{{bluerock_server_name}}": number(calls, STEP, "bluerock_server_name")},
            stacked=True,
        ),
        series(
            "Duration of tool calls",
            {"p50": percentile(calls, 0.5, STEP), "p95": percentile(calls, 0.95, STEP)},
            unit="ms",
        ),
        series("Events by name", {"{{event_name}}": number(everything, STEP, "event_name")}, stacked=True),
        series("Events by severity", {"{{severity}}": number(everything, STEP, "severity")}, stacked=True),
        counts("Servers", calls, "bluerock_server_name host_name", "Calls"),
        counts("Tools", calls, "bluerock_server_name gen_ai_tool_name", "Calls", top=100),
        counts("Hosts", everything, "service_name host_name", "Events"),
        counts("Sensors", events("sensor_startup", members("sensor=version python")), "sensor python", "Starts"),
        logs("Warnings and findings", events("", finding, f'line_format "{line}"', severity="warn|error")),
    ]
    return board("bluerock-fleet", "Fleet", "All servers on all hosts.", panels)


def server() -> Json:
    """One server."""
    calls = events("python_mcp_event", CALLS, SERVER, TOOL, SESSION)
    answers = events("python_mcp_event", ANSWERS, SERVER, TOOL, SESSION)
    added = events("python_mcp_server_add", SERVER)
    offered = members("kind=element.type element=element.name definition=element.definition_sha256 learned")
    ended = events("python_mcp_rejected|python_mcp_request_ended", members("status reason method"))
    panels = [
        stat("Tool calls", number(calls)),
        stat("Failed calls", number(f"{calls} | {FAILED}"), bad=1),
        stat("p95 of a call", percentile(calls, 0.95), unit="ms"),
        stat("Connections", distinct(answers, "bluerock_connection_id")),
        stat("Refused requests", number(events("python_mcp_rejected", SERVER)), bad=1, said="By the HTTP transport."),
        stat("Changed definitions", number(" | ".join((added, *CHANGED))), bad=1, to="bluerock-supply-chain"),
        series("Calls by tool", {"{{gen_ai_tool_name}}": number(calls, STEP, "gen_ai_tool_name")}, stacked=True),
        series("p95 by tool", {"{{gen_ai_tool_name}}": percentile(calls, 0.95, STEP, "gen_ai_tool_name")}, unit="ms"),
        counts("How calls ended", calls, "gen_ai_tool_name bluerock_outcome", "Calls"),
        counts("Methods", answers, "mcp_method_name mcp_protocol_version", "Answers"),
        counts(
            "Connections",
            answers,
            "bluerock_connection_id mcp_session_id network_transport bluerock_client_name",
            "Answers",
        ),
        counts("What it offers", f"{added} | {offered}", "kind element definition learned", "Told"),
        rows("Definitions that changed", " | ".join((added, *CHANGED)), "kind element said replaces host_name"),
        rows(
            "Refused requests, and requests without an answer",
            ended,
            "event_name status method bluerock_outcome reason bluerock_connection_id host_name",
        ),
        rows(
            "Calls",
            calls,
            "gen_ai_tool_name bluerock_outcome bluerock_duration_ms bluerock_span_id bluerock_connection_id host_name",
            height=12,
        ),
    ]
    about = "One MCP server: calls, clients, and what it offers."
    return board("bluerock-server", "Server", about, panels, SERVER_BOX, TOOL_BOX, SESSION_BOX)


def call() -> Json:
    """One tool call: what ran inside."""
    calls = events("python_mcp_event", CALLS, SERVER, TOOL, SESSION, SPAN)
    sent = events("python_mcp_event", 'bluerock_message=~".+_send_request"', 'bluerock_parent_span_id=~"$span"')
    messages = events("python_mcp_event", SERVER, TOOL, SESSION, SPAN)
    content = members("params=message.params result=message.result failure=message.error")
    line = "{{.bluerock_message}} {{.mcp_method_name}} {{.gen_ai_tool_name}} {{.bluerock_outcome}} "
    line += "{{.params}}{{.result}}{{.failure}}"
    inside = "gen_ai_tool_name event_name"
    panels = [
        rows(
            "Calls",
            calls,
            "bluerock_server_name gen_ai_tool_name bluerock_outcome bluerock_duration_ms bluerock_span_id "
            "bluerock_parent_span_id process_pid host_name",
            said="A click on a span shows what that call caused.",
        ),
        stat("Processes", number(events("python_process_spawn", TOOL, SPAN)), to="bluerock-activity"),
        stat("Connections", number(events(TALKED, TOOL, SPAN))),
        stat("Files", number(events(FILES, TOOL, SPAN))),
        stat("Imports", number(events("python_import", TOOL, SPAN))),
        stat("Code made", number(events("python_code_exec", TOOL, SPAN))),
        stat("Warnings", number(events("", TOOL, SPAN, severity="warn|error")), bad=1),
        counts("What ran inside", events("", 'bluerock_message=""', TOOL, SPAN), inside, "Events"),
        counts("Requests that it sent", sent, "mcp_method_name gen_ai_tool_name bluerock_message", "Requests"),
        rows(
            "Processes",
            events("python_process_.+", TOOL, SPAN, PROCESSES),
            f"{inside} argv child code signal failure api bluerock_span_id",
        ),
        rows(
            "Network",
            events("python_socket_.+", TOOL, SPAN, SOCKETS),
            f"{inside} address port path protocol count bluerock_span_id",
            width=12,
        ),
        rows(
            "Files",
            events(FILES, TOOL, SPAN, members("path mode target count")),
            f"{inside} path mode target count bluerock_span_id",
            width=12,
        ),
        rows(
            "Imports and native libraries",
            events(LOADED, TOOL, SPAN, LOADING),
            "gen_ai_tool_name module path pkg version record bluerock_span_id",
            width=12,
        ),
        rows(
            "Code made at run time",
            events("python_code_exec", TOOL, SPAN, CODE),
            "gen_ai_tool_name operation subject caller size bluerock_span_id",
            width=12,
        ),
        logs("Messages", f'{messages} | {content} | line_format "{line}"', height=12),
    ]
    about = "What ran inside a tool call."
    return board("bluerock-call", "Tool call", about, panels, SERVER_BOX, TOOL_BOX, SESSION_BOX, SPAN_BOX)


def supply_chain() -> Json:
    """What was loaded, and is it what was installed."""
    packages = events("python_package", members("pkg=name version installer origin=direct_url.url"))
    imports = events("python_import", members(IMPORT))
    changed = events("python_mcp_server_add", *CHANGED)
    versions = number(packages, by="pkg version")
    before = number(packages, "7d", "pkg version", offset="$__range")
    panels = [
        stat("Distributions", distinct(packages, "pkg version")),
        stat("Modules", distinct(imports, "module"), said="The standard library is not among them."),
        stat("Differ from RECORD", number(events(LOADED, LOADING, 'record="mismatch"')), bad=1),
        stat("Stale bytecode", number(f'{imports} | pyc="stale"'), bad=1),
        stat("Names of the standard library", number(f'{imports} | shadows="true"'), bad=1),
        stat("Changed tools", number(changed), bad=1),
        rows(
            "Not what was installed",
            events(LOADED, LOADING, severity="error"),
            "module path file pkg version record pyc shadows digest host_name",
        ),
        table(
            "New distributions",
            f"{versions} unless {before}",
            "pkg version",
            "Processes",
            said="In the time range, and not in the seven days before it.",
        ),
        table("More than one version", f"(count by (pkg) ({versions})) > 1", "pkg", "Versions"),
        counts("Distributions", packages, "pkg version installer host_name", "Processes"),
        counts("Not from an index", f'{packages} | origin!=""', "pkg version origin host_name", "Processes"),
        counts("Modules of no distribution", f'{imports} | pkg=""', "module file", "Imports", top=100),
        counts("Modules by distribution", f'{imports} | pkg!=""', "pkg version", "Imports", top=100),
        rows(
            "Tools whose definition changed",
            changed,
            "bluerock_server_name kind element said replaces source host_name",
        ),
        rows(
            "Imports caused by tool calls",
            f'{imports} | bluerock_span_id!=""',
            "gen_ai_tool_name module pkg version record bluerock_span_id",
        ),
        rows(
            "What ran before the program",
            events("sensor_startup", members("argv startup"), 'startup!=""'),
            "argv startup process_pid host_name",
        ),
    ]
    about = "Which code ran, by distribution, and is it what was installed."
    return board("bluerock-supply-chain", "Supply chain", about, panels)


def activity() -> Json:
    """Processes, sockets, files and code."""
    spawned = events("python_process_spawn", TOOL, members("program=executable api failure=error"))
    ended = events("python_process_exit", TOOL, members("code=returncode signal"))
    talked = events(TALKED, TOOL, SOCKETS)
    named = events("python_socket_resolve|python_socket_bind", TOOL, members("address=host port"))
    files = events(FILES, TOOL, members("path mode"))
    code = events("python_code_exec", TOOL, CODE)
    panels = [
        stat("Processes started", number(spawned)),
        stat("Not started", number(f'{spawned} | failure!=""'), bad=1),
        stat("Ended badly", number(f'{ended} | code!="0" or signal!=""'), bad=1),
        stat("Addresses", distinct(talked, "address port path")),
        stat("Files", distinct(files, "path")),
        stat("Code made", number(code)),
        series("Processes by program", {"{{program}}": number(spawned, STEP, "program")}, stacked=True),
        series(
            "Connections by address",
            {"{{address}}:{{port}}{{path}}": number(talked, STEP, "address port path")},
            stacked=True,
        ),
        counts("Programs", spawned, "program api gen_ai_tool_name", "Starts", top=100),
        counts("How processes ended", ended, "code signal gen_ai_tool_name", "Processes"),
        counts("Addresses", talked, "address port path protocol gen_ai_tool_name", "Events", top=100),
        counts(
            "Names looked up, addresses bound", named, "event_name address port gen_ai_tool_name", "Events", top=100
        ),
        counts("Files", files, "event_name path mode gen_ai_tool_name", "Events", top=100),
        counts("Code made at run time", code, "operation subject caller gen_ai_tool_name", "Events", top=100),
        rows(
            "Processes",
            events("python_process_.+", TOOL, PROCESSES),
            "severity event_name argv child code signal failure cwd gen_ai_tool_name bluerock_span_id host_name",
            height=12,
        ),
    ]
    about = "What programs start, where they connect, which files they touch."
    return board("bluerock-activity", "Processes and network", about, panels, TOOL_BOX)


BOARDS = {"fleet": fleet, "server": server, "call": call, "supply-chain": supply_chain, "activity": activity}


def for_fleet(made: Json) -> Json:
    """The dashboard for a Loki that has ``host_name`` as structured metadata: then a filter, and a box to type in."""
    for panel in made["panels"]:
        for target in panel["targets"]:
            target["expr"] = _SELECTOR.sub(r'{service_name=~"$service"\1} | host_name=~"$host"', target["expr"])
    boxes = made["templating"]["list"]
    made["templating"]["list"] = [box("host", "Host", ".+") if each["name"] == "host" else each for each in boxes]
    return made


def main() -> int:
    """Write, or compare with ``--check``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fleet", type=Path, metavar="DIR")
    options = parser.parse_args()
    status = 0
    for name, make in BOARDS.items():
        path = (options.fleet or DIRECTORY) / f"{name}.json"
        text = json.dumps(for_fleet(make()) if options.fleet else make(), indent=1) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        if options.check:
            print(f"{path} is out of date: run {Path(__file__).name}")
            status = 1
        else:
            path.write_text(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
