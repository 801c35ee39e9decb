"""A spool that another user had a hand in: refused with one line on stderr and by ``doctor``; the host runs on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _command import call
from _storage import new_spool

from bluerock_hooks.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _peers import Peer

    from bluerock_hooks.spool import Spool

PROGRAM = "import sys, colorsys; print('out'); sys.stderr.write('err\\n'); sys.exit(7)"
NOBODY = 12345

STEM = "77-0123456789abcdef"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def linked(spool: Path, victim: Path) -> None:
    spool.symlink_to(victim)


def dangling(spool: Path, victim: Path) -> None:
    spool.symlink_to(victim / "not-yet")


def given_away(spool: Path, victim: Path) -> None:
    spool.mkdir(mode=0o700)
    os.chown(spool, NOBODY, -1)


def open_to_all(spool: Path, victim: Path) -> None:
    spool.mkdir()
    spool.chmod(0o777)


def a_file(spool: Path, victim: Path) -> None:
    spool.write_text("")


def linked_rings(spool: Path, victim: Path) -> None:
    spool.mkdir(mode=0o700)
    (spool / "rings").symlink_to(victim)


def open_rings(spool: Path, victim: Path) -> None:
    (spool / "rings").mkdir(parents=True)
    spool.chmod(0o700)
    (spool / "rings").chmod(0o777)


def rings_given_away(spool: Path, victim: Path) -> None:
    (spool / "rings").mkdir(parents=True, mode=0o700)
    spool.chmod(0o700)
    os.chown(spool / "rings", NOBODY, -1)


PLANTS = [
    (linked, "symbolic link"),
    (dangling, ""),
    pytest.param(given_away, "user 12345", marks=root_only),
    (open_to_all, "chmod 700"),
    (a_file, ""),
    (linked_rings, "symbolic link"),
    (open_rings, "chmod 700"),
    pytest.param(rings_given_away, "user 12345", marks=root_only),
]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "home" / "spool"


@pytest.mark.parametrize(("plant", "word"), PLANTS)
def test_it_is_refused_and_said(
    plant: Callable[[Path, Path], None],
    word: str,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    plant(spool, victim)
    before = everything(tmp_path)
    peer = peer_venv()
    done = peer.run("python", "-c", PROGRAM, env=sensor_env, check=False)
    ours, theirs = done.stderr.splitlines()
    assert (done.stdout, theirs, done.returncode) == ("out\n", "err", 7)
    assert ours.startswith("bluerock-hooks: nothing is recorded: ")
    assert word in ours
    assert everything(tmp_path) == before, "nothing is made, here or elsewhere"
    doctor = peer.run("bluerock-hooks", "doctor", env=sensor_env, check=False)
    assert doctor.returncode == 1
    (problem,) = [line for line in doctor.stdout.splitlines() if line.startswith("PROBLEM: ") and str(spool) in line]
    assert word.removeprefix("chmod 700") in problem
    assert everything(tmp_path) == before


def everything(path: Path) -> list[tuple[str, int]]:
    return sorted((str(each), each.lstat().st_mode) for each in path.rglob("*"))


# -- files in a directory that is ours


@pytest.fixture
def mine(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "victim"
    path.write_bytes(b"precious\n" * 1000)
    yield path
    assert path.read_bytes() == b"precious\n" * 1000
    assert path.stat().st_nlink <= 2


@pytest.mark.parametrize("how", [os.symlink, os.link])
@pytest.mark.parametrize(
    "name",
    [
        f"python-{STEM}.000000.ndjson",
        "rings/1-ab.ring",
        "rings/recover.lock",
        "rings/1-ab.0000.part",
        "digest.key",
        "files.sha256",
        "bytecode.sha256",
        ".sweep",
    ],
)
def test_no_file_of_somebody_else_is_written_read_or_cut(
    mine: Spool, victim: Path, how: Callable[[Path, str], None], name: str
) -> None:
    how(victim, f"{mine.path}/{name}")
    for step in (
        mine.digest_key,
        lambda: mine.due(60),
        mine.recover,
        mine.sweep,
        lambda: mine.append(STEM, 0, 0, b"x\n"),
    ):
        # Refused where the file matters, passed over where it does not.
        with contextlib.suppress(OSError, SpoolError):
            step()
    shown = call(victim.parent, "show", "--spool", mine.path)
    assert b"precious" not in shown.stdout + shown.stderr


@root_only
def test_a_directory_that_was_exchanged_gets_no_event(tmp_path: Path) -> None:
    """Who owns the directory above can put another in place of ours, with a file of the right name in it."""
    spool = new_spool(tmp_path)
    assert spool.append(STEM, 0, 0, b"first\n")
    os.rename(spool.path, spool.path + ".old")
    os.mkdir(spool.path, 0o700)
    trap = Path(spool.path, f"python-{STEM}.000000.ndjson")
    trap.write_bytes(b"first\n")
    for each in (trap, spool.path):
        os.chown(each, NOBODY, -1)
    with pytest.raises(Exception, match="belongs to user 12345"):
        spool.append(STEM, 0, 6, b"second\n")
    assert trap.read_bytes() == b"first\n"
