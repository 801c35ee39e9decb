"""Hosts that fork, thread, trace and end in every way: without us and with us they print and end the same, nobody
hangs, and every event of each of their processes is there once, under the right pid.

One Python each by default, and all of them with ``-m stress``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _hosts import on_every_python, play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

POOL = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
def work(number):
    acts(3, f"job{number}")
    return number
if __name__ == "__main__":
    context = multiprocessing.get_context("METHOD")
    acts(5)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print(sum(pool.map(work, range(8))))
    with context.Pool(2) as pool:
        print(sum(pool.map(work, range(8, 16))))
        pool.close()
        pool.join()
    acts(5, "after")
"""

DAEMON = """
reader, writer = os.pipe()
acts(5)
if os.fork():
    os.close(writer)
    os.read(reader, 1)  # until the daemon has closed its end
    acts(5, "after")
    os._exit(0)
acts(5, "between")
os.setsid()
if os.fork():
    os._exit(0)
acts(5, "daemon")
os.chdir("/")
os.umask(0)
report = os.open(REPORT, os.O_WRONLY | os.O_APPEND)
for fd in range(1024):
    if fd not in (writer, report):
        try:
            os.close(fd)
        except OSError:
            pass
for fd in (0, 1, 2):
    assert os.open("/dev/null", os.O_RDWR) == fd
for number in range(200):
    act(number, "closed")
if os.getuid() == 0:
    os.setgid(12345)
    os.setuid(12345)
for number in range(50):
    act(number, "nobody")
os.write(report, b'[%d, "closed", 200]\\n[%d, "nobody", 50]\\n' % (os.getpid(), os.getpid()))
os.close(report)
assert os.open("/dev/null", os.O_RDWR) == 3  # the lowest number that is free is the program's
"""

INTERPRETERS = """
code = '''
import os
for number in range(20):
    try:
        os.open("/nonexistent/%d/WHO/%d" % (os.getpid(), number), os.O_RDONLY)
    except OSError:
        pass
try:
    import json
    from decimal import Decimal
except ImportError:
    pass
'''
acts(3)
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
for turn in range(2):
    for kind in ("legacy", "isolated"):
        try:
            who = interpreters.create(isolated=kind == "isolated")
        except TypeError:  # 3.13
            who = interpreters.create(kind)
        interpreters.run_string(who, code.replace("WHO", f"{kind}{turn}"))
        interpreters.destroy(who)
        did(20, f"{kind}{turn}")
acts(3, "after")
"""

