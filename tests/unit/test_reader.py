"""Each event once and in order, from segments and rings, whatever happened between the two."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from _command import command_env, line
from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks.errors import SpoolError
from bluerock_hooks.reader import Follower, Problems, Snapshot, merge, parse
from bluerock_hooks.ring import Ring
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bluerock_hooks.reader import StoredEvent

STEM = f"{os.getpid()}-0123456789abcdef"


class Writer:
    """A sensor's storage by hand, one step at a time: a real ring, and segments as the drain writes them."""

    def __init__(self, spool: Spool, stem: str = STEM, component: str = "c1") -> None:
        self.spool = spool
        self.stem = stem
        self.component = component
        self.number = 0
        spool.prepare()
        with spool.rings_directory() as rings:
            self.ring = Ring.create(rings, stem, 1 << 16, 1 << 12)
        self.pending: list[bytes] = []

    def emit(self, count: int = 1) -> None:
        """Events into the ring."""
        for _ in range(count):
            self.number += 1
            text = line(self.number, component=self.component, second=0)
            assert self.ring.main.put(text)
            self.pending.append(text)

    def write(self, size: int | None = None) -> int:
        """First half of a drain: the pending events, or that many bytes of them, into the segment."""
        blob = b"".join(text + b"\n" for text in self.pending)
        assert self.spool.append(self.stem, self.ring.segment, self.ring.segment_bytes, blob[:size])
        return len(blob)

    def drain(self) -> None:
        """Both halves."""
        size = self.write()
        self.ring.commit(self.ring.main.tail, 0, self.ring.segment, self.ring.segment_bytes + size, (0, 0))
        self.pending.clear()

    def rotate(self) -> None:
        """The next drain begins a new segment."""
        self.ring.commit(self.ring.main.head, 0, self.ring.segment + 1, 0, (0, 0))

    def close(self) -> None:
        """A clean end."""
        self.drain()
        os.unlink(f"{self.spool.rings_path}/{self.stem}.ring")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "spool"))


def numbers(events: Iterable[StoredEvent]) -> list[int]:
    return [event.key[1] for event in events]


def everything(spool: Spool) -> list[int]:
    """Numbers of all events, when nothing was unreadable."""
    snapshot = Snapshot(spool)
    found = numbers(snapshot.events())
    assert snapshot.problems.sentences() == []
    return found


def test_events_of_a_ring_that_nobody_drained_are_there(spool: Spool) -> None:
    Writer(spool).emit(3)
    assert everything(spool) == [1, 2, 3]


def test_segment_and_ring_are_one_sequence(spool: Spool) -> None:
    writer = Writer(spool)
    for _ in range(3):
        writer.emit(4)
        writer.drain()
    writer.rotate()
    writer.emit(2)
    writer.drain()
    writer.emit(2)
    assert everything(spool) == list(range(1, 17))


@pytest.mark.parametrize("size", [None, 1, 200, 500])
def test_what_a_drain_wrote_and_did_not_commit_is_taken_from_the_ring(spool: Spool, size: int | None) -> None:
    writer = Writer(spool)
    writer.emit(2)
    writer.drain()
    writer.emit(3)
    writer.write(size)
    assert everything(spool) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [None, 1, 200])
def test_a_new_segment_counts_from_its_commit(spool: Spool, size: int | None) -> None:
    writer = Writer(spool)
    writer.emit(2)
    writer.drain()
    writer.emit(3)
    blob = b"".join(text + b"\n" for text in writer.pending)
    spool.append(STEM, writer.ring.segment + 1, 0, blob[:size])
    assert everything(spool) == [1, 2, 3, 4, 5]


def test_a_moment_is_consistent_though_the_drain_goes_on(spool: Spool) -> None:
    writer = Writer(spool)
    writer.emit(3)
    snapshot = Snapshot(spool)
    writer.drain()
    writer.emit(2)
    writer.drain()
    writer.rotate()
    writer.emit(1)
    writer.close()
    assert numbers(snapshot.events()) == [1, 2, 3]
    assert everything(spool) == [1, 2, 3, 4, 5, 6]


