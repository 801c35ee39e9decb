"""From event to line: every kind fits the schema, nothing secret passes, nothing is too large, nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bluerock_hooks import events
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.encode import Encoder
from bluerock_hooks.redact import Redactor

SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 4
LIMIT = 4096


def encoder() -> Encoder:
    return Encoder(Envelope(), Redactor(), LIMIT, lambda: b"k" * 32)


def span(request: events.Request) -> events.Span:
    return events.Span(str(request.method), request, 0)


def line(event: events.Event) -> dict[str, Any]:
    decoded = json.loads(encoder().line(event))
    assert isinstance(decoded, dict)
    return decoded


def message(**members: Any) -> events.McpMessage:
    return events.McpMessage(event="server_received_request", id=members.get("id"), message=members)


def secretive(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """A Struct of this kind with the secret in every member that takes text and is not one of our own words."""
    members: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in ("meta", "context"):
            continue
        members[field.name] = _sample(msgspec.inspect.type_info(field.type))
    return kind(**members)


def _sample(info: msgspec.inspect.Type) -> Any:
    if isinstance(info, msgspec.inspect.Metadata):
        if (info.extra or {}).get("redact") == "known":
            return "known"
        return _sample(info.type)
    if isinstance(info, msgspec.inspect.UnionType):
        return _sample(next(arm for arm in info.types if not isinstance(arm, msgspec.inspect.NoneType)))
    if isinstance(info, msgspec.inspect.StrType):
        return f"text {SECRET}"
    if isinstance(info, msgspec.inspect.LiteralType):
        return info.values[0]
    if isinstance(info, msgspec.inspect.ListType):
        return [_sample(info.item_type)]
    if isinstance(info, msgspec.inspect.DictType):
        return {"params": {"key": SECRET}, "id": 1} if info else {}
    if isinstance(info, msgspec.inspect.StructType):
        return secretive(info.cls)
    return {"IntType": 1, "FloatType": 1.0, "BoolType": True}[type(info).__name__]


@pytest.mark.parametrize("kind", events.KINDS, ids=lambda kind: kind.NAME)
def test_a_secret_in_any_text_of_any_event_is_redacted(kind: type[events.Event]) -> None:
    event = secretive(kind)
    assert isinstance(event, events.Event)
    data = encoder().line(event)
    assert SECRET.encode() not in data
    assert SECRET[10:40].encode() not in data


@pytest.mark.parametrize("kind", events.KINDS, ids=lambda kind: kind.NAME)
def test_every_kind_validates_against_its_own_schema(kind: type[events.Event]) -> None:
    event = secretive(kind)
    assert isinstance(event, events.Event)
    decoded = line(event)
    assert decoded["event"]["meta"]["name"] == kind.NAME
    msgspec.convert(decoded["event"], kind)


def test_meta_and_context_come_first_and_unknown_members_are_left_out() -> None:
    decoded = line(message(id=0, method="ping"))
    assert list(decoded) == ["ts", "event"]
    assert list(decoded["event"])[:2] == ["meta", "context"]
    assert decoded["event"]["id"] == 0
    assert "session_id" not in decoded["event"]


def test_events_are_numbered_without_a_gap_and_request_ids_are_kept_as_they_are() -> None:
    shared = encoder()
    numbers, ids = [], []
    for request_id in (0, "0", 2**53, "a-b", "9f1c6a522f6e4a3b9f350b9a1c2d3e4f"):
        event = json.loads(shared.line(message(id=request_id), span(events.Request(request_id=request_id))))["event"]
        numbers.append(event["meta"]["source_event_id"])
        ids.append((event["id"], event["context"]["mcp"]["request_id"]))
        assert ids[-1] == (request_id, request_id)
    assert numbers == [1, 2, 3, 4, 5]


def test_an_event_over_the_limit_becomes_its_size_a_keyed_hash_and_a_prefix() -> None:
    big = {f"field{number}": "word " * 60 for number in range(40)}
    decoded = line(message(id=7, method="tools/call", params={"name": "add", "arguments": big, "password": "hunter2"}))
    kept = decoded["event"]["message"]
    assert (kept["id"], kept["method"]) == (7, "tools/call")
    assert kept["oversize"] > LIMIT
    assert len(kept["digest"]) == 32
    assert kept["prefix"].startswith('{"id":7,')
    assert "hunter2" not in json.dumps(decoded)
    assert len(json.dumps(decoded)) < LIMIT


def test_equal_large_messages_have_equal_hashes_only_under_the_same_key() -> None:
    def digest(key: bytes, text: str) -> str:
        shared = Encoder(Envelope(), Redactor(), LIMIT, lambda: key)
        body = {f"field{number}": text * 60 for number in range(40)}
        return str(json.loads(shared.line(message(id=1, params=body)))["event"]["message"]["digest"])

    assert digest(b"a" * 32, "same ") == digest(b"a" * 32, "same ")
    assert digest(b"a" * 32, "same ") != digest(b"b" * 32, "same ")
    assert digest(b"a" * 32, "same ") != digest(b"a" * 32, "diff ")


@pytest.mark.parametrize(
    "value",
    [10**5000, float("nan"), "\ud800", b"bytes", {1: 2}, object(), [[[[[[[[[]]]]]]]]]],
    ids=["huge int", "nan", "surrogate", "bytes", "int key", "object", "deep"],
)  # fmt: skip
def test_what_json_cannot_say_is_said_some_other_way(value: object) -> None:
    decoded = line(message(id=1, method="tools/call", params={"value": value}))
    assert decoded["event"]["message"]["method"] == "tools/call"


def test_a_message_that_refers_to_itself_is_recorded() -> None:
    params: dict[str, Any] = {"name": "loop"}
    params["self"] = params
    assert line(message(id=1, method="tools/call", params=params))["event"]["message"]["params"]["name"] == "loop"


def test_a_message_that_is_encoded_once_stands_in_two_events_and_is_cut_like_any_other() -> None:
    shared = encoder()
    encoded = shared.message({"id": 1, "method": "tools/call", "params": {"password": "hunter2"}})
    for _ in range(2):
        event = message()
        event.message = encoded  # type: ignore[assignment]
        assert json.loads(shared.line(event))["event"]["message"]["params"] == {"password": "[redacted]"}
    event = message()
    event.message = shared.message({"id": 1, "params": {str(n): "word " * 60 for n in range(40)}})  # type: ignore[assignment]
    assert json.loads(shared.line(event))["event"]["message"]["oversize"] > LIMIT


def test_message_events_have_no_text_but_their_message() -> None:
    """The encoder's short way redacts nothing else of them."""
    assert [name for name, _ in encoder()._make_plan(events.McpMessage)] == ["message"]


def test_an_element_with_large_schemas_keeps_its_name_and_digest() -> None:
    schema = {"properties": {f"name_{n}": {"description": "words " * 40} for n in range(60)}}
    element = events.ServerElement(type="tool", name="search", parameters=schema, definition_sha256="0" * 64)
    event = events.McpServerAdd(element=element, learned="registered", source="server")
    written = line(event)["event"]
    assert written["element"] == {"type": "tool", "name": "search", "cut": True, "definition_sha256": "0" * 64}
    assert written["learned"] == "registered"

    huge = events.ServerElement(type="tool", name="search", description="\x01" * 2000, title="\x01" * 2000)
    assert line(events.McpServerAdd(element=huge, learned="listed", source="client"))["event"]["oversize"] > LIMIT
