"""What a tool does belongs to its own call, wherever the tool does it, and to no call once it is over."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _cells import CELLS, Cell
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


@pytest.mark.parametrize("cell", CELLS)
def test_of_200_concurrent_calls_each_has_what_it_did_and_nothing_else(
    cell: Cell,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
) -> None:
    peer = peer_venv(cell.python, *cell.packages)
    script = HERE / "_attributed.py"
    done = peer.run("python", script, cell.package, cell.mode, str(CALLS), env=sensor_env, timeout=120)
    calls = {
        event["message"]["params"]["arguments"]["number"]: event["context"]["mcp"]
        for event in named(read_spool(spool), "server_received_request")
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
