"""SIGKILL at random moments: whatever ``emit`` accepted is there once, in order; also when the recovery is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import _peers
import pytest
from _killed import kill_and_check
from _storage import lines_of, numbers, run_python

from bluerock_hooks.ring import _recovery
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def killed_recoveries(spool: Spool) -> None:
    """Two recoveries are killed a moment after they began; a third one finishes."""
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                spool.recover()
            finally:
                os._exit(0)
        time.sleep(random.random() * 0.002)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    spool.recover()


@pytest.mark.parametrize("ring_bytes", [1 << 14, 8 << 20], ids=["ring that wraps", "ring that holds all"])
@pytest.mark.parametrize("recover", [lambda spool: spool.recover() and None, killed_recoveries])
def test_nothing_accepted_is_lost_doubled_or_torn(
    tmp_path: Path, ring_bytes: int, recover: Callable[[Spool], None]
) -> None:
    totals = kill_and_check(tmp_path, 50, ring_bytes, recover)
    print(totals)
    assert totals.faults() == 0, str(totals)
    assert totals.acknowledged > 2000
    assert totals.extra <= totals.kills * 4


def test_the_check_sees_a_recovery_that_cuts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recovery, "_cut", lambda *args: None)
    faults = 0
    for _ in range(40):  # 4-5 % of the kills fall between write and commit
        try:
            faults += kill_and_check(tmp_path, 10, 1 << 13).faults()
        except AssertionError:
            faults += 1  # half a line at the end
        if faults:
            break
    assert faults


ENDS = {
    "os._exit": ("os._exit(7)", 7),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", -15),
    "abort": ("import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()", -6),
    "segfault": (
        "import ctypes, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); ctypes.string_at(0)",
        -11,
    ),
    "exec": ("os.execv('/bin/true', ['true'])", 0),
    "unhandled": ("sys.excepthook = lambda *a: None; raise SystemError", 1),
}


@pytest.mark.parametrize("python", _peers.SUPPORTED)
@pytest.mark.parametrize("end", ENDS)
def test_events_survive_every_end(tmp_path: Path, python: str, end: str) -> None:
    statement, status = ENDS[end]
    code = f"""
        recorder.want_thread()
        for i in range(100):
            recorder.emit(event(i))
            if i == 50:
                time.sleep(0.1)
        {statement}
    """
    done = run_python(tmp_path / "spool", code, python=python, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    spool = Spool(str(tmp_path / "spool"))
    spool.recover()
    assert numbers(lines_of(spool)) == list(range(100))
    assert spool.rings() == []


@pytest.mark.parametrize("python", _peers.SUPPORTED)
def test_the_program_after_an_exec_recovers_what_the_one_before_left(tmp_path: Path, python: str) -> None:
    """The pid and its start stay; only the mapping is gone."""
    code = """
        if not os.environ.get("SECOND"):
            recorder.emit(event(0))
            os.environ["SECOND"] = "1"
            os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2]])
        recorder.emit(event(1))
        print(json.dumps([spool.recover().events, len(spool.rings())]))
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, python=python)
    assert json.loads(done.stdout) == [1, 1]
    assert sorted(numbers(lines_of(Spool(str(tmp_path / "spool"))))) == [0, 1]
