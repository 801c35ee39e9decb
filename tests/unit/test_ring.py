"""The ring: what is committed is found again, what is not is never made up."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _storage import STEM, bury, new_ring, new_spool, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluerock_hooks import _clock
from bluerock_hooks.errors import RingError
from bluerock_hooks.ring import Ring, _forkpage, _layout, any_serving, owner_state, read_ring
from bluerock_hooks.ring._layout import Region, checksum, records

if TYPE_CHECKING:
    from bluerock_hooks.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


def path_of(spool: Spool, stem: str = STEM) -> str:
    return f"{spool.rings_path}/{stem}.ring"


def region(capacity: int = 256) -> Region:
    buffer = bytearray(capacity)
    return Region(memoryview(buffer).cast("Q"), buffer, 0, capacity)


def held(area: Region) -> list[bytes]:
    return records(area.words, area.memory, area.base, area.capacity, area.head)[0]


def put(area: Region, line: bytes) -> bool:
    return area.put(line) or area.place(line)


# -- regions


def test_what_is_put_is_found_in_order() -> None:
    area = region()
    lines = [b"one", b"two", b"3" * 100]
    assert all(put(area, line) for line in lines)
    assert held(area) == lines


def test_a_full_region_refuses_and_keeps_what_it_has() -> None:
    area = region(256)
    accepted = 0
    while put(area, b"x" * 48):
        accepted += 1
    assert accepted == 4
    assert held(area) == [b"x" * 48] * 4
    assert not put(area, b"y")


def test_an_empty_line_is_refused() -> None:
    assert not put(region(), b"")


@pytest.mark.parametrize("size", [1, 15, 16, 17, 47, 48, 49, 100, 224, 240])
def test_every_size_goes_over_the_end_of_the_lap(size: int) -> None:
    area = region(256)
    for number in range(200):
        line = bytes([number]) * size
        assert put(area, line)
        assert held(area) == [line]
        area.free(area.tail)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 300), st.none()), max_size=60), st.integers(0, 5))
def test_a_region_is_a_bounded_queue(steps: list[int | None], seed: int) -> None:
    """Against the obvious model, with drains at any moment."""
    area, model, number = region(512), [], seed
    for size in steps:
        if size is None:
            assert held(area) == model
            area.free(area.tail)
            model = []
        else:
            number += 1
            line = b"%d" % number * size
            line = line[:size]
            if put(area, line):
                model.append(line)
            else:
                assert sum(len(each) + 16 for each in model) + size + 16 > 512 // 2 - 32
    assert held(area) == model


def test_what_an_earlier_lap_left_is_not_found_again() -> None:
    area = region(256)
    for number in range(50):
        assert put(area, b"line %d" % number)
        area.free(area.tail)
    assert held(area) == []


def test_the_tail_catches_up_with_a_record_that_an_exception_cut_off() -> None:
    """An exception of the host between commit and tail: the record counts, and the next comes behind it."""
    area = region()
    put(area, b"first")
    before = area.tail
    put(area, b"committed")
    area.tail, area.soft = before, -1  # as place() had it
    assert not area.put(b"next"), "the fast way steps aside"
    assert area.place(b"next")
    assert held(area) == [b"first", b"committed", b"next"]


def test_a_record_that_was_never_committed_is_written_over() -> None:
    area = region()
    put(area, b"first")
    before = area.tail
    put(area, b"torn")
    area.words[before >> 3] = 0
    area.tail = before
    assert put(area, b"second")
    assert held(area) == [b"first", b"second"]


def test_an_abandoned_region_touches_nothing() -> None:
    area = region()
    buffer = area.memory
    before = bytes(buffer[0:256])
    area.abandon()
    assert not area.put(b"line")
    with contextlib.suppress(IndexError, TypeError, ValueError):
        area.place(b"line")
    assert bytes(buffer[0:256]) == before


def test_long_lines_have_the_checksum_of_short_ones() -> None:
    data = random.Random(1).randbytes(70_000)
    assert checksum(data) == zlib.adler32(data)
    area = region(1 << 18)
    assert not area.put(data)
    assert area.place(data)
    assert held(area) == [data]


# -- files


def test_a_ring_is_read_back(spool: Spool) -> None:
    ring = new_ring(spool)
    ring.main.put(b"main")
    ring.nested.put(b"nested")
    ring.main.put(b"more")
    contents = read_ring(path_of(spool))
    assert contents.records == [b"main", b"more", b"nested"]
    assert (contents.pid, contents.stem) == (os.getpid(), STEM)
    assert (contents.segment_number, contents.segment_bytes, contents.lost) == (0, 0, 0)
    assert owner_state(contents) == "alive"


def test_what_is_drained_is_not_read_again(spool: Spool) -> None:
    ring = new_ring(spool)
    ring.main.put(b"drained")
    for _ in range(5):
        ring.lose("ring_full", 100)
    ring.commit(ring.main.tail, 0, 3, 77, (2, 200))
    ring.main.put(b"waiting")
    contents = read_ring(path_of(spool))
    assert contents.records == [b"waiting"]
    assert (contents.segment_number, contents.segment_bytes) == (3, 77)
    assert (contents.lost, contents.lost_bytes) == (3, 300)


def test_the_file_is_whole_private_and_not_sparse(spool: Spool) -> None:
    old = os.umask(0)
    try:
        new_ring(spool, capacity=1 << 20, nested=1 << 16)
    finally:
        os.umask(old)
    state = os.stat(path_of(spool))
    assert state.st_mode & 0o777 == 0o600
    assert state.st_blocks * 512 >= state.st_size == (1 << 20) + (1 << 16) + 4096


def test_a_ring_is_never_made_over_another_file(spool: Spool) -> None:
    new_ring(spool).main.put(b"mine")
    with pytest.raises(FileExistsError):
        new_ring(spool)
    assert read_ring(path_of(spool)).records == [b"mine"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no ring yet"),
        (bytes(9000), "no ring yet"),
        (bytes(4096) + b"x" * 16, "no ring$"),
        (b"x" * 4095, "no ring$"),
        (b"x" * 9000, "no ring$"),
        (b"BRHOOKS\x01\x01".ljust(9000, b"\0"), "version 1, this one knows 3"),
    ],
)
def test_a_file_that_is_no_ring_is_refused(spool: Spool, content: bytes, message: str) -> None:
    Path(path_of(spool)).write_bytes(content)
    with pytest.raises(RingError, match=message):
        read_ring(path_of(spool))


@pytest.mark.parametrize(
    ("word", "value"),
    [(_layout.W_CAPACITY, 17), (_layout.W_CAPACITY, 1 << 50), (_layout.W_NESTED, 1), (_layout.W_SLOT[0], 7)],
)
def test_a_damaged_header_is_refused(spool: Spool, word: int, value: int) -> None:
    new_ring(spool)
    store(path_of(spool), word, value)
    with pytest.raises(RingError):
        read_ring(path_of(spool))


def test_another_layout_has_another_version(spool: Spool) -> None:
    """Rings outlive an upgrade: only the version keeps others from taking a word for what it was, or is to become."""
    ring = new_ring(spool)
    assert ring.main.put(b"main" * 20)
    assert ring.nested.put(b"nested")
    ring.commit(16, 0, 3, 4, (1, 2))
    for reason in _layout.REASONS:
        ring.lose(reason, 5)
    ring.account(6, {reason: 7 + index for index, reason in enumerate(_layout.REASONS)}, {"spool": 2, "retention": 3})
    words = memoryview(bytearray(Path(path_of(spool)).read_bytes())).cast("Q")
    own = (_layout.W_SEAL, _layout.W_LOCKED, _layout.W_HEARTBEAT, _layout.W_ERRORS)
    for index in (*range(_layout.W_PID, _layout.W_SINCE + 1), *own):
        words[index] = bool(words[index])
    words[_layout.W_LOCKED] = words[_layout.W_ERRORS] = 0
    assert (_layout.VERSION, zlib.crc32(words)) == (3, 3566071636), "raise VERSION, and put down here what goes with it"


def test_a_link_to_a_ring_is_not_followed(spool: Spool) -> None:
    new_ring(spool)
    os.symlink(path_of(spool), path_of(spool, "1-ab"))
    with pytest.raises(OSError, match="symbolic"):
        read_ring(path_of(spool, "1-ab"))


def test_a_ring_cut_short_still_has_its_first_records(spool: Spool) -> None:
    ring = new_ring(spool)
    lines = [b"%d" % number * 100 for number in range(20)]
    assert all(put(ring.main, line) for line in lines)
    copy = path_of(spool, "1-ab")
    shutil.copy(path_of(spool), copy)  # the mapped file itself is never cut: that kills its owner
    os.truncate(copy, 4096 + 1000)
    found = read_ring(copy).records
    assert 0 < len(found) < 20
    assert found == lines[: len(found)]


LINES = [b'{"i":%d}' % number for number in range(30)]  # each takes 32 bytes of the region


@pytest.fixture
def image(spool: Spool) -> bytes:
    ring = new_ring(spool, STEM, 4096, 4096)
    assert all(put(ring.main, line) for line in LINES)
    ring.nested.put(b'{"n":1}')
    return Path(path_of(spool)).read_bytes()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4096 + 8192 - 1), st.integers(1, 255)), min_size=1, max_size=8))
def test_bit_flips_never_make_up_a_record(spool: Spool, image: bytes, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(image)
    for at, bits in flips:
        damaged[at] ^= bits
    copy = Path(path_of(spool, "1-ab"))
    copy.write_bytes(damaged)
    try:
        found = read_ring(str(copy)).records
    except RingError:
        found = []
    assert set(found) <= {*LINES, b'{"n":1}'}
    first = min(at for at, _ in flips)
    if first >= 4096:
        intact = min((first - 4096) // 32, len(LINES))
        assert found[:intact] == LINES[:intact]


# -- owners


def test_another_start_tick_is_another_process(spool: Spool) -> None:
    new_ring(spool)
    bury(spool, STEM)
    assert owner_state(read_ring(path_of(spool))) == "dead"


def test_a_pid_that_is_gone_is_dead(spool: Spool) -> None:
    new_ring(spool)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    store(path_of(spool), _layout.W_PID, child)
    assert owner_state(read_ring(path_of(spool))) == "dead"


def test_a_process_that_nobody_buries_is_dead(spool: Spool) -> None:
    new_ring(spool)
    child = os.fork()
    if child == 0:
        new_ring(spool, "1-ab")
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    assert owner_state(read_ring(path_of(spool, "1-ab"))) == "dead"
    os.waitpid(child, 0)


def test_another_pid_namespace_is_out_of_sight(spool: Spool) -> None:
    new_ring(spool)
    store(path_of(spool), _layout.W_PIDNS, 1)
    bury(spool, STEM)
    assert owner_state(read_ring(path_of(spool))) == "unknown"


def test_an_earlier_boot_is_dead_and_another_machine_out_of_sight(spool: Spool) -> None:
    new_ring(spool)
    store(path_of(spool), _layout.W_BOOT, 1)
    assert owner_state(read_ring(path_of(spool))) == "unknown", "written after our boot: another machine"
    os.utime(path_of(spool), (1, 1))
    assert owner_state(read_ring(path_of(spool))) == "dead"


def test_a_ring_this_process_does_not_map_was_left_by_an_exec(spool: Spool) -> None:
    new_ring(spool)
    other = f"1-{os.urandom(8).hex()}"
    shutil.copy(path_of(spool), path_of(spool, other))
    assert owner_state(read_ring(path_of(spool))) == "alive"
    assert owner_state(read_ring(path_of(spool, other))) == "dead"


# -- forks


@pytest.mark.parametrize("word", [_forkpage._make(), _forkpage._PidWord()], ids=["page", "pid"])
def test_a_child_is_told_from_its_parent(word: memoryview) -> None:
    word[0] = 1
    child = os.fork()
    if child == 0:
        os._exit(0 if word[0] == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert word[0] == 1


def test_a_ring_without_a_mapping_says_who_writes(spool: Spool) -> None:
    with spool.rings_directory() as directory:
        ring = Ring.declare(directory, STEM)
    contents = read_ring(path_of(spool))
    assert (contents.state, contents.records, contents.segment_number) == (_layout.WRITTEN, [], _layout.NO_SEGMENT)
    assert owner_state(contents) == "alive"
    assert not ring.main.put(b"x")


# -- descent


def test_a_ring_says_that_its_owner_starts_processes_on_behalf_of_requests(spool: Spool) -> None:
    ring = new_ring(spool, f"{os.getpid()}-0123456789abcdef")
    ticks = {os.getpid(): _clock.process_ticks(os.getpid())[1], 1: 1}
    Path(spool.rings_path, "1-nonsense.ring").write_bytes(b"no ring")
    with spool.rings_directory() as directory:
        assert not any_serving(directory, ticks)
        ring.words[_layout.W_SERVING] = 1
        assert any_serving(directory, ticks)
        assert not any_serving(directory, {os.getpid(): ticks[os.getpid()] + 1})  # a number that was used before
        assert not any_serving(directory, {2: 2})
