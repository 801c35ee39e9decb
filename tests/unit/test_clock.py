"""Time as the events carry it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from _peers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks import _clock, _stdlib

if TYPE_CHECKING:
    import pytest


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_utc_text_is_what_datetime_writes(ns: int) -> None:
    moment = datetime.fromtimestamp(ns // 1_000_000_000, timezone.utc).replace(microsecond=ns % 1_000_000_000 // 1000)
    assert _clock.utc_text(ns) == moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"


def test_our_own_ticks_name_our_parent() -> None:
    parent, start = _clock.process_ticks(os.getpid())
    assert parent == os.getppid()
    assert 0 < start / os.sysconf("SC_CLK_TCK") <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_process_that_is_not_there_has_no_ticks() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    assert _clock.process_ticks(child.pid) == (0, 0)


def test_a_name_with_spaces_and_parentheses_does_not_confuse() -> None:
    code = "import sys; open('/proc/self/comm','w').write('a) (b 1 2'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        parent, start = _clock.process_ticks(child.pid)
        child.communicate("")
    assert parent == os.getpid()
    assert start > 0


def test_ancestors_are_nearest_first_and_end() -> None:
    chain = _clock.ancestors(os.getpid())
    assert chain[0][0] == os.getppid()
    assert len(chain) <= 16
    assert len(_clock.ancestors(os.getpid(), limit=1)) == 1
    starts = [start for _, start, _ in chain]
    assert starts == sorted(starts, reverse=True)


def test_the_thread_that_started_a_process_is_named_where_there_are_several() -> None:
    code = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from bluerock_hooks import _clock, _stdlib
show = f"import sys; sys.path.insert(0, {sys.argv[1]!r}); from bluerock_hooks import _clock; import os; "
show += "print(_clock.ancestors(os.getpid(), 1)[0][2], flush=True)"
def run():
    print(threading.get_native_id(), flush=True)
    os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", show])
run()
thread = threading.Thread(target=run); thread.start(); thread.join()
"""
    done = subprocess.run([sys.executable, "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    main, alone, thread, told = map(int, done.stdout.split())
    assert (alone, told) == (0, thread)
    assert thread != main


def test_the_children_of_a_thread() -> None:
    before = _clock.children_of_thread()
    with subprocess.Popen(["sleep", "60"]) as child:
        assert _clock.children_of_thread() - before == {str(child.pid).encode()}
        assert _clock.start_tick(child.pid) > 0
        child.kill()
    assert _clock.start_tick(child.pid) == 0


def test_a_sleep_that_the_system_refuses_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: float) -> None:
        raise OSError(errno.EINVAL, "as libfaketime has it")

    monkeypatch.setattr(_stdlib, "sleep", refused)
    _clock.pause(0.001)
