"""The JSON Schema: valid in itself, and it refuses what is not an event."""

from __future__ import annotations

import functools
import json
from copy import deepcopy
from typing import Any

import _schema
import jsonschema_rs
import pytest
from _peers import ROOT

from bluerock_hooks import events
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.cli import schema
from bluerock_hooks.encode import Encoder
from bluerock_hooks.redact import Redactor

LINES = {
    line["event"]["meta"]["name"]: line
    for line in map(json.loads, (ROOT / "docs" / "examples.ndjson").read_text().splitlines())
}


@pytest.mark.parametrize("document", [schema.document(), _schema.closed()], ids=["open", "closed"])
def test_it_is_valid_draft_2020_12(document: dict[str, Any]) -> None:
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(document)


def test_the_file_of_the_docs_is_valid_draft_2020_12() -> None:
    jsonschema_rs.meta.validate(json.loads((ROOT / "docs" / "events.schema.json").read_text()))


def test_it_says_of_no_member_that_it_may_be_null() -> None:
    assert "null" not in json.dumps(schema.document())


def test_a_later_version_may_add_members_and_still_satisfies_it() -> None:
    line = deepcopy(LINES["python_mcp_event"])
    line["event"]["added_later"] = 1
    line["event"]["context"]["mcp"]["added_later"] = 1
    jsonschema_rs.validate(schema.document(), line)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event.unknown", 1),
        ("event.context.mcp.unknown", 1),
        ("event.meta.unknown", 1),
        ("unknown", 1),
        ("event.meta.name", "python_mcp_unknown"),
        ("event.meta.name", "sensor_startup"),
        ("event.event", "server_sent_request"),
        ("event.id", None),
        ("event.duration_ms", "3"),
        ("ts", "yesterday"),
        ("event.meta", ...),
        ("event.context", ...),
        ("event.event", ...),
    ],
)
def test_the_tests_refuse_a_line_that_is_not_as_it_says(path: str, value: object) -> None:
    """``...``: the member is taken away."""
    line = deepcopy(LINES["python_mcp_event"])
    _schema.check([line])
    *parents, last = path.split(".")
    place = functools.reduce(dict.__getitem__, parents, line)
    place.pop(last) if value is ... else place.update({last: value})
    with pytest.raises(AssertionError, match="schema says"):
        _schema.check([line])


def test_an_event_that_is_cut_is_as_it_says() -> None:
    encoder = Encoder(Envelope(), Redactor(), 400, lambda: b"k" * 32, lambda _line: None)
    line = json.loads(encoder.line(events.SensorStartup(version="1", problems=["word " * 50] * 9)))
    assert line["event"]["oversize"] > 400
    _schema.check([line])
