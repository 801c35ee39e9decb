"""``tail`` beside living recorders: every event once, in order, soon; through rotation, kills and recovery."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from _command import call, command_env, command_line, line
from _peers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = """
import os, sys, time
sys.path[:0] = [{tests!r}]
from _command import line
from bluerock_hooks.recorder import Recorder
from bluerock_hooks.spool import Spool
recorder = Recorder(Spool({spool!r}, 1 << 16), ring_bytes=1 << 16)
assert recorder.open()
print(os.getpid(), flush=True)
number = 0
for command in sys.stdin:
    if command.startswith("thread"):
        recorder.want_thread()
        continue
    if command.startswith("close"):
        recorder.close()
        break
    for _ in range(int(command)):
        number += 1
        assert recorder.emit(line(number, component=str(os.getpid()), pid=os.getpid(), second=0))
        if not number % 50:
            time.sleep(0)
    print(number, flush=True)
"""


class Recording:
    """A process with a recorder that does what it is told."""

    def __init__(self, spool: Path) -> None:
        code = WRITER.format(tests=str(ROOT / "tests"), spool=str(spool))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=command_env(spool.parent),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = int(self.answer())

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def tell(self, command: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")

    def emit(self, count: int) -> None:
        self.tell(count)
        assert self.answer()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Tail:
    """A running ``tail --json`` and what it printed."""

    def __init__(self, spool: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            command_line("tail", "--json", "--spool", spool, *words),
            env=command_env(spool.parent),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.events: list[dict[str, Any]] = []
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._collect)
        self._thread.start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for each in self.process.stdout:
            self.times.append(time.monotonic())
            self.events.append(json.loads(each)["event"])

    def numbers(self, component: object) -> list[int]:
        metas = [event["meta"] for event in list(self.events)]
        return [meta["source_event_id"] for meta in metas if meta["component_id"] == str(component)]

    def wait_for(self, count: int, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while len(self.events) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.events) >= count

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 130
        self._thread.join()
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        self.process.stdout.close()
        return said


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def recordings(spool: Path) -> Iterator[list[Recording]]:
    started: list[Recording] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.end()


def test_an_event_in_the_ring_of_an_idle_process_appears_within_a_second(
    spool: Path, recordings: list[Recording]
) -> None:
    tail = Tail(spool)
    recording = Recording(spool)
    recordings.append(recording)
    recording.emit(1)
    tail.wait_for(1)
    started = time.monotonic()
    recording.emit(1)
    tail.wait_for(2)
    assert tail.times[1] - started < 1
    assert not list(spool.glob("*.ndjson"))  # it came from the ring
    assert tail.stop() == ""


def test_every_event_comes_once_and_in_order_while_segments_rotate(spool: Path, recordings: list[Recording]) -> None:
    tail = Tail(spool, "-n", "0")
    count = 5000
    recordings += [Recording(spool), Recording(spool)]
    for recording in recordings:
        recording.tell("thread")
    for _ in range(10):
        for recording in recordings:
            recording.tell(count // 10)
        time.sleep(0.15)
    for recording in recordings:
        recording.tell("close")
    tail.wait_for(2 * count)
    time.sleep(0.5)
    assert tail.stop() == ""
    for recording in recordings:
        assert tail.numbers(recording.pid) == list(range(1, count + 1))
    assert len(list(spool.glob("*.ndjson"))) > 4


def test_kills_and_recovery_lose_and_repeat_nothing(spool: Path, recordings: list[Recording]) -> None:
    tail = Tail(spool, "-n", "0")
    pids = {}
    for round_ in range(4):
        recording = Recording(spool)
        recordings.append(recording)
        if round_ % 2:
            recording.tell("thread")
        recording.emit(300 + round_)
        pids[recording.pid] = 300 + round_
        recording.process.kill()
        recording.process.wait()
        if round_ % 2 == 0:
            time.sleep(0.3)
        done = call(spool.parent, "recover", "--json", "--spool", spool, text=True)
        assert json.loads(done.stdout)["failed"] == 0
    tail.wait_for(sum(pids.values()))
    time.sleep(0.5)
    assert tail.stop() == ""
    for pid, count in pids.items():
        assert tail.numbers(pid) == list(range(1, count + 1))
    shown = call(spool.parent, "show", "--json", "--spool", spool).stdout.splitlines()
    assert len(shown) == sum(pids.values())


def test_show_reads_rings_of_killed_processes_without_recover(spool: Path, recordings: list[Recording]) -> None:
    recording = Recording(spool)
    recordings.append(recording)
    recording.emit(20)
    recording.process.kill()
    recording.process.wait()
    assert not list(spool.glob("*.ndjson"))
    before = sorted(os.listdir(spool / "rings"))
    done = call(spool.parent, "show", "--json", "--spool", spool)
    assert len(done.stdout.splitlines()) == 20
    assert sorted(os.listdir(spool / "rings")) == before
    done = call(spool.parent, "recover", "--spool", spool, text=True)
    assert done.stdout.startswith("20 events recovered from 1 rings; 0 events had been lost before\n")
    assert len(call(spool.parent, "show", "--json", "--spool", spool).stdout.splitlines()) == 20


def test_it_starts_with_the_last_ones_that_match_and_ends_by_itself(spool: Path) -> None:
    spool.mkdir(mode=0o700)
    lines = [line(number, "other" if number % 2 else "python_mcp_event") for number in range(1, 41)]
    (spool / "python-4242-aaaaaaaaaaaaaaaa.000001.ndjson").write_bytes(b"".join(each + b"\n" for each in lines))
    started = time.monotonic()
    done = call(spool.parent, "tail", "--json", "--spool", spool, "--for", "0.5", "-n", "3", "--event", "other")
    assert 0.5 <= time.monotonic() - started < 10
    assert done.returncode == 0
    assert done.stdout.splitlines() == [lines[34], lines[36], lines[38]]
    done = call(spool.parent, "tail", "--spool", spool, "--for", "0")
    assert len(done.stdout.splitlines()) == 10


def test_nothing_to_recover_is_no_error(spool: Path) -> None:
    done = call(spool.parent, "recover", "--json", "--spool", spool, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["rings"] == 0
