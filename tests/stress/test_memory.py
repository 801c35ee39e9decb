"""Events by the million, and forks by the hundred, leave a process as large as it was."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

MANY = int(os.environ.get("BLUEROCK_TEST_EVENTS", "10000000"))

EVENTS = """
import json, sys
from bluerock_hooks import _bootstrap
sensor = _bootstrap.sensor()
sensor.connected()

def resident():  # KiB, without the pages of files, which the ring's are
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

def emit(count):
    for number in range(count):
        sensor.note("python_file_open", {"path": f"/x/{number}", "mode": "read"})

def least():  # over some batches, each of which takes memory for a moment
    found = []
    for _ in range(15):
        emit(5_000)
        found.append(resident())
    return min(found)

emit(50_000)  # caches fill, the ring wraps
for _ in range(3):  # the largest batch there can be: what it takes stays with the thread that wrote it
    with sensor.recorder._drain.drain_lock:
        emit(2_000)
before = least()
emit(int(sys.argv[1]))
grown = least() - before
counts = sensor.recorder.counts()
print(json.dumps([grown, counts.events, counts.dropped]))
"""


@pytest.mark.parametrize("count", [60_000, pytest.param(MANY, marks=pytest.mark.stress, id="many")])
def test_memory_does_not_grow_with_events(
    count: int, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    env = {**sensor_env, "BLUEROCK_SPOOL_BYTES": str(32 << 20), "BLUEROCK_SEGMENT_BYTES": str(4 << 20)}
    peer = peer_venv()
    done = peer.run("python", "-c", EVENTS, str(count), env=env, timeout=3600)
    grown, events, dropped = json.loads(done.stdout)
    print(f"{events} events, {dropped} dropped, memory {grown:+} KiB")
    assert grown < 2048
    assert events + dropped > count
    assert sum(segment.stat().st_size for segment in spool.glob("*.ndjson")) < 40 << 20
    accounts = json.loads(peer.run("bluerock-hooks", "stats", "--json", env=env, check=False, timeout=600).stdout)
    assert accounts["sensors"]["unaccounted"] == 0


FORKS = """
import json, os, sys
from bluerock_hooks import _bootstrap
sensor = _bootstrap.sensor()

def mappings():
    with open("/proc/self/maps") as maps:
        return sum(".ring" in line for line in maps)

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

most, before = 0, 0
for turn in range(150):
    pid = os.fork()
    if pid == 0:
        sensor.note("python_file_open", {"path": "/x", "mode": "read"})
        os._exit(mappings())
    most = max(most, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    if turn == 50:
        before = resident()
print(json.dumps([mappings(), most, resident() - before]))
"""


def test_forks_leave_no_mapping_behind(peer_venv: Callable[..., Peer], sensor_env: dict[str, str]) -> None:
    done = peer_venv().run("python", "-c", FORKS, env=sensor_env)
    own, of_a_child, grown = json.loads(done.stdout)
    assert own == 1
    assert of_a_child == 2, "its own, and the parent's, which came with the fork"
    assert grown < 512
