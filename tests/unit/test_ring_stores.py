"""The process is killed after every single store, and nothing acknowledged is lost, doubled or torn.

The same check on protocols with one rule broken has to find fault.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _storage import lines_of, new_spool
from _stores import STEM, Crash, faults, recording

from bluerock_hooks import _stdlib
from bluerock_hooks.ring import Ring, _layout
from bluerock_hooks.ring._layout import Region
from bluerock_hooks.ring._names import segment_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from bluerock_hooks.spool import Spool


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
    monkeypatch.setattr(_layout, "adler32", lambda data: 7)
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
