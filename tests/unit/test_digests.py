"""Digests that are remembered between processes: never of a file that changed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from _storage import new_spool

from bluerock_hooks import _digest, _stdlib, digests
from bluerock_hooks.digests import Digests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bluerock_hooks.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Paths of the files that were read; every change counts as an old one."""
    read: list[str] = []
    real = _digest.file_digest
    monkeypatch.setattr(_digest, "file_digest", lambda path, **more: read.append(path) or real(path, **more))
    monkeypatch.setattr(digests, "_RACY_NS", 0)
    monkeypatch.setattr(digests, "_WORTH", 1)
    return read


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 5000, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3_000_000])
def test_it_is_the_digest_of_the_file(spool: Spool, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    assert Digests(spool).of(str(path)) == sha256(path)
    found = _digest.file_digest(str(path), whole=True)
    assert found is not None
    assert (found[0].hexdigest(), found[1]) == (sha256(path), path.read_bytes())


@pytest.mark.parametrize("name", ["missing", "directory", "fifo", "nul\0"])
def test_what_is_no_file_has_none(spool: Spool, tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    assert Digests(spool).of(str(tmp_path / name)) is None


def test_another_process_need_not_read_again(spool: Spool, tmp_path: Path, hashed: list[str]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    first = Digests(spool)
    assert first.of(str(path)) == first.of(str(path)) == sha256(path)
    first.remember()
    assert hashed == [str(path)]
    assert Digests(spool).of(str(path)) == first.of(str(path)) == sha256(path)
    assert hashed == [str(path)]
    assert os.stat(f"{spool.path}/files.sha256").st_mode & 0o777 == 0o600


def test_a_changed_file_is_read_also_where_size_and_time_are_put_back(
    spool: Spool, tmp_path: Path, hashed: list[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = path.stat()
    first = Digests(spool)
    first.of(str(path))
    first.remember()
    path.write_bytes(b"changed")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert Digests(spool).of(str(path)) == hashlib.sha256(b"changed").hexdigest()


def test_a_change_of_this_moment_is_not_relied_on(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_WORTH", 1)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    known = Digests(spool)
    known.of(str(path))
    known.remember()
    assert b" " not in (tmp_path / "spool" / "files.sha256").read_bytes()


def test_little_work_is_not_worth_a_write(spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    known = Digests(spool)
    known.of(str(path))
    known.remember()
    assert not os.path.exists(f"{spool.path}/files.sha256")


def test_what_little_work_gave_is_written_with_what_comes_later(
    spool: Spool, tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_WORTH", 15)
    paths = [tmp_path / name for name in "ab"]
    known = Digests(spool)
    for path in paths:
        path.write_bytes(b"ten bytes!")
        known.of(str(path))
        known.remember()
    hashed.clear()
    known = Digests(spool)
    assert [known.of(str(path)) for path in paths] == [sha256(path) for path in paths]
    assert hashed == []


def test_code_is_hashed_once_as_long_as_its_file_is_the_same(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_RACY_NS", 0)
    monkeypatch.setattr(digests, "_WORTH", 1)
    monkeypatch.setattr(digests, "_FEW", 0)
    pyc, code = tmp_path / "a.pyc", b"the code"
    pyc.write_bytes(b"h" * 16 + code)
    right, lie = hashlib.sha256(code).hexdigest(), hashlib.sha256(b"lie").hexdigest()

    def asked(content: bytes = code) -> str:
        known = Digests(spool, "bytecode.sha256")
        found = known.of_code(str(pyc), content)
        known.remember()
        return found

    assert asked() == right
    listed = tmp_path / "spool" / "bytecode.sha256"
    listed.write_bytes(listed.read_bytes().replace(right.encode(), lie.encode()))
    assert asked() == lie, "it was hashed again"
    assert asked(b"the code!") == hashlib.sha256(b"the code!").hexdigest(), "no file of that size"
    state = pyc.stat()
    pyc.write_bytes(b"h" * 16 + code)
    os.utime(pyc, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert asked() == right, "the file was written"
    pyc.unlink()
    assert asked() == right


def test_the_list_is_bounded_and_keeps_what_was_used(
    spool: Spool, tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_MOST", 3)
    for number in range(6):
        path = tmp_path / f"file{number}"
        path.write_bytes(b"%d" % number)
        known = Digests(spool)
        known.of(str(path))
        known.of(str(tmp_path / "file0"))
        known.remember()
    assert len((tmp_path / "spool" / "files.sha256").read_bytes().splitlines()) == 3
    hashed.clear()
    known = Digests(spool)
    for number in (0, 5, 1):
        known.of(str(tmp_path / f"file{number}"))
    assert hashed == [str(tmp_path / "file1")]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"1 2 3\n", b"x" * 100_000, b"1 2 3 4 5 short\n"])
def test_a_damaged_list_is_no_list(spool: Spool, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool" / "files.sha256").write_bytes(content)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert Digests(spool).of(str(path)) == sha256(path)


def test_a_planted_link_is_not_followed_and_a_full_disk_leaves_nothing(
    spool: Spool, tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    (tmp_path / "spool" / "files.sha256").symlink_to(target)
    known = Digests(spool)
    known.of(str(target))
    known.remember()
    assert target.read_bytes() == b"untouched"

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_stdlib, "pwrite_fd", full)
        other = tmp_path / "other"
        other.write_bytes(b"other")
        known = Digests(spool)
        assert known.of(str(other)) == sha256(other)
        known.remember()
    assert sorted(os.listdir(spool.path)) == ["files.sha256", "rings"]
