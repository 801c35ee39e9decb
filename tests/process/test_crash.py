"""Processes with the whole sensor in them that die while threads act: what had happened is recorded, once, in order."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _hosts import PYTHONS, on_every_python, play
from _peers import missing, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _peers import Peer

THREADS = 3
DIES = f"""
import ctypes, mmap, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
fd = os.open(REPORT + ".done", os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(fd, 4096)
done = memoryview(mmap.mmap(fd, 4096)).cast("Q")
def loop(place):
    number = 0
    while True:
        act(number, f"thread{{place}}")
        number += 1
        done[place] = number
        if number % 50 == 0:
            time.sleep(0.002)
for place in range({THREADS}):
    threading.Thread(target=loop, args=(place,), daemon=True).start()
while min(done[:{THREADS}]) < 150:
    time.sleep(0.001)
"""
HOG = """
hoard = []
while True:
    hoard.append(bytearray(b"x") * (1 << 22))
"""
ENDS = {
    "os._exit": ("os._exit(7)", 7),
    "abort": ("os.abort()", -signal.SIGABRT),
    "segfault": ("ctypes.string_at(0)", -signal.SIGSEGV),
    "segfault with faulthandler": (
        "import faulthandler; faulthandler.enable(open(os.devnull, 'w')); ctypes.string_at(0)",
        -signal.SIGSEGV,
    ),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL); time.sleep(9)", -signal.SIGKILL),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", -signal.SIGTERM),
    "memory, then SIGKILL": (
        "hoard = bytearray(b'x') * (200 << 20); os.kill(os.getpid(), signal.SIGKILL); time.sleep(9)",
        -signal.SIGKILL,
    ),
    "killed for memory": (HOG, -signal.SIGKILL),
}


@contextmanager
def memory_group() -> Iterator[Path]:
    """A control group of the kernel that holds a process of 160 MB; loudly none where we may not make one."""
    group = Path(f"/sys/fs/cgroup/memory/bluerock-test-{os.getpid()}")
    try:
        group.mkdir()
        for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            if (group / name).exists():
                (group / name).write_text(str(160 << 20))
    except OSError:
        missing("a memory cgroup (v1, writable)")
    try:
        yield group
    finally:
        group.rmdir()


def die(name: str, peer: Peer, env: dict[str, str], directory: Path, code: str) -> None:
    statement, status = ENDS[name]
    run = play(peer, code + statement, directory, env)
    assert run.done.returncode == status
    (startup,) = named(run.lines, "sensor_startup")
    pid = startup["context"]["process"]["pid"]
    done = memoryview((directory / "with" / "report.done").read_bytes()).cast("Q")
    for place in range(THREADS):
        doer = pid, f"thread{place}"
        found, folded = run.acts[doer], sum(run.folded.get(doer, ()))
        assert found == sorted(set(found)), "once, in order"
        # The last may be recorded and not be acknowledged.
        assert done[place] <= len(found) + folded <= done[place] + 1
        if not folded:
            assert found == list(range(len(found)))


@pytest.mark.parametrize(("name", "python"), on_every_python(ENDS))
def test_a_process_dies(
    name: str, python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    if name != "killed for memory":
        die(name, peer_venv(python), sensor_env, tmp_path, DIES)
        return
    with memory_group() as group:
        join = f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        die(name, peer_venv(python), sensor_env, tmp_path, join + DIES)


POOR = """
import resource
acts(20)
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (now + (40 << 20), now + (40 << 20)))
hoard = []
for size in (1 << 20, 1 << 12, 1 << 7):
    try:
        while True:
            hoard.append(bytearray(size))
    except MemoryError:
        print("no", size)
for number in range(50):
    act(number, "poor")
del hoard
acts(20, "after")
"""


@pytest.mark.parametrize(
    "python", [pytest.param(each, marks=() if each == "3.12" else pytest.mark.stress) for each in PYTHONS]
)
def test_a_process_without_memory(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    """It sees its own failures only, and each act of that time is recorded or counted as a failure of ours."""
    peer = peer_venv(python)
    if peer.run("python", "-V", env=sensor_env).stdout.strip() == "Python 3.13.0":
        pytest.skip("CPython 3.13.0: dict.setdefault without memory gives a result and an error, also without us")
    run = play(peer, POOR, tmp_path, sensor_env, failures=True)
    poor = sum(len(found) for (_, who), found in run.acts.items() if who == "poor")
    failed = sum(event["count"] for event in named(run.lines, "python_internal_exception"))
    dropped = sum(event["dropped"] for event in named(run.lines, "python_events_dropped"))
    print(poor, failed, dropped, json.dumps(named(run.lines, "python_internal_exception")))
    assert {who: len(found) for (_, who), found in run.acts.items() if who != "poor"} == {"main": 20, "after": 20}
    assert poor + failed + dropped >= 50
