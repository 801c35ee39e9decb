"""Small file systems of several kinds, mounted for a while; a loud skip where that is not allowed."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import _peers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("tmpfs", "ext4", "overlay", "quota")
_POOL = 128 << 20  # the least that btrfs takes


@contextmanager
def mounted(place: Path, size: int, kind: str = "tmpfs", options: str = "mode=700") -> Iterator[Path]:
    """A directory below ``place`` that holds ``size`` bytes, more or less.

    ``ext4`` lies on a loop device, ``overlay`` on a tmpfs, and ``quota`` is a limit within a btrfs that has more room.
    """
    place.mkdir(exist_ok=True)
    mounts: list[Path] = []

    def mount(where: Path, *words: str) -> None:
        where.mkdir(exist_ok=True)
        _run("mount", *words, str(where))
        mounts.append(where)

    try:
        if kind == "tmpfs":
            mount(place, "-t", "tmpfs", "-o", f"size={size},{options}", "none")
            yield place
        elif kind == "ext4":
            image = _image(place, size)
            _run("mkfs.ext4", "-q", "-m", "0", "-b", "1024", "-O", "^has_journal", str(image))
            mount(place / "mount", "-o", "loop", str(image))
            yield place / "mount"
        elif kind == "overlay":
            mount(place / "below", "-t", "tmpfs", "-o", f"size={size}", "none")
            for name in ("lower", "upper", "work"):
                (place / "below" / name).mkdir()
            layers = ",".join(f"{name}dir={place}/below/{name}" for name in ("lower", "upper", "work"))
            mount(place / "mount", "-t", "overlay", "-o", layers, "none")
            yield place / "mount"
        else:
            image = _image(place, _POOL)
            _run("mkfs.btrfs", "-q", "-M", str(image))
            mount(place / "pool", "-o", "loop", str(image))
            _run("btrfs", "-q", "subvolume", "create", str(place / "pool" / "limited"))
            _run("btrfs", "quota", "enable", str(place / "pool"))
            _run("btrfs", "qgroup", "limit", str(size), str(place / "pool" / "limited"))
            yield place / "pool" / "limited"
    finally:
        for where in reversed(mounts):
            _unmount(where)


def _image(place: Path, size: int) -> Path:
    image = place / "image"
    with image.open("wb") as file:
        file.truncate(size)
    return image


def _run(*command: str) -> None:
    if not shutil.which(command[0]):
        _peers.missing(command[0])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        _peers.missing(f"{' '.join(command[:3])} ({done.stderr.strip()[-200:]})")


def _unmount(where: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", str(where)], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", str(where)], check=True)
