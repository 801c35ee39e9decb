"""Panels, variables and dashboards of Grafana as Python values; ``dashboards.py`` says what is in them."""

from __future__ import annotations

from typing import Any

from _queries import number

Json = dict[str, Any]

DATASOURCE: Json = {"type": "loki", "uid": "bluerock-loki"}
TAG = "bluerock-hooks"
WIDTH = 24  # of Grafana's grid
_RED, _YELLOW, _GREEN, _PLAIN = "red", "yellow", "green", "text"
_SAME = "?${__url_time_range}&${service:queryparam}&${host:queryparam}"
_CALL = f"/d/bluerock-call{_SAME}"
_SERVER = f"/d/bluerock-server{_SAME}"

# Of the columns of tables, by label.
HEADINGS = {
    "address": "Address",
    "api": "By",
    "argv": "Command line",
    "bluerock_client_name": "Client",
    "bluerock_connection_id": "Connection",
    "bluerock_duration_ms": "Duration",
    "bluerock_message": "Message",
    "bluerock_outcome": "Outcome",
    "bluerock_parent_span_id": "Span around it",
    "bluerock_server_name": "Server",
    "bluerock_span_id": "Span",
    "caller": "Caller",
    "child": "Child",
    "code": "Exit",
    "count": "Times",
    "cwd": "Directory",
    "definition": "SHA-256 of the definition",
    "digest": "SHA-256",
    "element": "Name",
    "event_name": "Event",
    "failure": "Error",
    "file": "File",
    "gen_ai_tool_name": "Tool",
    "host_name": "Host",
    "installer": "Installer",
    "kind": "Kind",
    "learned": "Learned",
    "mcp_method_name": "Method",
    "mcp_protocol_version": "Protocol",
    "mcp_session_id": "Session",
    "method": "Method",
    "mode": "Mode",
    "module": "Module",
    "network_transport": "Transport",
    "operation": "Operation",
    "origin": "From",
    "path": "Path",
    "pkg": "Distribution",
    "port": "Port",
    "process_pid": "Pid",
    "program": "Program",
    "protocol": "Protocol",
    "pyc": "Bytecode",
    "python": "Python",
    "reason": "Reason",
    "record": "RECORD",
    "replaces": "Replaces",
    "said": "Description now",
    "sensor": "bluerock-hooks",
    "service_name": "Service",
    "severity": "Severity",
    "shadows": "Shadows",
    "signal": "Signal",
    "size": "Size",
    "source": "Side",
    "startup": "Start-up files",
    "status": "Status",
    "subject": "Subject",
    "target": "To",
    "version": "Version",
}

# Where a click on a value leads, by heading.
LINKS = {
    "Server": ("This server", _SERVER + '&var-server=${__data.fields["Server"]}'),
    "Tool": ("Calls of this tool", _CALL + '&var-tool=${__data.fields["Tool"]}'),
    "Connection": ("Calls on this connection", _CALL + '&var-session=${__data.fields["Connection"]}'),
    "Session": ("Calls of this session", _CALL + '&var-session=${__data.fields["Session"]}'),
    "Span": ("What it caused", _CALL + '&var-span=${__data.fields["Span"]}'),
    "Host": ("This host", '/d/bluerock-activity?${__url_time_range}&var-host=${__data.fields["Host"]}'),
}


