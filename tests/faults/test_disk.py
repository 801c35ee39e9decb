"""A disk that is really full: the host lives, every loss is told, and recording resumes by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import _peers
import pytest
from _disks import KINDS, mounted
from _storage import crash_one_after_the_other, lines_of, run_python

from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOSSES = """
def losses(reason, events, size, **_more):
    return [json.dumps({"i": "lost", "reason": reason, "events": events}).encode()] if events else []
recorder._outside.notices = losses
"""


SMALL = 256 << 10
DISKS = [*((python, "tmpfs") for python in _peers.SUPPORTED), *((_peers.CURRENT, kind) for kind in KINDS[1:])]


@pytest.fixture
def small_disk(tmp_path: Path, kind: str) -> Iterator[Path]:
    """A file system with room for 256 kB, or some more where its own bookkeeping takes part of it."""
    with mounted(tmp_path / "disk", SMALL * (8 if kind == "quota" else 1), kind) as place:
        yield place


@pytest.mark.parametrize(("python", "kind"), [disk for disk in DISKS if disk[1] != "quota"])
def test_no_room_for_a_ring(small_disk: Path, python: str, kind: str) -> None:
    """A sparse mapping would be SIGBUS here, at the first store."""
    code = """
        print(recorder.open(), [recorder.emit(event(i)) for i in range(1000)].count(True), recorder.counts().dropped)
        print(spool.rings())
        recorder.close()
    """
    done = run_python(small_disk / "spool", code, python=python, check=False, env={"RING": str(1 << 20)})
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["False 0 1000", "[]"]
    assert done.stderr.count("\n") == 1, "one line, once"
    assert "No space left" in done.stderr
    assert "free some space" in done.stderr


@pytest.mark.parametrize(("python", "kind"), DISKS)
@pytest.mark.parametrize("thread", ["0", "1"])
def test_the_disk_fills_and_is_freed(small_disk: Path, python: str, thread: str) -> None:
    code = (
        LOSSES
        + f"""
ballast = {str(small_disk / "ballast")!r}
recorder.want_thread()
accepted = [i for i in range(500) if recorder.emit(event(i, p="x" * 50))]
with open(ballast, "wb", 0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
full = [i for i in range(500, 5000) if recorder.emit(event(i, p="x" * 50))]
os.unlink(ballast)
os.sync()  # or btrfs keeps what it held for half a minute
start = time.monotonic()
i = 5000
while not recorder.emit(event(i)):
    i += 1
    time.sleep(0.02)
resumed = time.monotonic() - start
dropped = recorder.counts().dropped
recorder.close()
print(json.dumps([accepted + full + [i], dropped, resumed, spool.rings()]))
"""
    )
    done = run_python(
        small_disk / "spool", code, python=python, check=False, env={"THREAD": thread, "RING": str(1 << 14)}
    )
    assert done.returncode == 0, done.stderr
    accepted, dropped, resumed, rings = json.loads(done.stdout)
    assert resumed < 5
    assert rings == []
    assert dropped > 3000
    lines = [json.loads(line) for line in lines_of(Spool(str(small_disk / "spool")))]
    assert [line["i"] for line in lines if line["i"] != "lost"] == accepted
    assert sum(line["events"] for line in lines if line["i"] == "lost") == dropped
    assert done.stderr.count("\n") == 1


MAPPED = """
import mmap, os, sys
with open("mapped", "w+b") as file:
    os.posix_fallocate(file.fileno(), 0, 4096)
    page = mmap.mmap(file.fileno(), 4096)
page[:] = b"1" * 4096
page.flush()
try:
    with open("ballast", "wb", 0) as file:
        while file.write(bytes(4096)):
            pass
except OSError:
    pass
os.sync()
page[:] = b"2" * 4096
"""


@pytest.mark.parametrize("kind", ["quota"])
def test_nothing_is_mapped_where_a_store_would_be_sigbus(small_disk: Path, kind: str) -> None:
    """On btrfs the space that was allocated is no space for the second write to it."""
    code = """
        recorder.emit(event(0))
        print(recorder.mode, [contents.state for contents in spool.peek()])
        recorder.close()
    """
    assert run_python(small_disk / "spool", code).stdout == "write [2]\n"
    plain = subprocess.run([sys.executable, "-c", MAPPED], cwd=small_disk, capture_output=True)
    if plain.returncode != -signal.SIGBUS:
        _peers.missing(f"a file system on which a mapping is dangerous (the program ended with {plain.returncode})")


def test_retention_bounds_a_spool_that_only_crashes_feed(tmp_path: Path) -> None:
    """Hundreds of processes, all killed: what they left stays bounded, by those that start."""
    most, _, size = crash_one_after_the_other(tmp_path / "spool", 150, 3000, minutes=True)
    assert most <= 40
    assert size <= 3000 + 5 * 100 * 4


def test_a_stalled_disk_does_not_hold_the_host(tmp_path: Path) -> None:
    """The write hangs; emitters wait half a second once, then drop."""
    code = """
        from bluerock_hooks import _stdlib
        real = _stdlib.pwrite_fd
        stalled = threading.Event()
        def slow(*args):
            if stalled.is_set():
                time.sleep(3)
            return real(*args)
        _stdlib.pwrite_fd = slow
        recorder.want_thread()
        recorder.emit(event(0))
        time.sleep(0.2)
        stalled.set()
        recorder.emit(event(1))
        time.sleep(0.1)
        longest = 0
        for i in range(3000):
            start = time.monotonic()
            recorder.emit(event(i, p="x" * 100))
            longest = max(longest, time.monotonic() - start)
        stalled.clear()
        print(longest)
        time.sleep(3)
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, env={"RING": str(1 << 14)})
    assert float(done.stdout) < 2.5  # half a second, on a machine that has nothing else to do


def test_events_wait_while_the_spool_is_read_only(tmp_path: Path) -> None:
    code = """
        recorder.emit(event(0))
        os.chmod(spool.path, 0o777)
        assert recorder.emit(event(1))
        assert recorder.drain() == 0
        os.chmod(spool.path, 0o700)
        time.sleep(1.1)
        print(recorder.drain())
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, check=False)
    assert done.stdout.strip() == "2"
    assert "others may write" in done.stderr
    assert time.time() - os.stat(tmp_path / "spool").st_mtime < 60