def test_a_segment_that_retention_takes_while_we_read_ends_quietly(spool: Spool) -> None:
    writer = Writer(spool)
    writer.emit(2)
    writer.drain()
    snapshot = Snapshot(spool)
    os.unlink(spool.segments()[0].path)
    assert numbers(snapshot.events()) == []
    assert snapshot.problems.sentences() == []


def test_no_spool_is_an_empty_one_and_a_foreign_one_an_error(spool: Spool, tmp_path: Path) -> None:
    assert everything(spool) == []
    os.mkdir(spool.path)
    os.chmod(spool.path, 0o777)
    with pytest.raises(SpoolError, match="chmod 700"):
        Snapshot(spool)
    if os.geteuid() == 0:
        os.chown(spool.path, 12345, -1)
        with pytest.raises(SpoolError, match="read it as that user"):
            Snapshot(spool)


def test_thousands_of_processes_need_few_descriptors_and_little_memory(spool: Spool) -> None:
    spool.prepare()
    for index in range(1500):
        component = f"c{index}"
        lines = [line(n, component=component, second=index, note="x" * 1000) for n in (1, 2, 3)]
        spool.append(f"{index + 1}-0123456789abcdef", 0, 0, b"".join(each + b"\n" for each in lines))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    tracemalloc.start()
    try:
        count, last = 0, ""
        for event in Snapshot(spool).events():
            count += 1
            assert event.ts >= last
            last = event.ts
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert count == 4500
    assert peak < 4 << 20  # of 5 MB


def test_memory_does_not_grow_with_a_segment(spool: Spool) -> None:
    spool.prepare()
    blob = b"".join(line(n, note="x" * 1000) + b"\n" for n in range(1, 20_001))
    spool.append(STEM, 0, 0, blob)
    tracemalloc.start()
    assert sum(1 for _ in Snapshot(spool).events()) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(blob) > 20 << 20
    assert peak < 2 << 20


def test_a_clock_set_back_does_not_reorder_a_process() -> None:
    def stream(component: str, seconds: list[int]) -> list[StoredEvent]:
        return [parse(line(n, component=component, second=second)) for n, second in enumerate(seconds, 1)]

    one, two = stream("a", [10, 3, 4, 20]), stream("b", [1, 11, 12])
    merged = list(merge([(each[0].ts, iter(each)) for each in (one, two)]))
    assert numbers(event for event in merged if event.key[0] == "a") == [1, 2, 3, 4]
    assert [event.key for event in merged] == [("b", 1), ("a", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 3), ("a", 4)]


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_whatever_a_line_is_it_is_an_event_or_a_value_error(data: bytes) -> None:
    try:
        event = parse(data)
    except ValueError:
        return
    assert event.name is not None


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_MEMBERS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)


@given(_MEMBERS, _MEMBERS, _MEMBERS)
def test_an_event_of_odd_members_still_has_key_time_and_pid(ts: object, context: object, number: object) -> None:
    meta = {"name": "n", "source_event_id": number, "component_id": context}
    event = parse(json.dumps({"ts": ts, "event": {"meta": meta, "context": context}}).encode())
    assert isinstance(event.ts, str)
    assert isinstance(event.pid, int)
    assert hash(event.key) == hash(event.key)


# -- following


def follower(spool: Spool) -> Follower:
    return Follower(spool, Snapshot(spool))


def test_what_comes_after_the_snapshot_comes_once(spool: Spool) -> None:
    writer = Writer(spool)
    writer.emit(2)
    following = follower(spool)
    assert numbers(following.poll()) == []
    writer.emit(2)
    assert numbers(following.poll()) == [3, 4]  # from the ring
    writer.drain()
    assert numbers(following.poll()) == []
    writer.emit(1)
    writer.drain()
    assert numbers(following.poll()) == [5]  # from the segment
    writer.rotate()
    writer.emit(2)
    writer.drain()
    writer.emit(1)
    assert numbers(following.poll()) == [6, 7, 8]
    writer.emit(1)
    writer.close()
    assert numbers(following.poll()) == [9]
    assert numbers(following.poll()) == []


