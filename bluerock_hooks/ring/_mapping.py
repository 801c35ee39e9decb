"""A file mapped for good, without a descriptor of ours that stays open."""

from __future__ import annotations

import mmap
import sys
from zlib import decompressobj

from .. import _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import stat_result
    from typing import Any

__all__ = ["shared"]


def shared(fd: int, size: int) -> mmap.mmap:
    """The first ``size`` bytes of a file of ours, shared; OSError. It is never unmapped, not even at the end."""
    if sys.version_info >= (3, 13):
        mapping: Any = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, trackfd=False)
        _immortal.append(mapping)
        return mapping  # type: ignore[no-any-return]
    # Up to 3.12 a mapping opens a copy of its descriptor, and closes that number when it is freed: by then it may be
    # the host's. So the copy is closed at once, and the mapping must outlive the interpreter, which frees whatever it
    # can reach: a circle through an object of C that the collector does not look into is out of its reach.
    expected = _stdlib.dup(fd)
    _stdlib.close_fd(expected)
    mapping = _Mapping(fd, size, flags=mmap.MAP_SHARED)
    mapping.holder = decompressobj(zdict=mapping)
    _close_copy(fd, expected)
    return mapping


class _Mapping(mmap.mmap):
    holder: object


_immortal: list[mmap.mmap] = []


def _close_copy(fd: int, expected: int) -> None:
    """Close the other descriptor of this file, most likely ``expected``."""
    try:
        file = _stdlib.fstat(fd)
        if not _closed(expected, fd, file):
            for name in _stdlib.listdir("/proc/self/fd"):
                if _closed(int(name), fd, file):
                    return
    except OSError as exc:
        _guard.give_back(exc)
        return  # it stays, and nobody closes it


def _closed(number: int, fd: int, file: stat_result) -> bool:
    try:
        state = _stdlib.fstat(number)
    except OSError as exc:
        _guard.give_back(exc)
        return False
    if number == fd or (state.st_ino, state.st_dev) != (file.st_ino, file.st_dev):
        return False
    _stdlib.close_fd(number)
    return True