def stat(
    title: str,
    expr: str,
    *,
    unit: str = "short",
    bad: float | None = None,
    width: int = 4,
    said: str = "",
    to: str = "",
) -> Json:
    """One number over the time range; from ``bad`` on it is red. ``to``: the dashboard with the lines behind it."""
    steps: list[Json] = [{"color": _PLAIN if bad is None else _GREEN, "value": None}]
    if bad is not None:
        steps.append({"color": _RED, "value": bad})
    return {
        **_panel("stat", title, said, width, 4),
        "links": [{"title": "The lines behind it", "url": f"/d/{to}{_SAME}"}] if to else [],
        "targets": [_instant(expr)],
        "fieldConfig": {
            "defaults": {"unit": unit, "noValue": "0", "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {
            "colorMode": "value",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def series(
    title: str, queries: Json, *, unit: str = "short", stacked: bool = False, width: int = 12, said: str = ""
) -> Json:
    """Lines or stacked bars over time. ``queries``: legend (may hold ``{{label}}``) to expression."""
    custom: Json = {"drawStyle": "line", "fillOpacity": 10, "showPoints": "auto", "spanNulls": True}
    if stacked:
        custom = {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal"}, "lineWidth": 0}
    return {
        **_panel("timeseries", title, said, width, 8),
        "targets": [
            {
                "refId": chr(65 + number),
                "datasource": DATASOURCE,
                "expr": expr,
                "queryType": "range",
                "legendFormat": legend,
            }
            for number, (legend, expr) in enumerate(queries.items())
        ],
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def counts(title: str, of: str, columns: str, value: str, *, top: int = 0, width: int = 12) -> Json:
    """A table of how many lines there are by the labels in ``columns``; of the ``top`` ones where there may be many."""
    expr = number(of, by=columns)
    return table(title, f"topk({top}, {expr})" if top else expr, columns, value, width=width)


def table(title: str, expr: str, columns: str, value: str, *, width: int = 12, said: str = "") -> Json:
    """A table of an instant metric query: a row a series, the largest first."""
    # Grafana's Loki makes a table of it, with a column for each label and this one for the value.
    headings = {**_headings(columns), "Value #A": value}
    return {
        **_panel("table", title, said, width, 9),
        "targets": [_instant(expr)],
        "transformations": [_organized(headings)],
        **_cells(headings),
        "options": {"cellHeight": "sm", "sortBy": [{"displayName": value, "desc": True}]},
    }


def rows(title: str, expr: str, columns: str, *, width: int = 24, height: int = 9, said: str = "") -> Json:
    """A table of log lines: a row an event, the newest first."""
    headings = {"Time": "Time", **_headings(columns)}
    extract = {"source": "labels", "format": "json", "replace": True, "keepTime": True}
    return {
        **_panel("table", title, said, width, height),
        "targets": [_log(expr)],
        "transformations": [{"id": "extractFields", "options": extract}, _organized(headings)],
        **_cells(headings),
        "options": {"cellHeight": "sm", "sortBy": [{"displayName": "Time", "desc": True}]},
    }


def logs(title: str, expr: str, *, width: int = 24, height: int = 9, said: str = "") -> Json:
    """Log lines, the newest first; the details of a line have the links of the data source."""
    return {
        **_panel("logs", title, said, width, height),
        "targets": [_log(expr)],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {
            "showTime": True,
            "wrapLogMessage": True,
            "enableLogDetails": True,
            "prettifyLogMessage": False,
            "sortOrder": "Descending",
        },
    }


def board(uid: str, title: str, description: str, panels: list[Json], *boxes: Json) -> Json:
    """A dashboard; panels fill rows from the left. ``boxes``: variables beyond service and host."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [_labels("service", "service_name", ""), _labels("host", "host_name", "service"), *boxes]
        },
        "links": [
            {
                "type": "dashboards",
                "tags": [TAG],
                "title": "bluerock-hooks",
                "keepTime": True,
                "includeVars": True,
                "asDropdown": False,
            }
        ],
        "annotations": {"list": []},
        "panels": _placed(panels),
    }


def box(name: str, label: str, default: str = ".*") -> Json:
    """A variable that takes a regular expression: Loki lists the values of labels only, and these are none."""
    text = {"text": default, "value": default}
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "query": default,
        "current": text,
        "options": [{**text, "selected": True}],
    }


def _labels(name: str, label: str, within: str) -> Json:
    """A variable of the values of a label, of those that another variable selects."""
    stream = f'{{service_name=~"${within}"}}' if within else ""
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": DATASOURCE,
        "query": {"type": 1, "label": label, "stream": stream, "refId": "LokiVariableQueryEditor-VariableQuery"},
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "refresh": 2,
        "sort": 1,
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def _panel(kind: str, title: str, said: str, width: int, height: int) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": said,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
    }


def _instant(expr: str) -> Json:
    return {"refId": "A", "datasource": DATASOURCE, "expr": expr, "queryType": "instant"}


def _log(expr: str) -> Json:
    return {"refId": "A", "datasource": DATASOURCE, "expr": expr, "queryType": "range", "maxLines": 500}


def _headings(columns: str) -> dict[str, str]:
    return {label: HEADINGS[label] for label in columns.split()}


def _organized(headings: dict[str, str]) -> Json:
    return {
        "id": "organize",
        "options": {
            "includeByName": dict.fromkeys(headings, True),
            "indexByName": {name: place for place, name in enumerate(headings)},
            "renameByName": headings,
        },
    }


def _cells(headings: dict[str, str]) -> Json:
    """What a table's columns look like and lead to."""
    overrides: list[Json] = []
    for heading in headings.values():
        properties: list[Json] = []
        if heading in LINKS:
            title, url = LINKS[heading]
            properties.append({"id": "links", "value": [{"title": title, "url": url}]})
        if heading == "Duration":
            properties.append({"id": "unit", "value": "ms"})
        if heading == "Severity":
            colours = {"error": _RED, "warn": _YELLOW, "info": _GREEN}
            options = {word: {"color": colour, "index": index} for index, (word, colour) in enumerate(colours.items())}
            properties.append({"id": "mappings", "value": [{"type": "value", "options": options}]})
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        if properties:
            overrides.append({"matcher": {"id": "byName", "options": heading}, "properties": properties})
    return {"fieldConfig": {"defaults": {"custom": {"filterable": True}}, "overrides": overrides}}


def _placed(panels: list[Json]) -> list[Json]:
    """With ids and places: from left to right, a new row where there is no room."""
    x = y = tallest = 0
    placed = []
    for place, panel in enumerate(panels, 1):
        size = panel["gridPos"]
        if x + size["w"] > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append({"id": place, **panel, "gridPos": {**size, "x": x, "y": y}})
        x, tallest = x + size["w"], max(tallest, size["h"])
    return placed
