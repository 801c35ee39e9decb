"""Events as readable lines: what they say, and that nothing in a payload reaches the terminal as anything but text."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from _command import line
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bluerock_hooks.cli._terminal import render, visible
from bluerock_hooks.cli._text import GISTS, pieces, value_text
from bluerock_hooks.reader import parse


def shown(number: int = 7, name: str = "python_mcp_event", *, date: bool = False, **fields: Any) -> str:
    return render(pieces(parse(line(number, name, **fields)), date=date))


def test_a_request_reads_as_side_arrow_method_tool_id_and_arguments() -> None:
    message = {"id": 3, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {}}}
    text = shown(
        event="server_received_request",
        id=3,
        method="tools/call",
        message=message,
        mcp={"method": "tools/call", "tool": "add", "request_id": 3},
    )
    assert text == '10:00:07.007    4242 python_mcp_event server <- request tools/call add #3 {"a":1,"b":2}'


def test_what_names_the_request_is_not_said_twice() -> None:
    message = {"method": "resources/read", "params": {"uri": "notes://a", "depth": 2}}
    text = shown(event="client_send_request", id=1, message=message, mcp={"method": "x", "tool": "notes://a"})
    assert text.endswith('client -> request resources/read notes://a #1 {"depth":2}')


def test_a_response_tells_outcome_duration_and_what_came_back() -> None:
    request = {"method": "tools/call", "tool": "add"}
    fields: dict[str, Any] = {"event": "server_send_response", "id": "x", "duration_ms": 12.345, "mcp": request}
    answer = {"result": {"content": [{"type": "text", "text": "3"}]}}
    text = shown(outcome="ok", message=answer, **fields)
    assert text.endswith('python_mcp_event server -> response tools/call add #x ok 12.3ms "3"')
    failed = {"error": {"code": -32602, "message": "no such tool"}}
    text = shown(outcome="error", error_code=-32602, message=failed, **fields)
    assert text.endswith('#x error 12.3ms -32602 "no such tool"')


def test_the_other_kinds_say_what_matters_of_them() -> None:
    assert shown(name="sensor_startup", argv=["python", "a b.py"], python="3.11.7", version="0.1.0").endswith(
        "sensor_startup   python 'a b.py' python=3.11.7 version=0.1.0"
    )
    hooks = [
        {"target": "m:a", "outcome": "applied"},
        {"target": "m:b", "outcome": "absent"},
        {"target": "m:c", "outcome": "failed", "required": True},
    ]
    assert shown(name="sensor_hooks", module="mcp.shared.session", sdk="1", hooks=hooks).endswith(
        "mcp.shared.session 1 of 3 hooks applied absent: m:b failed: m:c"
    )
    assert shown(name="sensor_shutdown", events=5, dropped=0, errors=0, bytes=9, duration_ms=1500.0).endswith(
        "events=5 dropped=0 errors=0 1.50s"
    )
    target = {"type": "stdio", "command": "python", "args": ["server.py"], "auth": True, "pid": 5}
    assert shown(name="python_mcp_client_connect", server=target).endswith("stdio python server.py pid=5 authenticated")
    refused = {"verb": "POST", "status": 404, "body": "message", "id": 3, "method": "ping", "error_code": -32600}
    assert shown(name="python_mcp_rejected", **refused).endswith("POST 404 message ping #3 code=-32600")
    ended = {"side": "server", "source": "client", "id": 3, "method": "tools/call", "outcome": "cancelled"}
    assert shown(name="python_mcp_request_ended", duration_ms=5.0, **ended).endswith(
        "server <- request tools/call #3 cancelled 5.0ms"
    )
    assert shown(
        name="python_mcp_session_created",
        connection_id="c",
        session_id="s",
        source="server",
        transport="http",
        peer="p",
    ).endswith("server http s peer=p")
    element = {"type": "tool", "name": "add", "description": "Adds."}
    added = {"name": "python_mcp_server_add", "element": element, "learned": "listed", "source": "client"}
    assert shown(**added, server_name="demo").endswith('client listed tool add of=demo "Adds."')
    assert shown(**added, replaces="0" * 64).endswith('client listed tool add changed "Adds."')
    assert shown(name="python_mcp_server_init", server={"name": "demo", "version": "2"}).endswith("demo 2")
    assert shown(name="python_events_dropped", dropped=4, reason="spool").endswith("dropped=4 reason=spool")
    # A kind of a later version, and what caused it.
    request = {"method": "tools/call", "tool": "fetch"}
    assert shown(name="python_socket_connect", address="[::1]:80", mcp=request).endswith(
        "python_socket_connect address=[::1]:80 in tools/call fetch"
    )


def test_the_date_is_shown_on_request() -> None:
    assert shown(date=True, event="server_received_request").startswith("2026-11-22 10:00:07.007 ")


@pytest.mark.parametrize(
    ("hostile", "escaped"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202exe.exe", "user\\u202exe.exe"),
        ("zero\u200bwidth\u2066", "zero\\u200bwidth\\u2066"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("\ud800", "\\ud800"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("naïve 日本 é ✓", "naïve 日本 é ✓"),
    ],
)
def test_hostile_text_is_shown_escaped(hostile: str, escaped: str) -> None:
    assert visible(hostile) == escaped
    for field in ("method", "outcome", "event", "id"):
        assert hostile.isprintable() or hostile not in shown(**{field: hostile})
    text = shown(
        event="server_received_request", method=hostile, mcp={"tool": hostile}, message={"params": {"x": hostile}}
    )
    assert text.isprintable()


def test_a_long_value_is_shortened_and_says_so() -> None:
    text = value_text({"text": "x" * 5000})
    assert len(text) == 200
    assert text.endswith("...")


def test_a_line_is_cut_to_the_width_in_cells_not_in_characters() -> None:
    parts = [("", "12345"), ("", "日本語"), ("", "end")]
    assert render(parts) == "12345 日本語 end"
    assert render(parts, width=10) == "12345 日本"
    assert render(parts, width=11) == "12345 日本"
    assert render(parts, width=12) == "12345 日本語"
    assert render(parts, width=5) == "12345"
    assert render([("", "\x1b" * 50)], width=6) == "\\x1b\\x"


def test_colour_codes_are_ours_and_do_not_count_as_width() -> None:
    assert render([("good", "ok"), ("", "rest")], width=7, colour=True) == "\x1b[32mok\x1b[0m rest"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_NAMES = [*GISTS, "another"]
_FIELDS = ["event", "id", "method", "message", "outcome", "duration_ms", "error_code", "argv", "python", "problems"]
_FIELDS += ["distribution", "module", "version", "hooks", "events", "dropped", "errors", "server", "source", "context"]
_FIELDS += ["transport", "session_id", "connection_id", "peer"]


# The first draw builds Unicode tables, which takes seconds on a loaded machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("python_events_dropped", {"event": "\u1ce3" * 200})
@given(st.sampled_from(_NAMES), st.dictionaries(st.sampled_from(_FIELDS), anything))
def test_no_event_however_odd_breaks_the_line_or_the_terminal(name: str, fields: dict[str, Any]) -> None:
    stored = {"ts": "2026-11-22T10:00:00Z", "event": {"meta": {"name": name}, **fields}}
    text = render(pieces(parse(json.dumps(stored).encode())), width=120)
    assert text.isprintable()
    assert sum(not unicodedata.combining(char) for char in text) <= 120  # those take no room of their own
