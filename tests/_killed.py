"""Kill a recording process at random moments, and count what it had been promised.

The child acknowledges each event in a shared mapping after ``emit`` returned; after the kill and a recovery, the events
in the segments are compared with that: sets, not numbers.

As a script, for interpreters without pytest: ``python _killed.py DIRECTORY KILLS RING_BYTES``; prints totals, as JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import signal
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from _lines import lines_of

from bluerock_hooks.recorder import Recorder
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 4
_READY = 63
_LETTERS = "".join(random.Random(5).choices("abcdefghij", k=4000))


class Totals:
    """Over many kills. All but ``kills``, ``acknowledged`` and ``extra`` must stay 0."""

    def __init__(self) -> None:
        self.kills = self.acknowledged = self.extra = self.lost = self.doubled = self.torn = self.disordered = 0

    def __str__(self) -> str:
        return " ".join(f"{name} {value}" for name, value in vars(self).items())

    def faults(self) -> int:
        return self.lost + self.doubled + self.torn + self.disordered


def line(thread: int, number: int) -> bytes:
    start = (number * 2654435761 + thread * 40503) % 900
    text = _LETTERS[start : start + start]
    return b'{"t":%d,"i":%d,"p":"%s","c":%d}' % (thread, number, text.encode(), zlib.crc32(text.encode()))


def _child(spool: Spool, done: memoryview, ring_bytes: int, seed: int) -> None:
    dice = random.Random(seed)
    recorder = Recorder(spool, ring_bytes=ring_bytes, tick=0.002)
    recorder.want_thread()
    sys.setswitchinterval(dice.choice([5e-3, 1e-4, 1e-6]))

    def emit(thread: int) -> None:
        number = 0
        while True:
            if recorder.emit(line(thread, number)):
                number += 1
                done[thread] = number

    for thread in range(1, THREADS):
        threading.Thread(target=emit, args=(thread,), daemon=True).start()
    done[_READY] = 1
    emit(0)


def kill_and_check(
    root: Path, kills: int, ring_bytes: int, recover: Callable[[Spool], None] = lambda spool: spool.recover() and None
) -> Totals:
    """``recover`` has to leave everything in segments."""
    totals = Totals()
    page = mmap.mmap(-1, 4096)
    done = memoryview(page).cast("Q")
    for turn in range(kills):
        for index in range(64):
            done[index] = 0
        spool = Spool(str(root / f"spool{turn}"), 1 << 17, 1 << 30)
        spool.prepare()
        child = os.fork()
        if child == 0:
            try:
                _child(spool, done, ring_bytes, turn)
            finally:
                os._exit(3)
        while not done[_READY]:
            time.sleep(0.0002)
        time.sleep(random.random() ** 2 * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        recover(spool)
        totals.kills += 1
        _compare(lines_of(spool), done, totals)
        assert spool.peek() == []  # what is left was killed before it was a ring
        shutil.rmtree(spool.path)
    return totals


def _compare(lines: list[bytes], done: memoryview, totals: Totals) -> None:
    found: dict[int, list[int]] = {thread: [] for thread in range(THREADS)}
    for each in lines:
        try:
            event = json.loads(each)
            assert zlib.crc32(event["p"].encode()) == event["c"]
            found[event["t"]].append(event["i"])
        except (ValueError, AssertionError, KeyError):  # noqa: PERF203
            totals.torn += 1
    for thread, numbers in found.items():
        acknowledged, distinct = done[thread], set(numbers)
        totals.acknowledged += acknowledged
        totals.lost += len(set(range(acknowledged)) - distinct)
        totals.extra += len([number for number in distinct if number >= acknowledged])
        totals.doubled += len(numbers) - len(distinct)
        totals.disordered += numbers != sorted(numbers)


if __name__ == "__main__":
    print(json.dumps(vars(kill_and_check(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