def test_new_processes_and_deleted_files_are_followed(spool: Spool) -> None:
    following = follower(spool)  # before there is a spool
    first = Writer(spool)
    first.emit(2)
    assert numbers(following.poll()) == [1, 2]
    second = Writer(spool, stem="77-fedcba9876543210", component="c2")
    second.emit(1)
    first.close()
    assert [event.key for event in following.poll()] == [("c2", 1)]
    for segment in spool.segments():
        os.unlink(segment.path)
    assert numbers(following.poll()) == []
    second.emit(1)
    assert [event.key for event in following.poll()] == [("c2", 2)]
    assert following.problems.sentences() == []


def test_a_line_appears_when_it_is_whole(spool: Spool) -> None:
    spool.prepare()
    text = line(1) + b"\n" + line(2) + b"\n"
    path = f"{spool.path}/python-{STEM}.000000.ndjson"
    following = follower(spool)
    seen = []
    for cut in range(40, len(text) + 40, 40):
        with open(path, "ab") as file:
            file.write(text[cut - 40 : cut])
        os.chmod(path, 0o600)
        found = numbers(following.poll())
        assert not found or text[:cut].count(b"\n") == len(seen) + len(found)
        seen += found
    assert seen == [1, 2]
    assert following.problems.sentences() == []


def test_a_segment_that_was_cut_is_followed_from_its_new_end(spool: Spool) -> None:
    spool.prepare()
    following = follower(spool)
    spool.append(STEM, 0, 0, line(1) + b"\n" + line(2) + b"\n")
    assert numbers(following.poll()) == [1, 2]
    os.truncate(spool.segments()[0].path, 0)
    assert numbers(following.poll()) == []
    spool.append(STEM, 0, 0, line(3) + b"\n")
    assert numbers(following.poll()) == [3]


def test_following_starts_behind_a_half_written_line(spool: Spool) -> None:
    spool.prepare()
    spool.append(STEM, 0, 0, line(1) + b"\n" + line(2)[:50])
    snapshot = Snapshot(spool)
    assert numbers(snapshot.events()) == [1]
    following = Follower(spool, snapshot)
    spool.append(STEM, 0, len(line(1)) + 51, line(2)[50:] + b"\n")
    assert numbers(following.poll()) == [2]


def test_a_bad_line_is_counted_once_however_often_we_look(spool: Spool) -> None:
    spool.prepare()
    following = follower(spool)
    spool.append(STEM, 0, 0, b"{bad\n" + line(1) + b"\n{worse\n")
    assert numbers(following.poll()) == [1]
    assert numbers(following.poll()) == []
    assert following.problems.bad_lines == 2


DIE = """
import os, sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_reader import Writer
from bluerock_hooks.spool import Spool
writer = Writer(Spool({spool!r}), stem=f"{{os.getpid()}}-00000000000000aa")
writer.emit(3)
writer.drain()
writer.emit(3)
writer.write({size!r})
os._exit(0)
"""


@pytest.mark.parametrize("size", [0, 700, None])
def test_a_recovery_changes_nothing_for_readers(spool: Spool, tmp_path: Path, size: int | None) -> None:
    root, tests = os.path.dirname(os.path.dirname(os.path.dirname(__file__))), os.path.dirname(__file__)
    following = follower(spool)
    code = DIE.format(root=root, tests=tests, spool=spool.path, size=size)
    env = {**command_env(tmp_path), "PYTHONPATH": f"{root}:{tests}:{os.path.dirname(tests)}"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    late = follower(spool)
    assert everything(spool) == [1, 2, 3, 4, 5, 6]
    before = Snapshot(spool)
    assert numbers(following.poll()) == [1, 2, 3, 4, 5, 6]
    assert spool.recover().events == 3
    assert everything(spool) == [1, 2, 3, 4, 5, 6]
    assert numbers(before.events()) == [1, 2, 3, 4, 5, 6]
    for each in (following, late):
        assert numbers(each.poll()) == []
        assert numbers(each.poll()) == []


def test_problems_are_sentences() -> None:
    problems = Problems()
    assert problems.sentences() == []
    problems.bad("/s/a", 5, "torn")
    assert problems.sentences() == ["1 unreadable line skipped, first /s/a at byte 5: torn"]
