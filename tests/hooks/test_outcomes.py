"""How requests end: every one has one answer or one ``python_mcp_request_ended``, which says how."""

from __future__ import annotations

import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _peers import EXAMPLES, Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = Path(__file__).with_name("_outcomes.py")

V1, V2 = "mcp==1.30.0", "mcp==2.3.0"
CELLS = [
    pytest.param(V1, "memory", id="1.30-memory"),
    pytest.param(V1, "http", id="1.30-http"),
    pytest.param(V2, "memory", id="2.3-memory-2025"),
    pytest.param(V2, "auto", id="2.3-in-process-2026"),
    pytest.param(V2, "stdio", id="2.3-stdio-2026"),
    pytest.param(V2, "http", id="2.3-http-2026"),
    pytest.param(V2, "http-legacy", id="2.3-http-2025"),
    *(
        pytest.param(sdk, mode, id=f"{sdk}-{mode}", marks=pytest.mark.stress)
        for sdk in ("mcp==1.9.4 pydantic<2.12", "mcp==2.0.0")
        for mode in ("memory", "stdio", "http")
    ),
]


@contextmanager
def listening(peer: Peer, env: dict[str, str]) -> Iterator[str]:
    """The script's HTTP server; the value is its address."""
    command = [str(peer.python), str(SCRIPT), str(EXAMPLES), "serve-http"]
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, cwd=peer.directory)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def recorded(peer: Peer, env: dict[str, str], spool: Path, mode: str) -> list[dict[str, Any]]:
    """Events of the script's conversation over the transport of ``mode``."""
    if mode.startswith("http"):
        with listening(peer, env) as url:
            peer.run("python", SCRIPT, EXAMPLES, mode, url, env=env)
    else:
        peer.run("python", SCRIPT, EXAMPLES, mode, env=env)
    return read_spool(spool)


def end_of_each(events: list[dict[str, Any]], side: str) -> dict[tuple[str, object], list[str]]:
    """(connection, id) of each request of the client, as this side saw it -> its ends, oldest first."""
    ends: dict[tuple[str, object], list[str]] = {}
    answer = "client_received_response" if side == "client" else "server_send_response"
    request = "client_send_request" if side == "client" else "server_received_request"
    for line in events:
        event = line["event"]
        key = event.get("connection_id", ""), event.get("id")
        if event.get("event") == request:
            ends[key] = []
        elif event.get("event") == answer:
            ends[key].append(("late " if event.get("late") else "") + event["outcome"])
        elif event["meta"]["name"] == "python_mcp_request_ended" and (event["side"], event["source"]) == (
            side,
            "client",
        ):
            ends[key].append("ended " + event["outcome"])
    return ends


@pytest.mark.parametrize(("sdk", "mode"), CELLS)
def test_every_request_has_one_end_and_it_says_how(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    first = sdk.startswith("mcp==1")
    events = recorded(peer_venv("3.11", *sdk.split(), "uvicorn"), sensor_env, spool, mode)
    client, server = end_of_each(events, "client"), end_of_each(events, "server")
    if mode == "stdio" and first:  # its client kills the server, whose last requests have no end that could be recorded
        server = {key: ends for key, ends in server.items() if ends}
    for ends in (*client.values(), *server.values()):
        final = [end for end in ends if not end.startswith("late ")]
        assert len(final) == 1, ends
        assert ends[0] == final[0], "a late answer comes after the end"

    wanted = Counter({"ended timeout": 1, "ended cancelled": 1, "ended abandoned": 1})
    counts = Counter(end for ends in client.values() for end in ends)
    if first:  # its server answers all the same
        wanted["late timeout"] = 1
    elif mode == "http-legacy":  # its transport must end the response, and says that the request was cancelled
        wanted.update({"late timeout": 1, "late cancelled": 1})
    assert {end: n for end, n in counts.items() if end not in ("ok", "input_required")} == wanted

    cancelled = Counter(end for ends in server.values() for end in ends if "cancelled" in end)
    if first:
        assert not cancelled  # 1.x tells its server nothing
    else:
        at_the_end = mode == "http"  # a client of 2026-07-28 HTTP that closes cancels what is open
        how = "cancelled" if mode == "http-legacy" else "ended cancelled"
        assert cancelled == {how: 3 if at_the_end else 2}

    # Every response of both sides has an outcome and a duration; every end has a duration.
    for event in named(events, "python_mcp_event"):
        if event["event"].endswith("_response"):
            assert event["outcome"], event
            assert event["duration_ms"] >= 0, event
    for event in named(events, "python_mcp_request_ended"):
        assert 150 < event["duration_ms"] < 30_000
        assert event["method"] == "tools/call"
        assert event["context"]["mcp"]["tool"] == "sleepy"
    timed_out = [event for event in named(events, "python_mcp_request_ended") if event["outcome"] == "timeout"]
    assert [event["side"] for event in timed_out] == ["client"]


@pytest.mark.parametrize("mode", ["auto", "stdio"])
def test_the_calls_of_a_round_trip_are_joined_by_a_digest_of_the_state_and_the_state_is_nowhere(
    mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    events = recorded(peer_venv("3.11", V2, "uvicorn"), sensor_env, spool, mode)
    digests = [
        (event["event"], event.get("outcome"), event["state_digest"])
        for event in named(events, "python_mcp_event")
        if "state_digest" in event
    ]
    assert len({digest for _, _, digest in digests}) == 1
    assert len(digests[0][2]) == 32
    assert Counter((name, outcome) for name, outcome, _ in digests) == {
        ("server_send_response", "input_required"): 1,
        ("client_received_response", "input_required"): 1,
        ("client_send_request", None): 1,
        ("server_received_request", None): 1,
    }
    states = {
        member.get("requestState")
        for event in named(events, "python_mcp_event")
        for member in (event["message"].get("params") or {}, event["message"].get("result") or {})
    }
    assert states == {None, "[redacted]"}


def test_what_an_http_client_makes_up_is_not_taken_for_an_answer(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """The server goes away in the middle of a call: the client's transport answers its own session."""
    peer = peer_venv("3.11", V2, "uvicorn")
    with listening(peer, {**sensor_env, "BLUEROCK_ENABLE": "0"}) as url:
        done = peer.run("python", Path(__file__).with_name("_bereft.py"), EXAMPLES, url, env=sensor_env)
    assert done.stdout.startswith("failed: MCPError")
    events = read_spool(spool)
    (end,) = named(events, "python_mcp_request_ended")
    assert (end["outcome"], end["side"], end["method"]) == ("abandoned", "client", "tools/call")
    assert end["error_code"] < 0
    assert end["reason"]
    answered = {event["id"] for event in named(events, "client_received_response")}
    assert end["id"] not in answered