HOSTS = {
    "threads, forks and forks of forks": (
        """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # the host's own threads are the host's own warning
stop = []
counts = {}
def loop(who):
    number = 0
    while not stop:
        act(number, who)
        number += 1
        if number % 20 == 0:
            time.sleep(0.001)
    counts[who] = number
threads = [threading.Thread(target=loop, args=(f"thread{n}",)) for n in range(3)]
[thread.start() for thread in threads]
statuses = []
for turn in range(int(os.environ.get("TURNS", "12"))):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        acts(3)
        grandchild = os.fork()
        if grandchild == 0:
            acts(3)
            os._exit(0)
        os._exit(os.waitpid(grandchild, 0)[1] and 1)
    statuses.append(os.waitpid(pid, 0)[1])
stop.append(1)
[thread.join() for thread in threads]
for who, count in counts.items():
    did(count, who)
print(set(statuses))
""",
        (),
    ),
    "multiprocessing by fork": (POOL.replace("METHOD", "fork"), ("-W", "ignore::DeprecationWarning")),
    "multiprocessing by spawn": (POOL.replace("METHOD", "spawn"), ()),
    "multiprocessing by forkserver": (POOL.replace("METHOD", "forkserver"), ()),
    "forks without threads do not warn": (
        "acts(300)\npid = os.fork()\nacts(3, 'both')\nif pid:\n    print(os.waitpid(pid, 0)[1])\n",
        ("-W", "error", "-X", "dev"),
    ),
    "a new user namespace": (
        """
import ctypes
acts(300)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), ctypes.get_errno())  # CLONE_NEWUSER: EINVAL where there are two threads
acts(5, "after")
""",
        (),
    ),
    "a daemon": (DAEMON, ()),
    "exec half-way": (
        """
if len(sys.argv) < 2:
    acts(20)
    os.execv(sys.executable, [sys.executable, *sys.argv, "second"])
acts(20, "successor")
print("successor")
""",
        (),
    ),
    "exec from a thread of a forked child": (
        """
pid = os.fork()
if pid == 0:
    acts(20)
    def replace():
        os.execv("/bin/sh", ["sh", "-c", "echo successor"])
    thread = threading.Thread(target=replace)
    thread.start()
    thread.join()
print(os.waitpid(pid, 0)[1])
acts(5)
""",
        (),
    ),
    "sys.exit in a thread": (
        """
def leave():
    acts(10, "thread")
    sys.exit(7)
thread = threading.Thread(target=leave)
thread.start()
thread.join()
acts(10)
sys.exit(3)
""",
        (),
    ),
    "threads that outlive the main one": (
        """
def late():
    time.sleep(0.2)
    print("late")
    acts(10, "late")
threading.Thread(target=late).start()
acts(10)
""",
        ("-X", "dev"),
    ),
    "daemon threads that act while the interpreter ends": (
        """
def forever(who):
    number = 0
    while True:
        act(-1, "daemon")
for number in range(3):
    threading.Thread(target=forever, args=(number,), daemon=True).start()
acts(100)
time.sleep(0.05)
""",
        ("-X", "dev"),
    ),
    "signals": (
        """
numbers = iter(range(1 << 30)).__next__
def handler(*_):
    act(numbers(), "handler")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
acts(2000)
signal.setitimer(signal.ITIMER_REAL, 0)
number = numbers()
did(number, "handler")
print(number > 3)
""",
        (),
    ),
    "finalisers": (
        """
import gc, weakref
numbers = iter(range(1 << 30)).__next__
class Cycle:
    def __init__(self):
        self.me = self
    def __del__(self):
        act(numbers(), "finaliser")
gc.set_threshold(50)
callbacks = iter(range(1 << 30)).__next__
def collected(phase, info):
    act(callbacks(), "collection")
gc.callbacks.append(collected)
for number in range(1000):
    Cycle()
    act(number)
did(1000)
gc.callbacks.clear()
gc.collect()
did(numbers(), "finaliser")
did(callbacks(), "collection")
""",
        (),
    ),
    "a trace function": (
        """
seen = set()
def trace(frame, event, arg):
    seen.add(frame.f_code.co_filename)
    return trace
threading.settrace(trace)
sys.settrace(trace)
thread = threading.Thread(target=acts, args=(100, "thread"))
thread.start()
thread.join()
acts(100)
sys.settrace(None)
print(sorted(name for name in seen if "bluerock" in name))
""",
        (),
    ),
    "a profile function": (
        """
import cProfile, collections
calls = collections.Counter()
def profile(frame, event, arg):
    calls[frame.f_code.co_name] += 1
sys.setprofile(profile)
acts(100)
sys.setprofile(None)
print(calls["act"], calls["acts"])
profiler = cProfile.Profile()
profiler.runcall(acts, 100, "again")
print(sum(entry.callcount for entry in profiler.getstats() if "act" in str(entry.code)))
""",
        (),
    ),
    "interpreters in the interpreter": (INTERPRETERS, ()),
}


@pytest.mark.parametrize(("name", "python"), on_every_python(HOSTS))
def test_a_host(
    name: str,
    python: str,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    tmp_path: Path,
) -> None:
    code, options = HOSTS[name]
    run = play(peer_venv(python), code, tmp_path, sensor_env, *options)
    run.check()
