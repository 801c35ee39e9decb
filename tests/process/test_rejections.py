"""HTTP requests that a server's transport refuses: each leaves an event, and every message of the wire is recorded."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from _peers import named, read_spool
from _serving import serving
from _wire import expected, messages_of_tee, recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

REJECTED = "python_mcp_rejected"
BOTH = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "edge", "version": "1"}},
}
UNKNOWN = "0" * 32
SECRET = "sk-live-0123456789abcdef0123456789"


def request(number: int, method: str = "ping", **params: Any) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


class Client:
    """Speaks HTTP and nothing else; keeps the status of every answer."""

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        self.session: str | None = None

    def __call__(self, verb: str, body: Any = None, path: str | None = None, **headers: str) -> int:
        """Send one request and read its answer; a header name has ``_`` for ``-``."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", "accept": BOTH, "connection": "close"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        wire = http.client.HTTPConnection(str(self.target.hostname), self.target.port, timeout=10)
        wire.request(verb, path or self.target.path, data, {name: value for name, value in sent.items() if value})
        answer = wire.getresponse()
        answer.read()
        self.session = answer.getheader("mcp-session-id") or self.session
        wire.close()
        return answer.status


def facts(event: dict[str, Any]) -> tuple[Any, ...]:
    """What a test compares of a rejection."""
    return event["verb"], event["body"], event.get("id"), event.get("method"), event["status"]


def checked(events: list[dict[str, Any]], log: Path) -> list[dict[str, Any]]:
    """The rejections, after what holds for all of them and for the messages on the wire was checked."""
    wire = messages_of_tee(log)
    assert wire
    assert recorded(events, "server") == expected(wire, "server")
    for event in named(events, "server_send_response"):
        assert event["duration_ms"] >= 0
        assert event["outcome"]
    rejections = named(events, REJECTED)
    for event in rejections:
        assert event["status"] >= 400
        assert event["duration_ms"] >= 0
        answers = [e for e in named(events, "server_send_response") if e["connection_id"] == event["connection_id"]]
        # The answer, if it was JSON-RPC, belongs to the same request.
        assert [a["error_code"] for a in answers] == ([event["error_code"]] if "error_code" in event else [])
        assert all(a["context"]["mcp"]["span_id"] == event["context"]["mcp"]["span_id"] for a in answers)
    assert SECRET not in json.dumps(events)
    return rejections


