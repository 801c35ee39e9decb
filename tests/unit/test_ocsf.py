"""Events as classes of OCSF, held against its own schema, and the page that says which."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import ocsf_json_schema
import pytest
from _command import line
from _peers import ROOT

from bluerock_hooks.cli import _ocsf
from bluerock_hooks.reader import parse

EXAMPLES = (ROOT / "docs" / "examples.ndjson").read_bytes().splitlines()
RECORDED = (ROOT / "tests" / "unit" / "traced.ndjson").read_bytes().splitlines()
PAGE = (ROOT / "docs" / "ocsf.md").read_text()
CALL = {"method": "tools/call", "tool": "add", "request_id": 3, "session_id": "s1", "span_id": "1"}


@pytest.fixture(scope="module")
def validators() -> dict[int, Any]:
    """By class; no attribute is allowed that the class has not."""
    embedded = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(_ocsf.VERSION))
    found = {}
    for uid in {row.class_uid for row in _ocsf.ROWS.values()}:
        profiles = ["host"] if uid >= 4000 else []
        schema = embedded.get_class_schema(embedded.lookup_class_name_from_uid(uid), profiles)
        assert schema["additionalProperties"] is False
        found[uid] = jsonschema_rs.validator_for(schema)
    return found


def converted(text: bytes) -> dict[str, Any]:
    found = _ocsf.ocsf(parse(text), "host")
    assert found is not None
    return found


def test_every_event_that_has_a_class_is_as_the_schema_says(validators: dict[int, Any]) -> None:
    events = [found for text in EXAMPLES + RECORDED if (found := _ocsf.ocsf(parse(text), "host"))]
    assert {event["metadata"]["log_name"] for event in events} == set(_ocsf.ROWS)
    for event in events:
        assert [error.message for error in validators[event["class_uid"]].iter_errors(event)] == []
    assert len({event["metadata"]["uid"] for event in events}) == len(events)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("python_socket_connect", {"family": "40"}),
        ("python_socket_connect", {"path": "@abstract", "family": "unix", "protocol": "stream"}),
        ("python_socket_bind", {"family": "16"}),
        ("python_import", {"fullname": "namespace"}),
        ("python_process_spawn", {"spawn_id": "1", "api": "os.fork", "error": "OSError"}),
        ("python_process_exit", {"spawn_id": "1", "signal": "SIGKILL"}),
        ("python_mcp_request_ended", {"id": "x", "outcome": "cancelled", "side": "client", "source": "client"}),
        ("python_mcp_event", {"event": "client_received_response", "outcome": "error", "error_code": -32602}),
    ],
)
def test_an_event_that_says_little_is_too(name: str, fields: dict[str, Any], validators: dict[int, Any]) -> None:
    event = converted(line(1, name, **fields))
    assert [error.message for error in validators[event["class_uid"]].iter_errors(event)] == []


def test_a_tool_call() -> None:
    fields = {"event": "server_send_response", "id": 3, "method": "tools/call", "outcome": "tool_error"}
    event = converted(line(7, mcp=CALL, **fields, server_name="s", duration_ms=12.6, new_member="kept"))
    assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (6003, 6, 600399)
    assert (event["activity_name"], event["api"]["operation"]) == ("tools/call", "add")
    assert (event["status_id"], event["status_detail"], event["severity_id"]) == (2, "tool_error", 3)
    assert (event["duration"], event["time"]) == (13, 1795341607007)
    assert event["metadata"]["correlation_uid"] == "1"
    assert event["metadata"]["uid"] == "c1/7"
    assert event["actor"] == {"process": {"pid": 4242}, "session": {"uid": "s1"}}
    assert event["unmapped"] == {"event": "server_send_response", "new_member": "kept", "mcp": CALL}


def test_what_is_no_answer_has_no_class() -> None:
    assert _ocsf.ocsf(parse(line(1, event="server_received_request", method="ping")), "host") is None
    assert _ocsf.ocsf(parse(line(1, "sensor_startup")), "host") is None


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "x", [], [{}], {}, {"a": 1}])
def test_no_value_however_odd_stops_it(value: Any) -> None:
    for name, row in _ocsf.ROWS.items():
        fields = {source: value for _, source, _ in row.fields if "." not in source}
        event = converted(line(1, name, **{"outcome": "ok", **fields}))
        assert json.loads(json.dumps(event)) == event


def test_a_time_that_is_none_has_no_class() -> None:
    odd = line(1, outcome="ok").replace(b"2026-11-22T", b"yesterday ")
    assert _ocsf.ocsf(parse(odd), "host") is None


def test_the_page_has_every_class_and_field() -> None:
    rows = {tuple(cell.strip(" `") for cell in text.split("|")[1:-1]) for text in PAGE.splitlines()}
    for name, row in _ocsf.ROWS.items():
        assert any(
            cells[0] == name and cells[1].endswith(f" {row.class_uid}") and cells[3] == str(row.type_uid)
            for cells in rows
            if len(cells) == 4
        ), name
        for source in {source for _, source, _ in row.fields}:
            targets = "`, `".join(target for target, each, _ in row.fields if each == source)
            assert (name, source, targets) in rows
