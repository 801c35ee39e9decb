"""The spool: whose directory it is, what recovery leaves, what retention takes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _storage import STEM, bury, files_under, lines_of, new_ring, new_spool, numbers, store

from bluerock_hooks.errors import SpoolError
from bluerock_hooks.ring import Ring, _layout, _recovery, read_ring
from bluerock_hooks.spool import MOST_SEGMENTS, Spool, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def event(number: int, size: int = 0) -> bytes:
    return b'{"i":%d,"p":"%s"}' % (number, b"x" * size)


def left_behind(spool: Spool, count: int, stem: str = STEM) -> Ring:
    """The ring of a killed process with that many events."""
    ring = new_ring(spool, stem)
    for number in range(count):
        assert ring.main.put(event(number))
    bury(spool, stem)
    return ring


# -- the directory


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_directories_and_files_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    spool = Spool(str(tmp_path / "a" / "b" / "spool"))
    spool.prepare()
    spool.append(STEM, 0, 0, b"x\n")
    spool.append(STEM, 0, 2, b"y\n")
    new_ring(spool)
    spool.due(60)
    spool.digest_key()
    spool.recover()
    os.umask(0o022)
    for name in files_under(tmp_path):
        mode = (tmp_path / name).stat().st_mode & 0o777
        assert mode == (0o700 if (tmp_path / name).is_dir() else 0o600), name


def test_prepare_leaves_directories_that_were_there_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    Spool(str(tmp_path / "mine" / "spool")).prepare()
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["", "relative", "~/.bluerock"])
def test_a_path_that_is_not_absolute_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpoolError, match="absolute"):
        Spool(path).prepare()
    assert files_under(tmp_path) == []


def test_a_planted_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "spool").symlink_to("elsewhere")
    with pytest.raises(SpoolError, match="symbolic link"):
        Spool(str(tmp_path / "spool")).prepare()
    assert files_under(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
@pytest.mark.parametrize("which", ["spool", "spool/rings"])
def test_a_directory_others_may_write_to_is_refused(tmp_path: Path, mode: int, which: str) -> None:
    spool = new_spool(tmp_path)
    (tmp_path / which).chmod(mode)
    with pytest.raises(SpoolError, match="others may write") as caught:
        spool.prepare()
    assert "chmod 700" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    os.chown(spool.path, 12345, -1)
    with pytest.raises(SpoolError, match="belongs to user 12345"):
        spool.prepare()
    with pytest.raises(SpoolError):
        spool.append(STEM, 0, 0, b"x\n")


def test_a_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError) as caught:
        Spool(str(tmp_path / "file" / "spool")).prepare()
    assert "BLUEROCK_SPOOL_DIR" in caught.value.hint


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "directory"])
def test_a_planted_segment_is_not_written_to(spool: Spool, tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    planted = Path(spool.path, f"python-{STEM}.000000.ndjson")
    if kind == "symlink":
        planted.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, planted)
    elif kind == "fifo":
        os.mkfifo(planted)
    else:
        planted.mkdir()
    with pytest.raises((OSError, SpoolError)):
        spool.append(STEM, 0, 0, b"x\n")
    assert victim.read_bytes() == b"precious"


# -- segments


def test_names_say_whose_they_are() -> None:
    assert stem_of("/a/b/python-12-abc.000003.ndjson") == "12-abc"
    assert stem_of("12-abc.ring") == "12-abc"
    for other in ("x.ring", "python-12-abc.ndjson", "python-x-abc.000001.ndjson", "12-a.b.ring", "python-1-a.1.ndjson"):
        assert stem_of(other) == ""


def test_what_was_not_committed_is_cut_before_the_next_write(spool: Spool) -> None:
    spool.append(STEM, 0, 0, b"committed\n")
    spool.append(STEM, 0, 10, b"a long batch that was torn\n")
    spool.append(STEM, 0, 10, b"short\n")
    assert lines_of(spool) == [b"committed", b"short"]


def test_a_segment_that_somebody_took_is_not_continued_with_a_hole(spool: Spool) -> None:
    assert not spool.append(STEM, 0, 100, b"x\n")
    assert spool.segments() == []
    spool.append(STEM, 0, 0, b"short\n")
    assert not spool.append(STEM, 0, 100, b"x\n")
    assert lines_of(spool) == [b"short"]


def test_segments_are_listed_with_what_their_name_says(spool: Spool) -> None:
    spool.append("77-ab", 12, 0, b"x\n")
    Path(spool.path, "python-77-ab.000001.txt").write_text("no segment")
    (segment,) = spool.segments()
    assert (segment.pid, segment.stem, segment.number, segment.size) == (77, "77-ab", 12, 2)
    assert segment.path == f"{spool.path}/python-77-ab.000012.ndjson"


# -- recovery


def test_what_a_killed_process_left_becomes_a_segment(spool: Spool) -> None:
    ring = left_behind(spool, 5)
    ring.nested.put(event(5))
    done = spool.recover()
    assert (done.rings, done.events, done.left) == (1, 6, 0)
    assert numbers(lines_of(spool)) == [0, 1, 2, 3, 4, 5]
    assert spool.rings() == []
    assert spool.recover().rings == 0


def test_a_torn_batch_is_cut_and_its_events_come_once(spool: Spool) -> None:
    ring = new_ring(spool)
    for number in range(6):
        ring.main.put(event(number))
    first = b"".join(event(number) + b"\n" for number in range(3))
    end = (ring.main.tail // 6) * 3
    spool.append(STEM, 0, 0, first)
    ring.commit(end, 0, 0, len(first), (0, 0))
    spool.append(STEM, 0, len(first), event(3) + b"\n" + event(4)[:3])
    bury(spool, STEM)
    spool.recover()
    assert numbers(lines_of(spool)) == [0, 1, 2, 3, 4, 5]


def test_a_next_segment_that_was_only_begun_is_replaced(spool: Spool) -> None:
    ring = new_ring(spool)
    ring.main.put(event(0))
    spool.append(STEM, 0, 0, event(0) + b"\n")
    ring.commit(ring.main.tail, 0, 0, len(event(0)) + 1, (0, 0))
    ring.main.put(event(1))
    spool.append(STEM, 1, 0, event(1)[:4])
    bury(spool, STEM)
    spool.recover()
    assert numbers(lines_of(spool)) == [0, 1]


def test_a_recovery_without_records_removes_what_was_begun(spool: Spool) -> None:
    left_behind(spool, 0)
    spool.append(STEM, 0, 0, b"torn noti")
    assert spool.recover().rings == 1
    assert spool.segments() == []


def test_rings_of_the_living_are_left_alone(spool: Spool) -> None:
    ring = new_ring(spool)
    ring.main.put(event(0))
    assert spool.recover().left == 1
    assert [contents.records for contents in spool.peek()] == [[event(0)]]


def test_losses_the_dead_had_counted_are_told(spool: Spool) -> None:
    ring = left_behind(spool, 1)
    for reason in ("ring_full", "oversize", "ring_full"):
        ring.lose(reason, 100)

    def notice(reason: str, events: int, size: int, *, total: int = 0, owner: tuple[int, int] | None = None) -> Any:
        return [json.dumps({"i": [reason, events, size, owner]}).encode()]

    done = spool.recover(notices=notice)
    assert (done.lost, done.lost_bytes) == (3, 300)
    owner = [os.getpid(), 1]
    assert numbers(lines_of(spool)) == [0, ["oversize", 1, 300, owner], ["ring_full", 2, 0, owner]]


def test_losses_of_one_who_was_killed_while_it_told_of_them_are_told_as_a_sum(spool: Spool) -> None:
    """The sum is published with the batch, by reason they follow a few stores later."""
    ring = left_behind(spool, 1)
    for _ in range(5):
        ring.lose("spool", 10)
    ring.commit(ring.main.head, 0, 0, 0, (2, 20))
    found = []
    spool.recover(notices=lambda *loss, **_more: found.append(loss) or [])
    assert found == [("recovery", 3, 30)]


def test_at_most_limit_rings_are_recovered(spool: Spool) -> None:
    for number in range(5):
        left_behind(spool, 1, f"{os.getpid()}-ab{number}")
    assert spool.recover(limit=2).rings == 2
    assert len(spool.rings()) == 3


def test_eight_processes_race_for_one_ring_and_each_event_comes_once(spool: Spool) -> None:
    for turn in range(10):
        left_behind(spool, 50, f"{os.getpid()}-ab{turn}")
        read_end, write_end = os.pipe()
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                try:
                    os.close(write_end)
                    os.read(read_end, 1)  # the parent's closing starts all at once
                    spool.recover()
                finally:
                    os._exit(0)
            children.append(child)
        os.close(read_end)
        os.close(write_end)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        spool.recover()
        assert numbers(lines_of(spool)) == list(range(50)) * (turn + 1)


def test_a_recovery_that_runs_is_not_joined_by_another(spool: Spool) -> None:
    import fcntl

    left_behind(spool, 1)
    with open(f"{spool.rings_path}/{_recovery.LOCK}", "w") as lock:
        os.chmod(lock.name, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert spool.recover().busy
    assert spool.recover().rings == 1


@pytest.mark.parametrize(("content", "kept"), [(b"", False), (bytes(9000), False), (b"garbage" * 2000, True)])
def test_files_that_are_no_rings_are_put_aside_when_they_are_old(spool: Spool, content: bytes, kept: bool) -> None:
    path = Path(spool.rings_path, "1-ab.ring")
    path.write_bytes(content)
    assert spool.recover().left == 1, "it may be in the making"
    os.utime(path, (1, 1))
    assert spool.recover().corrupt == 1
    assert not path.exists()
    assert path.with_suffix(".corrupt").exists() == kept


def test_a_hard_linked_ring_is_not_touched(spool: Spool, tmp_path: Path) -> None:
    left_behind(spool, 1)
    os.link(spool.rings()[0], tmp_path / "other")
    done = spool.recover()
    assert (done.rings, done.failed) == (0, 1)
    assert spool.peek() == []


def test_events_written_without_a_ring_lose_at_most_half_a_line(spool: Spool) -> None:
    with spool.rings_directory() as directory:
        Ring.declare(directory, STEM)
    spool.append(STEM, 0, 0, b'{"i":0}\n{"i":1}\n{"i":')
    bury(spool, STEM)
    assert spool.recover().rings == 1
    assert numbers(lines_of(spool)) == [0, 1]


# -- owners out of sight


def out_of_sight(spool: Spool, quiet_ns: int) -> Ring:
    """The ring of a process in another pid namespace."""
    ring = new_ring(spool)
    ring.main.put(event(0))
    path = spool.rings()[0]
    store(path, _layout.W_PIDNS, 1)
    store(path, _layout.W_HEARTBEAT, max(1, ring.words[_layout.W_HEARTBEAT] - quiet_ns))
    return ring


def test_a_ring_out_of_sight_that_is_mapped_is_left(spool: Spool) -> None:
    """The lock lives as long as the mapping, however old the last sign of life, and without any descriptor."""
    out_of_sight(spool, 1 << 60)
    assert spool.recover().left == 1
    child = os.fork()
    if child == 0:
        os.closerange(3, 1024)
        done = spool.recover()
        os._exit(0 if done.left == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_ring_out_of_sight_that_nobody_maps_is_recovered(spool: Spool) -> None:
    """A container was killed, its successor has another pid namespace and the same volume."""
    out_of_sight(spool, 0)
    path = spool.rings()[0]
    shutil.copy(path, path + ".copy")
    os.replace(path + ".copy", path)
    os.chmod(path, 0o600)
    assert spool.recover().events == 1
    assert numbers(lines_of(spool)) == [0]


def test_without_locks_only_time_tells(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*args: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(_recovery.fcntl, "flock", no_locks)
    ring = out_of_sight(spool, 0)
    assert ring.words[_layout.W_LOCKED] == 0
    assert spool.recover().left == 1
    assert ring.claimed() is None
    monkeypatch.setattr(_recovery, "STALE_NS", 0)
    assert spool.recover().events == 1
    assert ring.claimed() == (ring.main.tail, 0)
    assert numbers(lines_of(spool)) == [0]


# -- retention


def aged(spool: Spool, stem: str, number: int, seconds_ago: float, size: int = 1000) -> None:
    assert spool.append(stem, number, 0, (b"x" * 9 + b"\n") * (size // 10))
    at = time.time() - seconds_ago
    os.utime(f"{spool.path}/python-{stem}.{number:06d}.ndjson", (at, at))


def test_the_oldest_segments_go_until_the_rest_fits(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, spool_bytes=3000)
    for number in range(6):
        aged(spool, f"{number + 1}-ab", 0, 100 - number)
    swept = spool.sweep()
    assert (swept.files, swept.bytes, swept.events) == (3, 3000, 300)
    assert [segment.pid for segment in spool.segments()] == [4, 5, 6]
    assert spool.sweep().files == 0


def test_the_open_segment_of_the_living_stays_and_its_done_ones_go_last(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, spool_bytes=0)
    ring = new_ring(spool)
    aged(spool, STEM, 0, 900)
    aged(spool, STEM, 1, 800)
    ring.commit(0, 0, 1, 1000, (0, 0))
    aged(spool, "1-ab", 0, 1)
    spool.spool_bytes = 2000
    spool.sweep()
    assert [(segment.stem, segment.number) for segment in spool.segments()] == [(STEM, 0), (STEM, 1)]
    spool.spool_bytes = 0
    spool.sweep()
    assert [(segment.stem, segment.number) for segment in spool.segments()] == [(STEM, 1)]


def test_the_number_of_segments_is_bounded(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    for number in range(MOST_SEGMENTS + 5):
        Path(spool.path, f"python-1-{number:x}.000000.ndjson").touch(0o600)
    assert spool.sweep().files == 5
    assert len(spool.segments()) == MOST_SEGMENTS


def test_remains_of_recoveries_are_swept(spool: Spool) -> None:
    part = Path(spool.rings_path, "1-ab.0123.part")
    part.touch()
    spool.sweep()
    assert part.exists()
    os.utime(part, (1, 1))
    for number in range(20):
        Path(spool.rings_path, f"1-{number:02x}.corrupt").touch()
    spool.sweep()
    assert not part.exists()
    assert len([name for name in os.listdir(spool.rings_path) if name.endswith(".corrupt")]) == 16


def test_one_caller_a_minute_is_told_to_clean_up(spool: Spool) -> None:
    assert spool.due(60)
    assert not spool.due(60)
    os.utime(f"{spool.path}/.sweep", (time.time() - 61, time.time() - 61))
    assert spool.due(60)
    os.utime(f"{spool.path}/.sweep", (time.time() + 9999, time.time() + 9999))
    assert spool.due(60), "a clock that was set back does not stop it for ever"


# -- the key


def test_all_processes_share_one_key(spool: Spool) -> None:
    keys = []
    threads = [
        threading.Thread(target=lambda: keys.append(Spool(spool.path).digest_key()), daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert sorted(os.listdir(spool.path)) == ["digest.key", "rings"]


def test_without_a_spool_there_still_is_a_key(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "nowhere"))
    assert len(spool.digest_key()) == 32
    assert spool.digest_key() == spool.digest_key()


def test_a_spool_that_is_gone_is_an_error_for_writers_only(spool: Spool) -> None:
    shutil.rmtree(spool.path)
    assert spool.peek() == []
    assert spool.rings() == []
    assert spool.recover().rings == 0
    with pytest.raises(FileNotFoundError):
        spool.append(STEM, 1, 5, b"x\n")


def test_a_live_ring_can_be_read_while_it_is_used(spool: Spool) -> None:
    """A reader beside a writer that laps the ring a thousand times sees only whole events, in order."""
    ring = new_ring(spool, capacity=4096)
    child = os.fork()
    if child == 0:
        number = 0
        while True:
            if not (ring.main.put(event(number, number % 90)) or ring.main.place(event(number, number % 90))):
                ring.commit(ring.main.tail, 0, 0, 0, (0, 0))
            else:
                number += 1
    try:
        seen, reads = -1, 0
        while reads < 300 or seen <= 0:  # on a busy machine the writer may not have begun
            found = numbers(read_ring(spool.rings()[0]).records)
            assert found == list(range(found[0], found[0] + len(found))) if found else True
            seen, reads = max([seen, *found]), reads + 1
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