@pytest.mark.parametrize(
    ("sdk", "reads_first"),
    [
        ("mcp==1.30.0", True),
        ("mcp==2.3.0", True),
        pytest.param("mcp==1.9.4 pydantic<2.12", False, marks=pytest.mark.stress),
    ],
)
def test_what_the_transport_of_2025_refuses_is_recorded(
    sdk: str,
    reads_first: bool,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    log = tmp_path / "wire.log"
    with serving(peer_venv("3.11", *sdk.split(), "uvicorn"), sensor_env, log, []) as url:
        client = Client(url + ("" if reads_first else "/"))  # where older SDKs redirect to
        assert client("POST", INITIALIZE) == 200
        session = str(client.session)
        assert client("POST", {"jsonrpc": "2.0", "method": "notifications/initialized"}, mcp_session_id=session) == 202
        wanted = []

        def refused(status: int, body: str, message: Any, verb: str, data: Any, **headers: str) -> None:
            got = client(verb, data, **{"mcp_session_id": session, **headers})
            assert got == status, (data, got)
            known = message if body == "message" else None
            wanted.append((verb, body, known and known["id"], known and known["method"], status))

        # Older SDKs look at the headers first: a message that nobody read cannot be told.
        message = "message" if reads_first else "unread"

        refused(400, "not_json", None, "POST", b'{"nope ' + SECRET.encode())
        refused(400, "batch", None, "POST", [request(1), request(2)])
        refused(400, "not_a_message", None, "POST", {"password": SECRET})
        refused(404 if reads_first else 400, message, request(3), "POST", request(3), mcp_session_id=UNKNOWN)
        if sdk == "mcp==1.30.0":  # 2.x takes a version it does not know for one to come
            refused(400, "message", request(4), "POST", request(4), mcp_protocol_version="1999-01-01")
        refused(406, message, request(5), "POST", request(5), accept="text/plain")
        refused(406, "none", None, "GET", None, accept="text/plain")
        refused(400, "none", None, "GET", None, mcp_session_id="")
        refused(405, "none", None, "PATCH", None)
        # The session goes on as if nothing had been.
        assert client("POST", request(6), mcp_session_id=session) == 200
    events = read_spool(spool)
    rejections = checked(events, log)
    assert [facts(event) for event in rejections] == wanted
    assert {event["transport"] for event in rejections} == {"http"}
    named_sessions = {event.get("session_id") for event in rejections}
    assert named_sessions == {session, None, UNKNOWN}
    (ping,) = [event for event in named(events, "server_received_request") if event.get("id") == 6]
    assert ping["connection_id"] not in {event["connection_id"] for event in rejections}
    sizes = [event["size"] for event in rejections]
    assert sizes[0] == len(b'{"nope ' + SECRET.encode())
    assert rejections[1]["messages"] == 2
    assert {event.get("server_name") for event in rejections} == {"example-server"}


def test_what_the_transport_of_2026_refuses_is_recorded(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    log = tmp_path / "wire.log"
    modern = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/list"}
    with serving(peer_venv("3.11", "mcp==2.3.0", "uvicorn"), sensor_env, log, []) as url:
        client = Client(url)
        listing = request(1, "tools/list", _meta=META)
        assert client("POST", listing, **modern) == 200
        # Errors that answer their request are messages like any other.
        assert client("POST", {**listing, "id": 2}, **{**modern, "mcp_method": "tools/call"}) == 400
        assert client("POST", {**listing, "id": 3}, **{**modern, "mcp_protocol_version": "2030-01-01"}) == 400
        assert client("POST", request(4, "no/such", _meta=META), **{**modern, "mcp_method": "no/such"}) == 404
        # What follows is no message, or has no answer that is one.
        assert client("POST", b'{"nope ' + SECRET.encode(), **modern) == 400
        assert client("POST", [listing, listing, listing], **modern) == 400
        assert client("POST", {"jsonrpc": "2.0", "id": 5, "result": {}}, **modern) == 400
        assert client("POST", {**listing, "id": 6}, **modern, accept="text/plain") == 406
        assert client("GET", None, **modern) == 405
        note = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
        assert client("POST", note, **{**modern, "mcp_protocol_version": "2030-01-01"}) == 400
        assert client("POST", b"x", **modern, content_length=str(5 << 20)) == 413
        assert client("POST", {**listing, "id": 7}, **modern) == 200
    events = read_spool(spool)
    rejections = checked(events, log)
    assert [facts(event) for event in rejections] == [
        ("POST", "not_json", None, None, 400),
        ("POST", "batch", None, None, 400),
        ("POST", "message", None, None, 400),
        ("POST", "message", 6, "tools/list", 406),
        ("GET", "none", None, None, 405),
        ("POST", "message", None, None, 400),
        ("POST", "unread", None, None, 413),
    ]
    assert rejections[1]["messages"] == 3
    assert rejections[-1]["size"] == 5 << 20
    assert rejections[-1]["reason"] == "Request body too large"
    assert not named(events, "python_mcp_request_ended")


ODD = [
    b"",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"jsonrpc":"2.0","id":[1],"method":"ping"}',
    b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":' + b"9" * 400 + b',"method":"ping"}',
    b'{"jsonrpc":"2.0","id":"' + b"x" * 4000 + b'","method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":7}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1,2]}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":7}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}',
    b'{"jsonrpc":"2.0","id":null,"result":{}}',
    b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
]


@pytest.mark.parametrize(
    ("sdk", "headers"),
    [
        ("mcp==1.30.0", {}),
        ("mcp==2.3.0", {}),
        ("mcp==2.3.0", {"mcp_protocol_version": "2026-07-28", "mcp_method": "ping"}),
    ],
)
def test_no_body_makes_us_stumble(
    sdk: str,
    headers: dict[str, str],
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    with serving(peer_venv("3.11", sdk, "uvicorn"), sensor_env, tmp_path / "wire.log", []) as url:
        client = Client(url)
        if not headers:
            assert client("POST", INITIALIZE) == 200
            headers = {"mcp_session_id": str(client.session)}
        statuses = [client("POST", body, **headers) for body in ODD]
    rejections = named(read_spool(spool), REJECTED)  # which fails where our guard swallowed anything
    refused = [status for status in statuses if status >= 400]
    assert len(refused) > 12
    assert {event["body"] for event in rejections} >= {"none", "not_json", "batch", "not_a_message"}
    if "mcp_session_id" in headers:  # in 2026-07-28 an error that answers its request tells by itself
        assert [event["status"] for event in rejections] == refused


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_what_the_message_endpoint_of_an_sse_server_refuses_is_recorded(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    with serving(peer_venv("3.11", *sdk.split(), "uvicorn"), sensor_env, tmp_path / "wire.log", ["sse"]) as url:
        client = Client(url)
        assert client("POST", request(1), "/messages/") == 400
        assert client("POST", request(2), f"/messages/?session_id={UNKNOWN}") == 404
        assert client("GET", None, "/messages/") in (405, 400)
    rejections = named(read_spool(spool), REJECTED)
    assert [(event["status"], event["body"], event.get("id"), event.get("session_id")) for event in rejections[:2]] == [
        (400, "message", 1, None),
        (404, "message", 2, UNKNOWN),
    ]
    assert [event["reason"] for event in rejections[:2]] == ["session_id is required", "Could not find session"]
    assert {event["transport"] for event in rejections} == {"sse"}
