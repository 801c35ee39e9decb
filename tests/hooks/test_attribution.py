"""What a tool does belongs to its own call, wherever the tool does it, and to no call once it is over."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _cells import FASTMCP_2, SHORT, USUAL, Cell, cells
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
CALLS = 200

PLACES = {
    0: {"async", "async after await"},
    1: {"sync"},
    2: {"default executor", "shared executor", "submit", "own executor", "asyncio dns"},
    3: {"thread", "thread subclass", "timer"},
    4: {"to_thread"},
    5: {"late task"},
}


@pytest.mark.parametrize("cell", cells(*USUAL))
def test_of_200_concurrent_calls_each_has_what_it_did_and_nothing_else(
    cell: Cell,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
) -> None:
    peer = peer_venv(cell.python, *cell.packages)
    script = HERE / "_attributed.py"
    done = peer.run("python", script, cell.package, cell.mode, str(CALLS), env=sensor_env, timeout=120)
    events = read_spool(spool)
    calls = {
        event["message"]["params"]["arguments"]["number"]: event["context"]["mcp"]
        for event in named(events, "server_received_request")
        if event["method"] == "tools/call"
    }
    assert set(calls) == set(range(CALLS))
    assert len({call["span_id"] for call in calls.values()}) == CALLS

    places = defaultdict(set)
    for number, place, *owner in map(json.loads, done.stdout.splitlines()):
        places[number].add(place)
        if number == CALLS:
            assert owner == [], f"{place}: a request was left behind"
            continue
        own = calls[number]
        assert owner == [own["request_id"], own["span_id"], place == "late task"], f"{place} of call {number}"
    assert places.pop(CALLS) == {"main", "default executor", "shared executor"}
    assert dict(places) == {number: PLACES[number % len(PLACES)] for number in range(CALLS)}

    # And so do the events.
    opened = defaultdict(set)
    for event in named(events, "python_file_open"):
        if event["path"].startswith("/nonexistent/"):
            number, place = event["path"].split("/")[2:]
            assert event["context"]["mcp"] == calls[int(number)]
            opened[int(number)].add(place)
    assert dict(opened) == {number: found - {"asyncio dns"} for number, found in places.items()}


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param(("fastmcp[tasks]==3.4.11",), id="fastmcp-3.4"),
        pytest.param(FASTMCP_2, id="fastmcp-2.14", marks=pytest.mark.stress),
        pytest.param(("fastmcp-tasks==4.1.4",), id="fastmcp-4.1", marks=pytest.mark.stress),
    ],
)
def test_a_background_task_belongs_to_the_request_that_queued_it(
    packages: tuple[str, ...], peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    done = peer_venv("3.11", *packages).run("python", HERE / "_background.py", env=sensor_env)
    calls = {
        event["message"]["params"]["arguments"]["number"]: event["context"]["mcp"]["span_id"]
        for event in named(read_spool(spool), "server_received_request")
        if event["method"] == "tools/call"
    }
    rows = sorted(map(json.loads, done.stdout.splitlines()))
    assert rows == [*([number, "tools/call", "slow", calls[number]] for number in range(10)), [10]]


@pytest.mark.parametrize("cell", cells(*SHORT))
def test_a_tool_that_is_a_client_is_the_parent_of_its_calls(
    cell: Cell, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv(cell.python, *cell.packages).run("python", HERE / "_nested.py", cell.package, cell.mode, env=sensor_env)
    sent: dict[Any, str] = {}
    parents: dict[Any, Any] = {}
    for side in ("client_send_request", "server_received_request"):
        for event in named(read_spool(spool), side):
            if event["method"] == "tools/call" and event["context"]["mcp"]["tool"] != "opener":
                tool, arguments = event["context"]["mcp"]["tool"], event["message"]["params"]["arguments"]
                key = side, arguments["number"], arguments.get("way", tool)
                sent[key] = event["context"]["mcp"]["span_id"]
                parents[key] = event["context"]["mcp"].get("parent_span_id")
    assert len(parents) == 20 * 3 * 2
    for number in range(20):
        serving = sent["server_received_request", number, "outer"]
        for way in ("own", "shared"):
            assert parents["client_send_request", number, way] == serving
        # Where the server reads in a task of its own it cannot know; it never takes the one that opened the connection.
        assert parents["server_received_request", number, "own"] == serving
        assert parents["server_received_request", number, "shared"] in (None, serving)


@pytest.mark.parametrize(
    ("python", "how", "when"),
    [
        ("3.11", "gevent", "before"),
        pytest.param("3.11", "gevent", "after", marks=pytest.mark.stress),
        pytest.param("3.11", "eventlet", "before", marks=pytest.mark.stress),
        ("3.14", "interpreters", "before"),
    ],
)
def test_replaced_threads_and_other_interpreters_work_as_ever(
    python: str, how: str, when: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str]
) -> None:
    peer = peer_venv(python, "mcp==2.3.0", *(() if how == "interpreters" else (how,)))
    done = peer.run("python", HERE / "_patched_threads.py", how, when, env=sensor_env)
    each = [f"call {number}" for number in (0, 0, 1, 1, 2, 2)]
    assert done.stdout == f"{[*each, None, None, None]} 0\n"
    assert not done.stderr


@pytest.mark.parametrize("sdk", ["mcp==2.3.0", pytest.param("mcp==2.0.0", marks=pytest.mark.stress)])
def test_what_the_sdk_asks_itself_before_a_call_is_part_of_the_call(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    done = peer_venv("3.11", sdk, "uvicorn").run("python", HERE / "_phantom.py", env=sensor_env)
    spans = {
        event["method"]: event["context"]["mcp"]["span_id"]
        for event in named(read_spool(spool), "server_received_request")
    }
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["list", "tools/list", spans["tools/list"], False],
        ["list", "tools/call", spans["tools/call"], False],
        ["call", "tools/call", spans["tools/call"], False],
    ]
