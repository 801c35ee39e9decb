"""Reading ``/proc``, in the host's own threads too."""

from __future__ import annotations

from . import _guard, _stdlib


def content(path: str) -> bytes:
    """All of a file of ``/proc``, which gives a page at a time; empty where it cannot be read."""
    try:
        fd = _stdlib.open_fd(path, 0x80000)  # O_RDONLY | O_CLOEXEC
    except OSError as exc:
        _guard.give_back(exc)
        return b""
    try:
        blocks = []
        while block := _stdlib.read_fd(fd, 65536):
            blocks.append(block)
        return b"".join(blocks)
    except OSError as exc:
        _guard.give_back(exc)
        return b""
    finally:
        _stdlib.close_fd(fd)
