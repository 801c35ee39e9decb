"""Every process has a ring of its own, however it was forked, and nobody hangs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import _peers
import pytest
from _storage import PRELUDE, run_python

from bluerock_hooks.spool import Spool

pytestmark = pytest.mark.parametrize("python", _peers.SUPPORTED)

WORKERS = """
stop = []
sent = {}
def worker(t):
    i = 0
    while not stop:
        if recorder.emit(event(i, t=t)):
            i += 1
    sent[t] = i
threads = [threading.Thread(target=worker, args=(t,)) for t in range(3)]
sys.setswitchinterval(1e-4)
recorder.want_thread()
"""


def by_process(path: Path) -> dict[int, list[dict[str, int]]]:
    """What is in the files of each process after a recovery."""
    spool = Spool(str(path))
    done = spool.recover()
    assert (spool.rings(), done.left, done.failed, done.corrupt) == ([], 0, 0, 0)
    found: dict[int, list[dict[str, int]]] = {}
    for segment in spool.segments():
        lines = Path(segment.path).read_bytes().splitlines()
        found.setdefault(segment.pid, []).extend(json.loads(line) for line in lines)
    return found


def recovered(path: Path) -> list[dict[str, int]]:
    """All events after a recovery; each file holds those of the process it is named after."""
    found = by_process(path)
    for pid, events in found.items():
        assert {event["pid"] for event in events} == {pid}
    return [event for events in found.values() for event in events]


def of_children(events: list[dict[str, int]], parent: int) -> Counter[int]:
    return Counter(event["pid"] for event in events if event["pid"] != parent)


def check_threads(events: list[dict[str, int]], parent: int, sent: dict[str, int]) -> None:
    """Each thread of the parent: all its events, once, in order."""
    for thread, count in sent.items():
        mine = [event["i"] for event in events if event["pid"] == parent and event.get("t") == int(thread)]
        assert mine == list(range(count))


@pytest.mark.parametrize("forks", [40, pytest.param(300, marks=pytest.mark.stress)])
@pytest.mark.parametrize("how", ["os.fork", "fork in C"])
def test_children_of_a_busy_parent(tmp_path: Path, python: str, how: str, forks: int) -> None:
    """Threads emit, the drain runs, and children come and go; a child that hangs is killed by its alarm."""
    code = (
        WORKERS
        + f"""
import ctypes
fork = os.fork if {how == "os.fork"} else ctypes.PyDLL(None).fork
{"[thread.start() for thread in threads]" if how == "os.fork" else "worker_off = True"}
import warnings; warnings.simplefilter("ignore")  # the host's own threads are the host's own warning
children = []
for n in range({forks}):
    recorder.emit(event(n, t=9))
    pid = fork()
    if pid == 0:
        signal.alarm(10)
        for i in range(20):
            recorder.emit(event(i))
        if n % 2:
            recorder.close()
        os._exit(0)
    children.append((pid, os.waitpid(pid, 0)[1]))
stop.append(1)
if {how == "os.fork"}:
    [thread.join() for thread in threads]
sent[9] = {forks}
recorder.close()
print(json.dumps([os.getpid(), children, sent]))
"""
    )
    # A child forked in C while some other Python thread waits for the GIL may find the GIL's own mutex locked for ever:
    # no Python program with threads may do that, and ours waits like any other.
    env = {"THREAD": "1" if how == "os.fork" else "0"}
    done = run_python(tmp_path / "spool", code, python=python, env=env)
    parent, children, sent = json.loads(done.stdout)
    assert [status for _, status in children] == [0] * forks
    events = recovered(tmp_path / "spool")
    assert of_children(events, parent) == {pid: 20 for pid, _ in children}
    check_threads(events, parent, sent)


def test_a_child_of_a_child(tmp_path: Path, python: str) -> None:
    code = """
recorder.want_thread()
recorder.emit(event(0))
depth = 0
while depth < 4:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        break
    depth += 1
    signal.alarm(10)
    for i in range(10):
        recorder.emit(event(i))
recorder.emit(event(99))
recorder.close()
os._exit(0)
"""
    run_python(tmp_path / "spool", code, python=python)
    counts = Counter(event["pid"] for event in recovered(tmp_path / "spool"))
    assert sorted(counts.values()) == [2, 11, 11, 11, 11]


def test_a_child_that_emits_nothing_leaves_nothing(tmp_path: Path, python: str) -> None:
    code = """
