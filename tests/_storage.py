"""Rings and spools for the tests of the storage: real files, real processes."""

from __future__ import annotations

import os
import subprocess
import textwrap
import time
from typing import TYPE_CHECKING, Any

import _peers
from _lines import lines_of, numbers

from bluerock_hooks.ring import Ring, _layout
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PRELUDE",
    "STEM",
    "bury",
    "crash_one_after_the_other",
    "files_under",
    "lines_of",
    "new_ring",
    "new_spool",
    "numbers",
    "run_python",
    "store",
    "wait_for",
]

STEM = f"{os.getpid()}-0123456789abcdef"


def new_spool(path: Path, segment_bytes: int = 1 << 20, spool_bytes: int = 64 << 20) -> Spool:
    """A prepared spool under ``path``."""
    spool = Spool(str(path / "spool"), segment_bytes, spool_bytes)
    spool.prepare()
    return spool


def new_ring(spool: Spool, stem: str = STEM, capacity: int = 1 << 16, nested: int = 1 << 12) -> Ring:
    with spool.rings_directory() as directory:
        return Ring.create(directory, stem, capacity, nested)


def store(path: str, index: int, value: int, *, sealed: bool = True) -> None:
    """Overwrite one word of a ring file; ``sealed``: as if its owner had."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.pwrite(fd, value.to_bytes(8, "little"), index * 8)
        if sealed:
            header = bytearray(os.pread(fd, _layout.HEADER, 0))
            seal(memoryview(header).cast("Q"))
            for each in (_layout.W_SEAL, *(slot + _layout.SLOT_WORDS for slot in _layout.W_SLOT)):
                os.pwrite(fd, header[each * 8 : each * 8 + 8], each * 8)
    finally:
        os.close(fd)


def seal(words: Any) -> None:
    """Make the seals of a header right, the slot's that is in force among them."""
    generation = words[_layout.W_GENERATION]
    slot = _layout.W_SLOT[generation & 1]
    identity = (words[each] for each in range(_layout.W_VERSION, _layout.W_SINCE + 1))
    progress = (words[each] for each in range(slot, slot + _layout.SLOT_WORDS))
    words[_layout.W_SEAL] = _layout.seal(*identity)
    words[slot + _layout.SLOT_WORDS] = _layout.seal(generation, *progress)


def bury(spool: Spool, stem: str) -> None:
    """Make the owner of a ring dead: this pid with another start tick is another process."""
    store(f"{spool.rings_path}/{stem}.ring", _layout.W_START, 1)


def files_under(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


PRELUDE = """
import atexit, json, os, signal, sys, threading, time
from bluerock_hooks.recorder import Recorder
from bluerock_hooks.spool import Spool
spool = Spool(os.environ["SPOOL"], int(os.environ.get("SEGMENT", 1 << 20)), 64 << 20)
recorder = Recorder(spool, ring_bytes=int(os.environ.get("RING", 1 << 16)), mode=os.environ.get("MODE", "mmap"),
                    thread=os.environ.get("THREAD", "1") == "1", notice=lambda text: print(text, file=sys.stderr))
def event(i, **more):
    return json.dumps({"pid": os.getpid(), "i": i, **more}).encode()
"""


def run_python(
    spool: Path,
    code: str,
    *options: str,
    python: str = _peers.CURRENT,
    timeout: float = 60,
    check: bool = True,
    env: dict[str, str] | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a new interpreter with a ``recorder`` on ``spool``."""
    done = subprocess.run(
        [str(_peers.interpreter(python)), *options, "-c", PRELUDE + textwrap.dedent(code)],
        env=_peers.environment(spool.parent, PYTHONPATH=str(_peers.ROOT), SPOOL=str(spool), **(env or {})),
        **{"capture_output": True, "text": True, **more},
        timeout=timeout,
    )
    if check:
        assert (done.returncode, done.stderr or "") == (0, "")
    return done


CRASHES = """
spool.spool_bytes = {spool_bytes}
most = 0
for turn in range({crashes}):
    pid = os.fork()
    if pid == 0:
        recorder.open()
        for i in range(5):
            recorder.emit(event(i))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    most = max(most, len(os.listdir(spool.rings_path)))
    if {minutes} and os.path.exists(spool.path + "/.sweep"):
        os.utime(spool.path + "/.sweep", (1, 1))
print(most, len(spool.segments()), sum(segment.size for segment in spool.segments()))
"""


def crash_one_after_the_other(
    spool: Path, crashes: int, spool_bytes: int, *, minutes: bool = False
) -> tuple[int, int, int]:
    """Processes that are killed after five events; ``minutes``: one passes after each.

    The most files that were there beside segments; how many segments there are at the end, and their bytes.
    """
    code = CRASHES.format(crashes=crashes, spool_bytes=spool_bytes, minutes=minutes)
    done = run_python(spool, code, env={"RING": "4096"}, timeout=3600)
    most, segments, size = map(int, done.stdout.split())
    return most, segments, size


def wait_for(condition: Any, seconds: float = 10) -> None:
    """Until ``condition()`` is true; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
