"""Somebody deletes the spool, or a part of it, under a process that records: it goes on, and nothing new is lost."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from _storage import lines_of, numbers, run_python

from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

WHAT = {
    "the spool": "shutil.rmtree(spool.path)",
    "all that is in it": "subprocess.run(f'rm -rf {spool.path}/*', shell=True, check=True)",
    "the rings": "shutil.rmtree(spool.rings_path)",
    "the ring": "os.unlink(spool.rings()[0])",
    "the segments": "[os.unlink(each.path) for each in spool.segments()]",
    "the spool, and others make it anew": "os.rename(spool.path, spool.path + '.old'); os.mkdir(spool.path, 0o700)",
}


@pytest.mark.parametrize(("what", "thread"), [*((what, "1") for what in WHAT), ("the spool", "0"), ("the ring", "0")])
def test_what_comes_later_survives(tmp_path: Path, what: str, thread: str) -> None:
    """Segments are small, so that the next one begins soon: then the ring is looked for."""
    code = f"""
        import shutil, subprocess
        recorder._draining._tick = 0.02
        recorder.want_thread()
        def settle():
            if os.environ["THREAD"] == "1":
                end = time.monotonic() + 20
                while recorder.counts().written < recorder.counts().events and time.monotonic() < end:
                    time.sleep(0.01)
            else:
                recorder._drain.not_before = 0
                recorder.drain()
        for i in range(100):
            assert recorder.emit(event(i))
        settle()
        {WHAT[what]}
        for batch in range(6):
            for i in range(100 + batch * 100, 200 + batch * 100):
                assert recorder.emit(event(i))
            settle()
        assert recorder.emit(event(1000))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = run_python(tmp_path / "spool", code, check=False, env={"THREAD": thread, "SEGMENT": "6000"})
    assert done.returncode == -signal.SIGKILL, done.stderr
    spool = Spool(str(tmp_path / "spool"))
    assert spool.recover().failed == 0
    found = numbers(lines_of(spool))
    assert len(set(found)) == len(found)
    late = sorted(number for number in found if number >= 100)  # a new ring is a new series of segments
    assert late == [*range(100, 700), 1000]