recorder.want_thread()
for i in range(10):
    recorder.emit(event(i))
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print(len(spool.rings()))
recorder.close()
"""
    assert run_python(tmp_path / "spool", code, python=python).stdout.strip() == "1"
    assert len(recovered(tmp_path / "spool")) == 10


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(tmp_path: Path, python: str, method: str) -> None:
    """A module of its own, since spawn and forkserver import it again in the child."""
    (tmp_path / "app.py").write_text(
        PRELUDE
        + """
import multiprocessing
recorder.want_thread()
def work(count):
    for i in range(count):
        recorder.emit(event(i))
    return os.getpid()
if __name__ == "__main__":
    recorder.emit(event(0))
    with multiprocessing.get_context("METHOD").Pool(3) as pool:
        pids = set(pool.map(work, [50] * 12))
        pool.close()
        pool.join()
    recorder.close()
    print(len(pids))
""".replace("METHOD", method)
    )
    code = f"os.execv(sys.executable, [sys.executable, {str(tmp_path / 'app.py')!r}])"
    run_python(tmp_path / "spool", code, python=python)
    events = recovered(tmp_path / "spool")
    assert len(events) == 601
    assert len({event["pid"] for event in events}) >= 2


def test_a_fork_in_a_signal_handler_inside_our_code(tmp_path: Path, python: str) -> None:
    """A timer forks at random moments of emit; parent and child both go on from there."""
    code = """
import itertools, warnings
warnings.simplefilter("ignore")
children = []
top = os.getpid()
def handler(*_):
    if os.getpid() == top and len(children) < 60:
        pid = os.fork()
        if pid:
            children.append(pid)
        else:
            signal.alarm(20)
            recorder.emit(event(-1))
    if os.getpid() == top:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.002)  # one at a time: no handler interrupts another
signal.signal(signal.SIGVTALRM, handler)
recorder.want_thread()
recorder.emit(event(0))
signal.setitimer(signal.ITIMER_VIRTUAL, 0.002)
def work():
    end = time.monotonic() + 15
    i = 0
    while time.monotonic() < end and len(children) < 60:
        i += 1
        recorder.emit(event(i))
        if os.getpid() != top:
            break
    if os.getpid() != top:
        for i in range(10):
            recorder.emit(event(100000000 + i))
        os._exit(0)
    return i
count = work()
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
bad = [status for status in (os.waitpid(pid, 0)[1] for pid in children) if status]
recorder.close()
print(json.dumps([os.getpid(), count, len(children), bad]))
"""
    done = run_python(tmp_path / "spool", code, python=python)
    parent, count, children, bad = json.loads(done.stdout)
    assert bad == []
    assert children > 5
    found = by_process(tmp_path / "spool")
    assert [event["i"] for event in found.pop(parent)] == list(range(count + 1))
    assert len(found) == children
    for pid, events in found.items():
        # A line that was encoded before the fork names the parent; the interrupted call goes on in the child too.
        own = [event["i"] for event in events if event["pid"] == pid]
        assert set(own) >= {-1, *range(100000000, 100000010)}
        assert len(set(own)) == len(own)
        assert len(events) - len(own) <= 1


def test_no_warning_because_of_our_thread(tmp_path: Path, python: str) -> None:
    code = """
recorder.want_thread()
for i in range(30):
    recorder.emit(event(i))
    if i % 3 == 0:
        time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
assert recorder._draining.thread is None
recorder.emit(event(30))
assert recorder._draining.thread is not None
recorder.close()
"""
    for options in (("-W", "default"), ("-W", "error"), ("-X", "dev")):
        done = run_python(tmp_path / "spool", code, *options, python=python)
        assert (done.stdout, done.stderr) == ("", "")
    assert len(recovered(tmp_path / "spool")) == 93


def test_a_process_without_work_has_one_thread(tmp_path: Path, python: str) -> None:
    """``unshare(CLONE_NEWUSER)`` fails in a process with two."""
    code = """
recorder.open()
recorder.emit(event(0))
print(len(os.listdir("/proc/self/task")))
recorder.close()
"""
    assert run_python(tmp_path / "spool", code, python=python).stdout.strip() == "1"
