"""From event to line: every kind fits the schema, nothing secret passes, nothing is too large, nothing is lost."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks import events
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.encode import Encoder
from bluerock_hooks.redact import Redactor
from bluerock_hooks.ring import _forkpage

SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 4
LIMIT = 4096
MINUTE = timedelta(minutes=1)


def encoder() -> Encoder:
    return Encoder(Envelope(), Redactor(), LIMIT, lambda: b"k" * 32, lambda _line: None)


def span(request: events.Request) -> events.Span:
    return events.Span(str(request.method), request.tool, request.request_id or 0, request.session_id, "5a", None, 0)


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
        if isinstance(info.value_type, msgspec.inspect.AnyType):
            return {"params": {"key": SECRET}, "id": 1}
        return {_sample(info.key_type): _sample(info.value_type)}
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
        shared = Encoder(Envelope(), Redactor(), LIMIT, lambda: key, lambda _line: None)
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


IDS = st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20)
TEXTS = st.text(max_size=20)
PAYLOADS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS, max_size=5)


def common(kind: str) -> events.McpMessage:
    """What the messages of one connection have in common; a percent sign must be no trap for a format."""
    return events.McpMessage(event=kind, connection_id="c1", server_name="100%d", transport="memory", session_id='s"1')  # type: ignore[arg-type]


@given(IDS, st.sampled_from([None, "parent"]), PAYLOADS, st.sampled_from(["tools/call", "50%s/\u00e9", 'a"b']))
def test_a_form_gives_the_line_that_the_struct_gives(
    request_id: int | str, parent: str | None, payload: dict[str, Any], method: str
) -> None:
    lines: list[bytes] = []
    whole = Encoder(Envelope(), Redactor(), 65536, lambda: b"k" * 32, lines.append)
    rid = msgspec.json.encode(request_id)
    request = events.Request(method, "add", 0, "s1", "", None if parent is None else "")
    ids = (rid, b"span") if parent is None else (rid, b"span", parent.encode())
    context = whole.context(request) % ids
    asked = events.Span(method, "add", request_id, "s1", "span", parent, 0)
    assert msgspec.json.decode(context) == msgspec.json.decode(asked.context())

    like = common("server_received_request")
    like.method = method
    params, result = whole.params(payload), whole.result(payload)
    fill = whole.form(like)
    assert params is not None
    assert result is not None
    assert fill is not None
    assert fill(context, rid, params)
    event = common("server_received_request")
    event.id, event.method = request_id, method
    event.message = {"id": request_id, "method": method, "params": payload}
    assert_same(lines.pop(), whole.line(event, asked))

    like = common("server_send_response")
    like.method, like.outcome = method, "tool_error"
    fill = whole.form(like)
    assert fill is not None
    assert fill(context, rid, result, b"1.250")
    event = common("server_send_response")
    event.id, event.method, event.outcome, event.duration_ms = request_id, method, "tool_error", 1.25
    event.message = {"id": request_id, "result": payload}
    assert_same(lines.pop(), whole.line(event, asked))


def assert_same(filled: bytes, encoded: bytes) -> None:
    """Equal but for the time, which is in the same format, and the number, which is the next."""
    one, other = json.loads(filled), json.loads(encoded)
    assert len(one["ts"]) == len("2026-11-22T10:00:00.123456Z")
    assert other["event"]["meta"].pop("source_event_id") == one["event"]["meta"].pop("source_event_id") + 1
    assert abs(datetime.fromisoformat(one.pop("ts")[:-1]) - datetime.fromisoformat(other.pop("ts")[:19])) < MINUTE
    assert one == other
    assert list(one["event"]) == list(other["event"])


def test_a_form_is_of_its_process_only() -> None:
    lines: list[bytes] = []
    _forkpage.arm()
    whole = Encoder(Envelope(), Redactor(), 65536, lambda: b"k" * 32, lines.append)
    like = common("server_received_request")
    like.method = "ping"
    fill = whole.form(like)
    assert fill is not None
    before = _forkpage.births[0]
    assert fill(b"{}", b"1", b"{}")
    lines.clear()
    try:
        _forkpage.births[0] += 1  # as in a forked child
        _forkpage.arm()
        assert not fill(b"{}", b"1", b"{}")
    finally:
        _forkpage.births[0] = before
        _forkpage.arm()
    assert lines == []
    assert fill(b"{}", b"1", b"{}")


def test_what_is_not_everyday_is_left_to_the_struct() -> None:
    whole = encoder()
    assert whole.params({"a": "x" * (LIMIT + 1)}) is None, "too large"
    none = Encoder(Envelope(), Redactor(payloads="none"), 65536, lambda: b"k" * 32, lambda _line: None)
    assert none.params({"a": 1}) is None
    assert none.result({"a": 1}) == b'{"a":1}'
    huge = {"leaf": {"n": 10**30}, "n": -(10**30)}
    assert whole.params(huge) is None
    assert line(message(id=1, params=huge))["event"]["message"]["params"] == {
        "leaf": {"n": "<int 100 bits>"},
        "n": "<int 100 bits>",
    }
    secret = common("server_received_request")
    secret.method = f"tools/{SECRET}"
    assert whole.form(secret) is None


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
