"""Kill a process after every single store: what the tests of that share.

The real recorder, drain and ring run once on memory that notes each store. Then the file is rebuilt store by store; a
payload also with only half of it written, a write to a segment also in pieces.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _storage import seal

from bluerock_hooks import _stdlib, recorder
from bluerock_hooks.ring import Ring, _layout
from bluerock_hooks.ring._layout import HEADER, Region, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAPACITY, NESTED, SEGMENT = 2048, 512, 3000
SIZE = HEADER + CAPACITY + NESTED
STEM = "1-0123456789abcdef"

Op = tuple[str, int, Any]


class Words:
    """The header and records as words; every store is noted."""

    def __init__(self, buffer: bytearray, tape: list[Op]) -> None:
        self.view = memoryview(buffer).cast("Q")
        self.tape = tape

    def __getitem__(self, index: int) -> int:
        return self.view[index]

    def __setitem__(self, index: int, value: int) -> None:
        self.view[index] = value
        self.tape.append(("word", index * 8, value.to_bytes(8, "little")))


class Memory:
    """The same as bytes."""

    def __init__(self, buffer: bytearray, tape: list[Op]) -> None:
        self.buffer = buffer
        self.tape = tape

    def __getitem__(self, at: slice) -> bytearray:
        return self.buffer[at]

    def __setitem__(self, at: slice, data: bytes) -> None:
        self.buffer[at] = data
        self.tape.append(("payload", at.start, data))


class TapeSpool:
    """Appends go to the tape, in three pieces: a write can be torn."""

    segment_bytes = SEGMENT
    path = "/nowhere"

    def __init__(self, tape: list[Op]) -> None:
        self.tape = tape

    def prepare(self) -> None:
        raise FileNotFoundError(2, "No such file or directory", self.path)  # whether the ring is there cannot be told

    def append(self, stem: str, number: int, offset: int, blob: bytes, birth: int) -> bool:
        self.tape.append(("cut", number, offset))
        third = max(1, len(blob) // 3)
        for start in range(0, len(blob), third):
            self.tape.append(("write", number, (offset + start, blob[start : start + third])))
        return True


def recording(ring_class: type[Ring] = Ring, region_class: type[Region] = Region, seed: int = 1) -> list[Op]:
    """Every store of some hundred events, wraps, nested events, drains and rotations."""
    tape: list[Op] = []
    buffer = bytearray(SIZE)
    words = Words(buffer, tape)
    for index, value in (
        (_layout.W_VERSION, _layout.VERSION),
        (_layout.W_CAPACITY, CAPACITY),
        (_layout.W_NESTED, NESTED),
        (_layout.W_PID, os.getpid()),
        (_layout.W_START, 1),  # not ours: the owner is dead
        (_layout.W_STATE, _layout.MAPPED),
        (_layout.W_BOOT, int.from_bytes(_boot()[:8], "little")),
        (_layout.W_BOOT2, int.from_bytes(_boot()[8:], "little")),
        (_layout.W_PIDNS, os.stat("/proc/self/ns/pid").st_ino),
        (_layout.W_MAGIC, _layout.MAGIC),
    ):
        words[index] = value
    seal(words)
    memory = Memory(buffer, tape)
    ring = ring_class(STEM, _layout.MAPPED, words, memory)  # type: ignore[arg-type]
    ring.main = region_class(words, memory, HEADER, CAPACITY)  # type: ignore[arg-type]
    ring.nested = region_class(words, memory, HEADER + CAPACITY, NESTED)  # type: ignore[arg-type]
    writer = recorder.Recorder(TapeSpool(tape), thread=False)  # type: ignore[arg-type]
    writer._drain.ring, writer._drain.put = ring, ring.main.put
    tape.append(("start", 0, None))
    dice = random.Random(seed)
    me = _stdlib.get_ident()
    for number in range(400):
        line = b'{"i":%d,"p":"%s"}' % (number, b"x" * dice.randrange(180))
        if dice.random() < 0.15:
            # As in a signal handler that interrupts our own code while it moves the ring's ends.
            writer.inside.add(me)
            put, writer._drain.put = writer._drain.put, lambda _line: False
            assert writer.emit(line)
            writer._drain.put = put
            writer.inside.discard(me)
            if writer._parked:
                writer._catch_up()
        else:
            assert writer.emit(line)
        tape.append(("ack", number, None))
        if dice.random() < 0.1:
            writer.drain()
    return tape


def _boot() -> bytes:
    return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))


class Crash:
    """What is on disk when the process is killed here."""

    def __init__(self) -> None:
        self.image = bytearray(SIZE)
        self.segments: dict[int, bytearray] = {}
        self.acknowledged = -1

    def after(self, tape: list[Op]) -> Iterator[Crash]:
        """Itself, after each store (and amid each payload) of the tape."""
        started = False
        for kind, at, value in tape:
            if kind == "start":
                started = True
            elif kind == "ack":
                self.acknowledged = at
                continue
            elif kind == "cut":
                del self.segments.setdefault(at, bytearray())[value:]
            elif kind == "write":
                offset, piece = value
                self.segments[at][offset:] = piece
            else:
                if kind == "payload" and started:
                    self.image[at : at + len(value) // 2] = value[: len(value) // 2]
                    yield self
                self.image[at : at + len(value)] = value
            if started:
                yield self

    def recovered(self) -> list[bytes]:
        """What a recovery makes of it: segments up to the committed size, then the records."""
        words = memoryview(self.image).cast("Q")
        slot = _layout.W_SLOT[words[_layout.W_GENERATION] & 1]
        head, nested_head, number, size = words[slot : slot + 4]
        lines = []
        for each in sorted(self.segments):
            if each <= number:
                lines += bytes(self.segments[each][: size if each == number else None]).splitlines()
        lines += records(words, self.image, HEADER, CAPACITY, head)[0]
        lines += records(words, self.image, HEADER + CAPACITY, NESTED, nested_head)[0]
        return lines

    def recovered_naively(self) -> list[bytes]:
        """The same without cutting the segment."""
        words = memoryview(self.image).cast("Q")
        slot = _layout.W_SLOT[words[_layout.W_GENERATION] & 1]
        lines = [line for each in sorted(self.segments) for line in bytes(self.segments[each]).splitlines()]
        return lines + records(words, self.image, HEADER, CAPACITY, words[slot])[0]

    def fault(self, lines: list[bytes]) -> str:
        """What is wrong with these lines, nothing if all is well."""
        try:
            found = [json.loads(line)["i"] for line in lines]
        except ValueError:
            return "torn"
        if len(set(found)) != len(found):
            return "doubled"
        if not set(range(self.acknowledged + 1)) <= set(found):
            return "lost"
        # Committed but not acknowledged: the one event that was on its way.
        return "" if len(found) <= self.acknowledged + 2 else "made up"


def faults(tape: list[Op], recover: Callable[[Crash], list[bytes]] = Crash.recovered) -> tuple[int, list[str]]:
    points, found = 0, []
    for crash in Crash().after(tape):
        points += 1
        wrong = crash.fault(recover(crash))
        if wrong:
            found.append(wrong)
    return points, found
