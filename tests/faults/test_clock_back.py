"""The wall clock is set back while a program runs: order, numbers and durations do not follow it.

libfaketime stands between Python and the kernel; nobody's real clock is touched.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import _peers
import pytest
from _command import call
from _peers import EXAMPLES, Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = """\
import asyncio, os, pathlib
import _in_memory

async def main():
    async with _in_memory.connect("legacy") as session:
        for offset in ("+0", "-2h", "-1h", "-400d", "+400d", "+0"):
            pathlib.Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text(offset)
            await session.call_tool("add", {"a": 1, "b": 2})

asyncio.run(main())
"""


def libfaketime() -> str:
    """Path of the library, of Debian's package of that name."""
    for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        return str(path)
    _peers.missing("libfaketime (apt-get install libfaketime)")
    return ""


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", pytest.param("mcp==2.3.0", marks=pytest.mark.stress)])
def test_an_mcp_server_whose_clock_is_set_back(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": libfaketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": f"{EXAMPLES}:{Path(__file__).parent.parent}",
    }
    done = peer_venv("3.11", sdk).run("python", "-c", PROGRAM, env={**sensor_env, **faked})
    assert done.stderr == ""
    events = in_order(spool)
    numbers = [event["event"]["meta"]["source_event_id"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1)), "no gap, and in the order in which it happened"
    times = [event["ts"] for event in events]
    assert times != sorted(times), "the clock was set back"
    assert len({time[:4] for time in times}) == 3
    answers = [event["event"] for event in events if event["event"].get("event") == "server_send_response"]
    durations = [event["duration_ms"] for event in answers if event["context"]["mcp"].get("tool") == "add"]
    assert len(durations) == 6
    assert all(0 <= duration < 60_000 for duration in durations)
    (end,) = named(read_spool(spool), "sensor_shutdown")
    assert 0 < end["duration_ms"] < 120_000


def in_order(spool: Path) -> list[dict[str, dict[str, dict[str, int]]]]:
    """What ``show`` prints, first to last."""
    shown = call(spool.parent, "show", "--json", "--spool", spool)
    assert (shown.returncode, shown.stderr) == (0, b"")
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_housekeeping_goes_on_after_the_clock_was_set_back(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """Rings and segments from the future are recovered and deleted like any others."""
    peer = peer_venv()
    code = "import os; os.kill(os.getpid(), 9)"
    subprocess.run([peer.python, "-c", code], env=sensor_env)
    faked = {"LD_PRELOAD": libfaketime(), "FAKETIME": "-30d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    env = {**sensor_env, **faked}
    shown = subprocess.run([peer.bin / "bluerock-hooks", "recover", "--json"], env=env, capture_output=True, text=True)
    assert json.loads(shown.stdout)["rings"] == 1, shown.stderr
    peer.run("python", "-c", "pass", env=env)
    peer.run("python", "-c", "pass", env=sensor_env)
    assert len(named(read_spool(spool), "sensor_shutdown")) == 2
