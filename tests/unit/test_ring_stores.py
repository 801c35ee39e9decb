"""The process is killed after every single store, and nothing acknowledged is lost, doubled or torn.

The real recorder, drain and ring run once on memory that notes each store. Then the file is rebuilt store by store, and
after each one recovered as if the process had been killed there; a payload also with only half of it written, a write
to a segment also in pieces. The same check on protocols with one rule broken has to find fault.
"""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _storage import lines_of, new_spool

from bluerock_hooks import _stdlib, recorder
from bluerock_hooks.ring import Ring, _layout
from bluerock_hooks.ring._layout import HEADER, Region, records
from bluerock_hooks.ring._names import segment_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bluerock_hooks.spool import Spool

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
            writer.inside.add(me)  # as in a signal handler that interrupts our own code
            assert writer.emit(line)
            writer.inside.discard(me)
            if writer._parked:
                writer._unpark()
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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_store_is_a_moment_at_which_an_event_can_be_lost_or_doubled(seed: int) -> None:
    points, found = faults(recording(seed=seed))
    assert points > 2500
    assert found == []


# -- protocols with one rule broken: the check has to see it


class TwoWordProgress(Ring):
    """Drain progress in place, word by word, instead of a shadow slot and one generation."""

    __slots__ = ()

    def prepare(self, head: int, nested_head: int, segment: int, segment_bytes: int, reported: tuple[int, int]) -> int:
        slot = _layout.W_SLOT[0]
        for index, value in enumerate((head, nested_head, segment, segment_bytes, *reported), slot):
            self.words[index] = value
        return 0


class CommitFirst(Region):
    """The committing word before position and payload, and no checksum to tell."""

    __slots__ = ()

    def put(self, line: bytes) -> bool:
        return False

    def _store(self, position: int, data: bytes, word: int) -> None:
        at = self.base + position % self.capacity
        self.words[at >> 3] = word
        self.words[(at >> 3) + 1] = position + 1
        self.memory[at + 16 : at + 16 + len(data)] = data


def test_the_check_sees_progress_in_two_words() -> None:
    _, found = faults(recording(ring_class=TwoWordProgress))
    assert {"lost", "doubled"} & set(found)


def test_the_check_sees_a_commit_before_the_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layout, "checksum", lambda data: 7)
    tape = recording(region_class=CommitFirst)
    _, found = faults(tape)
    assert {"torn", "made up", "doubled"} & set(found)


def test_the_check_sees_a_recovery_that_does_not_cut_the_segment() -> None:
    _, found = faults(recording(), Crash.recovered_naively)
    assert {"torn", "doubled"} & set(found)


# -- the same with the real recovery, on real files, killed at every system call of its own


def on_disk(crash: Crash, spool: Spool) -> None:
    for segment in spool.segments():
        os.unlink(segment.path)
    Path(spool.rings_path, f"{STEM}.ring").write_bytes(crash.image)
    for number, content in crash.segments.items():
        Path(spool.path, segment_name(STEM, number)).write_bytes(content)


def test_the_real_recovery_agrees(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    for point, crash in enumerate(Crash().after(recording())):
        if point % 9:
            continue
        on_disk(crash, spool)
        assert spool.recover().rings == 1
        assert crash.fault(lines_of(spool)) == ""
        assert [each for each in os.listdir(spool.rings_path) if not each.endswith(".lock")] == []


CALLS = (
    "open_fd",
    "close_fd",
    "fstat",
    "ftruncate",
    "listdir",
    "pread_fd",
    "preadv_fd",
    "pwrite_fd",
    "rename",
    "unlink",
)


def recover_until(spool: Spool, call: int) -> bool:
    """Recover in a child that SIGKILLs itself before its ``call``-th system call. True if it was killed."""
    child = os.fork()
    if child == 0:
        left = [call]

        def counted(name: str) -> Callable[..., Any]:
            real = getattr(_stdlib, name)

            def wrapper(*args: Any, **more: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **more)

            return wrapper

        for name in CALLS:
            setattr(_stdlib, name, counted(name))
        try:
            spool.recover()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_recovery_that_is_killed_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    points = [3, 500, 1000, 1501, 2000]
    for point, crash in enumerate(Crash().after(recording())):
        if point not in points:
            continue
        call, killed = 0, True
        while killed:
            on_disk(crash, spool)
            killed = recover_until(spool, call)
            if killed:
                recover_until(spool, (call * 7) % 13)  # and the second one, somewhere else
                spool.recover()
            assert crash.fault(lines_of(spool)) == "", f"killed before call {call}"
            assert not [each for each in os.listdir(spool.rings_path) if each.endswith(".ring")]
            call += 1
        assert call > 15, "the recovery was interrupted at many places"
