"""SHA-256 without ``hashlib``: the fast one where the process has it loaded anyway, the small one elsewhere.

``hashlib`` brings OpenSSL: 2-4 ms and 3 MiB for a process that hashes nothing else, and then 2 GB/s; the built-in one
is there at once and does 0.4 GB/s.
"""

from __future__ import annotations

import os
import sys

from . import _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Hash(Protocol):
        def update(self, data: bytes | memoryview, /) -> None: ...
        def hexdigest(self) -> str: ...


_small: Callable[..., Hash]
try:
    _small = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
except ImportError:  # an interpreter that was built without hashes of its own
    from _hashlib import openssl_sha256 as _small

_PIECE = 1 << 18
_MUCH = 1 << 17  # bytes after which loading OpenSSL has paid for itself

_fast: Callable[..., Hash] | None = None
_done = 0


def sha256(data: bytes) -> Hash:
    """A hash object that holds ``data``."""
    global _fast, _done
    if _fast is None:
        module = sys.modules.get("_hashlib")
        if module is None:
            _done += len(data)
            return _small(data)
        _fast = module.openssl_sha256
    return _fast(data)


def prepare() -> None:
    """Load the fast one where the other has become the slower. It is an import: never in the drain thread."""
    if _fast is None and _done > _MUCH:
        try:
            import _hashlib  # noqa: F401
        except ImportError:
            return


def file_digest(path: str, *, whole: bool = False) -> tuple[Hash, bytes] | None:
    """The hash of a regular file, and its content where that is at most 256 KiB, or ``whole``; None where there is no
    such file."""
    try:
        fd = _stdlib.open_fd(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as exc:
        _guard.give_back(exc)
        return None
    try:
        state = _stdlib.fstat(fd)
        if state.st_mode & 0o170000 != 0o100000:
            return None
        content = _stdlib.read_fd(fd, state.st_size + 1 if whole else min(state.st_size + 1, _PIECE))
        found, offset = sha256(content), len(content)
        if len(content) == state.st_size:
            return found, content
        # In pieces that stay in the processor's cache between being read and being hashed.
        buffer = memoryview(bytearray(_PIECE))
        while size := _stdlib.preadv_fd(fd, [buffer], offset):
            found.update(buffer[:size])
            offset += size
        return found, b""
    except OSError as exc:
        _guard.give_back(exc)
        return None
    finally:
        _stdlib.close_fd(fd)
