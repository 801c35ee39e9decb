"""Run by test_storm.py: threads, finalisers and a signal handler emit into one ring; says what was acknowledged.

Usage: ``python _storm.py SPOOL EVENTS_A_THREAD``. Prints, as JSON, the names of all acknowledged events.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import threading
from itertools import count

from bluerock_hooks.recorder import Recorder
from bluerock_hooks.spool import Spool

directory, events = sys.argv[1], int(sys.argv[2])
THREADS = 6
acknowledged: list[str] = []
number = count().__next__


def emit(who: str, size: int) -> None:
    name = f"{who}-{number()}"
    if recorder.emit(b'{"name":"%b","p":"%b"}' % (name.encode(), b"x" * size)):
        acknowledged.append(name)


class Finalised:
    """Garbage in a cycle: its finaliser runs wherever a collection happens to begin."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        emit("finaliser", 10)


def work(thread: int) -> None:
    for turn in range(events):
        if turn % 50 == 0:
            Finalised()
        emit(f"thread-{thread}", turn % 300)


spool = Spool(directory, 16 << 20, 1 << 30)
spool.prepare()
recorder = Recorder(spool, ring_bytes=1 << 18)
recorder.open()
recorder.want_thread()
sys.setswitchinterval(1e-6)
gc.set_threshold(20)
signal.signal(signal.SIGALRM, lambda *_: emit("signal", 20))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
threads = [threading.Thread(target=work, args=(each,)) for each in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)
gc.collect()
recorder.close()
print(json.dumps(acknowledged))
