"""Every event that was emitted is in the spool, or a count says where it went: across drops, kills and recoveries."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _peers import Peer

# Emits through the running sensor, and loses in several ways. Prints how many event numbers it has used, then does what
# it is told on stdin: "end", or "kill".
PROGRAM = """
import os, resource, signal, sys, time
from bluerock_hooks import _bootstrap
sensor = _bootstrap.sensor()

def emit(count, size=100):
    for number in range(count):
        sensor.note("python_file_open", {"path": f"/x/{number}" + "y" * size, "mode": "read"})

class Unwilling(dict):
    def items(self):
        raise ValueError("no")

def a_disk_that_refuses(count):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    emit(count)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)

emit(50)
emit(3, 50_000)
a_disk_that_refuses(400)
time.sleep(1.1)
emit(50)
for _ in range(2):
    sensor.note("python_file_open", Unwilling())
emit(50)
sensor.recorder.drain()
emit(5)
a_disk_that_refuses(300)  # the end: no line with a later number tells of these
print(int(repr(sensor.envelope.next_id.__self__)[6:-1]) - 1, flush=True)
if sys.stdin.readline() == "kill\\n":
    os.kill(os.getpid(), signal.SIGKILL)
"""
RING = 1 << 15


@pytest.fixture
def env(sensor_env: dict[str, str]) -> dict[str, str]:
    more = {"BLUEROCK_RING_BYTES": str(RING), "BLUEROCK_IMPORTS": "off", "BLUEROCK_PROCESS": "off"}
    return {**sensor_env, **more}


@contextmanager
def running(peer: Peer, env: dict[str, str], how: str) -> Iterator[tuple[int, int]]:
    """Pid of the program, which has done its work, and how many event numbers it used; then it ends."""
    command = [str(peer.python), "-c", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, cwd=peer.directory, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as it:
        assert it.stdin is not None
        assert it.stdout is not None
        yield it.pid, int(it.stdout.readline())
        it.stdin.write(f"{how}\n")
        it.stdin.close()
        assert it.stdout.read() == ""
    assert it.returncode == (-9 if how == "kill" else 0)


def command(peer: Peer, env: dict[str, str], name: str) -> dict[str, Any]:
    done = peer.run("bluerock-hooks", name, "--json", env=env, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("how", ["end", "kill"])
def test_what_was_emitted_is_there_or_counted(
    how: str, peer_venv: Callable[..., Peer], env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv()
    with running(peer, env, how) as (pid, emitted):
        # A process that runs says it, too, of what no segment tells yet.
        (row,) = command(peer, env, "doctor")["processes"]
        assert (row["pid"], row["state"], row["errors"]) == (pid, "running", 2)
        assert row["dropped_by"].keys() == {"error", "oversize", "ring_full"}
        assert row["emitted"] == row["written"] + row["waiting"] + row["dropped"] == emitted + 2
        live = command(peer, env, "stats")["sensors"]
        assert (live["emitted"], live["unaccounted"], live["swallowed"]) == (emitted + 2, 0, 2)
        assert live["dropped"] == row["dropped_by"]

    events = read_spool(spool, failures=True)
    (component,) = {event["meta"]["component_id"] for event in named(events, "sensor_startup")}
    numbers = Counter(
        line["event"]["meta"]["source_event_id"]
        for line in events
        if line["event"]["meta"]["component_id"] == component
    )
    told = named(events, "python_events_dropped")
    lost = Counter[str]()
    for event in told:
        lost[event["reason"]] += event["dropped"]
        assert ("of" in event) == (event["meta"]["component_id"] != component)
    assert lost.keys() == row["dropped_by"].keys()
    assert (lost["oversize"], lost["error"]) == (3, 2)
    assert lost["ring_full"] > 300
    assert set(numbers.values()) == {1}
    # Two that could not be made had no number.
    assert emitted + 2 == sum(number <= emitted for number in numbers) + lost.total()
    whole = command(peer, env, "stats")["sensors"]
    assert whole["emitted"] == whole["written"] + lost.total()
    assert (whole["written"], whole["unaccounted"], whole["swallowed"]) == (len(events), 0, 2)
    assert whole["dropped"] == lost
    if how == "end":
        (end,) = named(events, "sensor_shutdown")
        assert end["lost"] == lost
        assert (end["dropped"], end["errors"]) == (lost.total(), 2)
        assert end["emitted"] == end["events"] + end["dropped"]
        assert (end["events"], end["written"]) == (len(events), len(events) - 1)
    else:
        assert not named(events, "sensor_shutdown")
        said = command(peer, env, "doctor")["processes"][0]
        assert (said["state"], said["dropped_by"]) == ("killed", lost)
