"""``BLUEROCK_PROPAGATE``: off, the wire is as it was; on, the requests of a client name their span to the server."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _peers import EXAMPLES, named, read_spool
from _wire import TEE, kind, messages_of_tee

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

PATTERN = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")
GIVEN = f"00-{'a' * 32}-{'b' * 16}-00"
CELLS = [("mcp==1.30.0", "legacy"), ("mcp==2.3.0", "legacy"), ("mcp==2.3.0", "auto")]


def without_parents(wire: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """The messages as they are without our member of ``_meta``, and without the containers that hold nothing else."""
    for _, message in wire:
        params = message.get("params") or {}
        params.get("_meta", {}).pop("traceparent", None)
        for holder, name in ((params, "_meta"), (message, "params")):
            if holder.get(name) == {}:
                del holder[name]
    return wire


@pytest.mark.parametrize(("sdk", "mode"), CELLS)
def test_off_the_wire_is_the_same_byte_for_byte_and_on_requests_name_their_span(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    runs = {}
    for name, variables in (("dark", {"BLUEROCK_ENABLE": "0"}), ("off", {}), ("on", {"BLUEROCK_PROPAGATE": "1"})):
        log = tmp_path / f"{name}.log"
        tee = [sys.executable, "-S", str(TEE), str(log), str(peer.python), str(EXAMPLES / "server.py")]
        own = {"BLUEROCK_SPOOL_DIR": str(spool.with_name(f"spool-{name}"))}
        command = ("python", EXAMPLES / "client.py", "--mode", mode, "--server-command", *tee)
        done = peer.run(*command, env={**sensor_env, **own, **variables})
        runs[name] = (done.stdout, done.stderr), log

    assert runs["dark"][0] == runs["off"][0] == runs["on"][0]
    sent = {
        name: [line for line in log.read_bytes().splitlines() if line.startswith(b">")]
        for name, (_, log) in runs.items()
    }
    assert sent["off"] == sent["dark"]
    assert sent["on"] != sent["off"]

    wire = messages_of_tee(runs["on"][1])
    for direction, message in wire:
        parent = (message.get("params") or {}).get("_meta", {}).get("traceparent")
        asked = (direction, kind(message)) == ("c2s", "request")
        assert (parent is not None) == asked, message
        assert parent is None or PATTERN.fullmatch(parent)
    assert [m for d, m in without_parents(wire) if d == "c2s"] == [
        m for d, m in without_parents(messages_of_tee(runs["off"][1])) if d == "c2s"
    ]

    events = read_spool(spool.with_name("spool-on"))
    requests = named(events, "client_send_request")
    received = {event["trace_parent"]: event for event in named(events, "server_received_request")}
    assert len(received) == len(requests) > 8
    for event in requests:
        assert event["trace_parent"][36:52] == event["context"]["mcp"]["span_id"]
        assert received[event["trace_parent"]]["id"] == event["id"]
    off = read_spool(spool.with_name("spool-off"))
    assert not [event for event in named(off, "python_mcp_event") if "trace_parent" in event]


@pytest.mark.parametrize(("sdk", "mode"), CELLS)
def test_what_the_caller_made_stays_as_it_is_and_a_nested_request_continues_the_trace(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    env = {**sensor_env, "BLUEROCK_PROPAGATE": "1"}
    done = peer_venv("3.11", sdk).run("python", Path(__file__).with_name("_propagates.py"), EXAMPLES, mode, env=env)
    found = json.loads(done.stdout)
    assert found.pop("nested") == "3"
    assert all(found.values()), found
    events = read_spool(spool)
    sent = named(events, "client_send_request")
    if mode == "legacy":
        by_hand = {event["id"]: event["trace_parent"] for event in sent if event["id"] in (1001, 1002, 1003, 1004)}
        assert by_hand.pop(1003) == GIVEN
        assert all(PATTERN.fullmatch(parent) for parent in by_hand.values())
        seen = {event["id"]: event.get("trace_parent") for event in named(events, "server_received_request")}
        assert all(seen[number] == parent for number, parent in by_hand.items())
        assert seen[1003] == GIVEN
    (outer,) = [event for event in sent if event["context"]["mcp"].get("tool") == "nested"]
    calls = [event for event in sent if event["context"]["mcp"].get("tool") == "add"]
    traces = [event["trace_parent"][3:35] for event in calls]
    assert traces.count(outer["trace_parent"][3:35]) == 1  # the nested call, and not the one before


TRACED = """
import runpy, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("propagate", ["0", "1"])
def test_the_trace_of_another_tool_is_recorded_on_both_sides_and_left_alone(
    propagate: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", "mcp==2.3.0", "opentelemetry-sdk")
    env = {**sensor_env, "BLUEROCK_PROPAGATE": propagate}
    peer.run("python", "-c", TRACED, EXAMPLES / "client.py", env=env)
    events = read_spool(spool)
    sent = named(events, "client_send_request")
    assert len(sent) > 8
    assert all(event["trace_parent"][36:52] != event["context"]["mcp"]["span_id"] for event in sent)
    received = named(events, "server_received_request")
    assert [event["trace_parent"] for event in sent] == [event["trace_parent"] for event in received]
