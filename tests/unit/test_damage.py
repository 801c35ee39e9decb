"""Rings and segments that are not as they were left: a clear word on what is bad, all else is read, nothing made up.

A spool of three dead processes and a living one is damaged in one file, and then read, recovered and read again. The
long version, a million times, is in tests/stress; what atheris found is kept here.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _damage import Damage, Scene, damages
from _storage import STEM, bury, new_ring, new_spool, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluerock_hooks.reader import LONGEST, Snapshot
from bluerock_hooks.ring import _layout, read_ring

if TYPE_CHECKING:
    from bluerock_hooks.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 32))
def test_what_is_damaged_is_named_and_all_else_is_read(scene: Scene, seed: int) -> None:
    scene.check(damages(random.Random(seed), scene))


def flip_all(scene: Scene, words: range, step: int) -> None:
    for bit in range(words.start * 64, words.stop * 64, step):
        scene.check([Damage(scene.ring, "flip", bit // 8, 1 << bit % 8)])


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.stress)])
def test_every_bit_of_a_header(scene: Scene, step: int) -> None:
    """A header that was believed in spite of its damage had recovery cut a good segment."""
    flip_all(scene, range(_layout.W_SLOT[1] + _layout.SLOT_WORDS + 1), step)


def test_the_check_sees_headers_that_are_believed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluerock_hooks.ring import _reading

    monkeypatch.setattr(_reading, "_sealed", lambda words: True)
    with pytest.raises(AssertionError, match=r"lost without need|doubled|nothing is said"):
        flip_all(scene, range(_layout.W_SLOT[0], _layout.W_SLOT[1] + _layout.SLOT_WORDS), 1)


def test_a_record_that_is_damaged_costs_itself_alone(spool: Spool) -> None:
    ring = new_ring(spool)
    lines = [b'{"i":%d}' % number for number in range(30)]
    assert all(ring.main.put(line) for line in lines)
    bury(spool, STEM)
    store(spool.rings()[0], (_layout.HEADER + 10 * 32 + 16) >> 3, 0, sealed=False)  # within the payload of the 11th
    (contents,) = spool.peek()
    assert contents.records == lines[:10] + lines[11:]
    assert contents.damaged == 32
    done = spool.recover(notices=lambda reason, events, size, **_more: [b'{"i":"%s %d"}' % (reason.encode(), size)])
    assert (done.events, done.damaged) == (29, 32)
    (segment,) = spool.segments()
    assert Path(segment.path).read_bytes().splitlines() == [*lines[:10], *lines[11:], b'{"i":"damage 32"}']


def test_the_last_record_is_damaged(spool: Spool) -> None:
    ring = new_ring(spool)
    assert ring.main.put(b'{"i":0}')
    assert ring.main.put(b'{"i":1}')
    bury(spool, STEM)
    store(spool.rings()[0], (_layout.HEADER + 32 + 16) >> 3, 7, sealed=False)
    (contents,) = spool.peek()
    assert (contents.records, contents.damaged) == ([b'{"i":0}'], 16)


def test_what_the_owner_never_committed_is_no_damage(spool: Spool) -> None:
    ring = new_ring(spool)
    assert ring.main.put(b'{"i":0}')
    index = (ring.main.base + ring.main.tail) >> 3
    ring.words[index + 1] = ring.main.tail + 1  # killed before the last store
    bury(spool, STEM)
    assert [(each.records, each.damaged) for each in spool.peek()] == [([b'{"i":0}'], 0)]


def test_a_header_may_say_anything_and_costs_no_memory(spool: Spool) -> None:
    """A capacity of a gigabyte in a file of 64 KiB."""
    new_ring(spool)
    bury(spool, STEM)
    store(spool.rings()[0], _layout.W_CAPACITY, 1 << 30)
    before = resident()
    assert read_ring(spool.rings()[0]).records == []
    assert resident() - before < 32 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo", "garbage", "hard link"])
def test_one_file_that_is_no_ring_hides_no_other(spool: Spool, tmp_path: Path, kind: str) -> None:
    ring = new_ring(spool)
    assert ring.main.put(b'{"event":{"meta":{"name":"n"}}}')
    planted = Path(spool.rings_path, "77-ab.ring")
    if kind == "symlink":
        planted.symlink_to(spool.rings()[0])
    elif kind == "directory":
        planted.mkdir()
    elif kind == "fifo":
        os.mkfifo(planted)
    elif kind == "hard link":
        (tmp_path / "victim").write_bytes(b"x" * 9000)
        os.link(tmp_path / "victim", planted)
    else:
        planted.write_bytes(b"x" * 9000)
    snapshot = Snapshot(spool)
    assert len(list(snapshot.events())) == 1
    (sentence,) = snapshot.problems.sentences()
    assert sentence.startswith(str(planted))
    assert spool.sweep().files == 0
    assert spool.recover().failed == (kind != "garbage")


def test_a_ring_of_another_version_is_left_to_those_who_know_it(spool: Spool) -> None:
    new_ring(spool)
    bury(spool, STEM)
    path = spool.rings()[0]
    store(path, _layout.W_VERSION, _layout.VERSION + 1)
    os.utime(path, (1, 1))
    done = spool.recover()
    assert (done.other_version, done.left, done.corrupt) == (1, 0, 0)
    assert spool.rings() == [path]
    (sentence,) = Snapshot(spool).problems.sentences()
    assert f"a ring of version {_layout.VERSION + 1}, this one knows {_layout.VERSION}" in sentence


def test_a_line_without_end_costs_itself_alone(spool: Spool) -> None:
    event = b'{"event":{"meta":{"name":"n","component_id":"c","source_event_id":%d}}}\n'
    spool.append(STEM, 0, 0, event % 1 + b"x" * (LONGEST + (1 << 20)) + b"\n" + event % 2)
    snapshot = Snapshot(spool)
    assert [stored.key[1] for stored in snapshot.events()] == [1, 2]
    (sentence,) = snapshot.problems.sentences()
    assert f"at byte {len(event % 1)}: longer than 8 MiB" in sentence


def test_retention_goes_on_beside_what_it_cannot_delete(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, spool_bytes=0)
    Path(spool.path, "python-1-aa.000000.ndjson").mkdir()
    spool.append("1-bb", 0, 0, b"x\n")
    assert spool.sweep().files == 1
