"""Every system call fails once, in every way: no error reaches the host, no descriptor leaks, every loss is counted."""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _storage import bury, lines_of, new_ring, new_spool

from bluerock_hooks import _guard, _stdlib
from bluerock_hooks.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from bluerock_hooks.spool import Spool

ERRORS = (errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EDQUOT, errno.ENOMEM)
CALLS: dict[str, tuple[Any, str]] = {
    name: (_stdlib, name)
    for name in (
        "open_fd",
        "fstat",
        "fallocate",
        "fchmod",
        "ftruncate",
        "link",
        "listdir",
        "lstat",
        "mkdir",
        "pread_fd",
        "preadv_fd",
        "pwrite_fd",
        "read_fd",
        "rename",
        "start_new_thread",
        "stat",
        "unlink",
        "urandom",
        "utime",
    )
} | {"mmap": (mmap, "mmap"), "flock": (fcntl, "flock")}
EVENTS = 120


def descriptors() -> set[str]:
    """Open ones, but for what a mapping keeps of its file up to Python 3.12."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the listing's own
        if not target.endswith((".ring", ".ring (deleted)")):
            found.add(number)
    return found


class Fault:
    """Makes the ``nth`` call of one function fail; ``lasting``: and all after it."""

    def __init__(self, name: str, nth: int, number: int, lasting: bool) -> None:
        self.module, self.name = CALLS[name]
        self.real: Callable[..., Any] = getattr(self.module, self.name)
        self.left = nth
        self.number = number
        self.lasting = lasting
        self.hit = False
        setattr(self.module, self.name, self)

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left == 0 or (self.lasting and self.left < 0):
            self.hit = True
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*args, **more)

    def over(self) -> None:
        setattr(self.module, self.name, self.real)


def scenario(spool: Spool, fault: Fault) -> dict[str, Any]:
    """A small ring that fills and wraps, segments that rotate, a leftover ring, an exit."""
    before = descriptors()
    recorder = Recorder(spool, ring_bytes=4096, notice=lambda text: None, thread=False)
    recorder.open()
    accepted = []
    for number in range(EVENTS):
        if recorder.emit(b'{"i":%d,"p":"%s"}' % (number, b"x" * (number % 90))):
            accepted.append(number)
        if number % 25 == 0:
            recorder.drain()
        if number == 60:
            recorder._drain.not_before = recorder._drain._open_not_before = 0  # a second later
    if fault.name != "urandom":  # without it there is no key at all
        spool.digest_key()
    recorder.close()
    fault.over()
    leaked = sorted(descriptors() - before)
    return {"hit": fault.hit, "accepted": accepted, "dropped": recorder.counts().dropped, "leaked": leaked}


def in_child(spool: Spool, name: str, nth: int, number: int, lasting: bool) -> dict[str, Any]:
    report = Path(spool.path).with_name("report.json")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            result = scenario(spool, Fault(name, nth, number, lasting))
            report.write_text(json.dumps(result))
            status = 0
        except BaseException as exc:  # whatever reached the host
            report.write_text(json.dumps({"raised": repr(exc)}))
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0, report.read_text()
    return json.loads(report.read_text())


@pytest.mark.swallows
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("name", CALLS)
def test_a_failing_call_costs_no_host_and_no_count(tmp_path: Path, name: str, lasting: bool) -> None:
    _guard.observer = None
    nth, hit, tried = 0, True, 0
    while hit and nth < 60:
        # From the 6th on, only some: they are the same calls of the next batch.
        nth += 1 if nth < 8 else 7
        number = ERRORS[nth % len(ERRORS)]
        root = tmp_path / str(nth)
        root.mkdir()
        spool = new_spool(root, segment_bytes=3000)
        new_ring(spool, "1-ab", 4096, 4096).main.put(b'{"i":"left"}')
        bury(spool, "1-ab")
        spool.append("1-ab", 0, 0, b"torn")
        done = in_child(spool, name, nth, number, lasting)
        hit = done["hit"]
        tried += hit
        where = f"call {nth} of {name} failed with {errno.errorcode[number]}"
        assert done["leaked"] == [], where
        assert len(done["accepted"]) + done["dropped"] == EVENTS, where
        spool.recover()
        found = [json.loads(line)["i"] for line in lines_of(spool)]
        assert sorted(each for each in found if each != "left") == done["accepted"], where
        assert found.count("left") == 1, where
        shutil.rmtree(root)
    if name not in ("fchmod", "lstat", "mkdir", "start_new_thread"):  # which this scenario does not need
        assert tried, f"{name} was never called"
