"""Digests of files that some process of this spool has computed: most programs load the same files again and again.

A file is known again by device, inode, size and the times of its last change, ``ctime`` among them, which nobody can
set but by setting the clock. Where one of them differs, or the change is a moment old, the file is read.
"""

from __future__ import annotations

import os

from . import _digest, _guard, _stdlib
from .errors import BluerockError
from .ring._directory import Directory, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spool import Spool

_HEADER = 16  # bytes of a .pyc before its code
_FEW = 64  # pieces of code that are hashed before it is worth reading the list
_MOST = 4096  # files that are remembered: 400 KiB
_WORTH = 1 << 20  # bytes that were hashed in vain before it is worth writing the list again
_RACY_NS = 2_000_000_000  # a change within the same tick of the kernel's clock would go unnoticed


class Digests:
    """``of(path)`` is the SHA-256 of a file; ``remember()`` shares what was learned with other processes.

    ``name`` is the list's, in the spool.
    """

    def __init__(self, spool: Spool, name: str = "files.sha256") -> None:
        self._path = spool.path
        self._name = name
        self._known: dict[bytes, bytes] | None = None
        self._used: dict[bytes, bytes] = {}
        self._new: dict[bytes, bytes] = {}
        """Of them, what was hashed since the list was written."""
        self._hashed = 0
        self._asked = 0
        self._left: int | None = None
        self.unread = 0
        """How often a file was not read any more, because of ``bound``."""

    def bound(self, size: int) -> None:
        """Read no more than ``size`` bytes from now on, of files that nobody knows: somebody waits."""
        self._left = size

    def of(self, path: str) -> str | None:
        """64 hex digits, None where there is no regular file of this name."""
        try:
            state = _stdlib.stat(path)
        except (OSError, ValueError) as exc:
            _guard.give_back(exc)
            return None
        key, digest = self._look_up(state)
        if digest is not None:
            return digest
        if not self._may_read(state):
            return None
        found = _digest.file_digest(path)
        return None if found is None else self._learn(key, state, found[0].hexdigest())

    def of_code(self, path: str, code: bytes) -> str:
        """The SHA-256 of ``code``, which was read from the ``.pyc`` at ``path``."""
        self._asked += 1
        if self._asked > _FEW:
            try:
                state = _stdlib.stat(path)
            except (OSError, ValueError) as exc:
                _guard.give_back(exc)
            else:
                if state.st_size == len(code) + _HEADER:  # else it is another file by now
                    key, digest = self._look_up(state)
                    return digest or self._learn(key, state, _digest.sha256(code).hexdigest())
        return _digest.sha256(code).hexdigest()

    def _look_up(self, state: os.stat_result) -> tuple[bytes, str | None]:
        """What a file is known by, and its digest where it is known."""
        known = self._known
        if known is None:
            known = self._known = self._read()
        key = b"%d:%d:%d:%d:%d" % (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        digest = self._used.get(key) or known.get(key)
        if digest is None or len(digest) != 64:
            return key, None
        self._used[key] = digest
        return key, digest.decode("ascii")

    def _learn(self, key: bytes, state: os.stat_result, digest: str) -> str:
        self._hashed += state.st_size
        if _stdlib.time_ns() - state.st_ctime_ns >= _RACY_NS:
            self._used[key] = self._new[key] = digest.encode("ascii")
        return digest

    def _may_read(self, state: os.stat_result) -> bool:
        if self._left is None or state.st_mode & 0o170000 != 0o100000:
            return True
        if state.st_size > self._left:
            self.unread += 1
            return False
        self._left -= state.st_size
        return True

    def remember(self) -> None:
        """A burst is over: write the list where much of it is new, and keep nothing else in memory."""
        used, known = self._used, self._known or {}
        self._known = None
        if self._hashed < _WORTH and len(self._new) < _MOST:
            self._used = dict(self._new)
            return
        self._used, self._new, self._hashed = {}, {}, 0
        others = ((key, digest) for key, digest in known.items() if key not in used and len(digest) == 64)
        kept = [*used.items(), *others][:_MOST]
        try:
            self._write(b"".join(b"%b %b\n" % pair for pair in kept))
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)  # the next process hashes too

    def _read(self) -> dict[bytes, bytes]:
        try:
            with Directory(self._path) as directory:
                fd = directory.open(self._name, os.O_RDONLY)
                try:
                    content = _stdlib.read_fd(fd, _stdlib.fstat(fd).st_size)
                finally:
                    _stdlib.close_fd(fd)
        except (OSError, BluerockError) as exc:
            _guard.give_back(exc)
            return {}
        # A line each; in few steps, since there are thousands and a short process reads them, too.
        words = content.split()
        return dict(zip(words[::2], words[1::2], strict=False))

    def _write(self, content: bytes) -> None:
        name = f".{self._name}.{_stdlib.urandom(4).hex()}"
        with Directory(self._path) as directory:
            fd = directory.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_all(fd, content, 0)
                directory.rename(name, directory, self._name)
            except BaseException:  # a full disk, the host's signal handler: no remains
                directory.unlink(name)
                raise
            finally:
                _stdlib.close_fd(fd)
