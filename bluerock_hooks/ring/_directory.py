"""A directory of ours, held open: what ring and spool do with files goes through its descriptor.

Reaching files through a checked descriptor leaves nothing to planted links, changed roots or renamed parents; and
while the directory is open, no file of ours can get descriptor 0, 1 or 2, where the host's ``printf`` would write.
"""

from __future__ import annotations

import fcntl
import os

from .. import _stdlib
from ..errors import SpoolError

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_OTHERS_WRITE = 0o022


class Directory:
    """An existing directory that is ours alone to write. Use it in a ``with`` statement, briefly.

    OSError where it cannot be opened, SpoolError where it is not ours or others may write to it.
    """

    __slots__ = ("_low", "fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self._low: list[int] = []
        try:
            self._acquire()
            _check(path, _stdlib.fstat(self.fd))
        except BaseException:  # also the host's own, from a signal handler: no descriptor may stay behind
            self.close()
            raise

    def _acquire(self) -> None:
        while True:
            fd = _stdlib.open_fd(self.path, _OPEN)
            if fd > 2:
                self.fd = fd
                return
            # The host was started with closed standard streams. A directory takes the place meanwhile: nobody can
            # write to it.
            self._low.append(fd)

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptors back."""
        held, self._low = self._low, []
        fd, self.fd = self.fd, -1
        for each in (*held, fd):
            if each >= 0:
                _stdlib.close_fd(each)

    def open(self, name: str, flags: int, mode: int = 0o600, links: int = 1) -> int:
        """Open a regular file, for the caller to close. OSError; SpoolError if it is anything else, or has more names.

        A file that is made gets exactly ``mode``, whatever the umask.
        """
        fd = _stdlib.open_fd(name, flags | SAFELY, mode, dir_fd=self.fd)
        try:
            if fd <= 2:  # a thread of the host closed a standard stream just now
                fd = _above_standard_streams(fd)
            state = _stdlib.fstat(fd)
            if state.st_mode & 0o170000 != 0o100000 or state.st_nlink > links:
                raise SpoolError(f"{self.path}/{name} is no plain file", "remove it")
            if flags & os.O_CREAT and state.st_mode & 0o777 != mode:
                _stdlib.fchmod(fd, mode)
        except BaseException:  # as above: the descriptor is not ours to leak
            _stdlib.close_fd(fd)
            raise
        return fd

    def names(self) -> list[str]:
        """What is in it, sorted."""
        return sorted(_stdlib.listdir(self.fd))

    def stat(self, name: str) -> os.stat_result:
        """Of the entry itself; OSError where there is none."""
        return _stdlib.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def unlink(self, name: str) -> bool:
        """Remove a file; False where it was gone already."""
        try:
            _stdlib.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def link(self, name: str, new: str) -> None:
        """Give a file a second name, unless that name is taken."""
        try:
            _stdlib.link(name, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except FileExistsError:
            return

    def rename(self, name: str, to: Directory, new: str) -> None:
        """Move a file over whatever has the new name."""
        _stdlib.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=to.fd)


def make(path: str) -> None:
    """Make ``path`` and the missing parents, 0700 each. OSError where that fails."""
    missing = []
    while path not in ("/", ""):
        try:
            _stdlib.stat(path)
            break
        except FileNotFoundError:
            missing.append(path)
        path = path.rstrip("/").rpartition("/")[0]
    for each in reversed(missing):
        try:
            _stdlib.mkdir(each, 0o700)
        except FileExistsError:
            continue
        if _stdlib.lstat(each).st_mode & 0o700 != 0o700:  # a umask that takes from the owner too
            _stdlib.chmod(each, 0o700)


def write_all(fd: int, blob: bytes, offset: int) -> None:
    """Write every byte at ``offset``, however often the kernel stops short. OSError."""
    done = _stdlib.pwrite_fd(fd, blob, offset)
    while done < len(blob):
        done += _stdlib.pwrite_fd(fd, blob[done:], offset + done)


def random_bytes(directory: Directory, name: str, size: int) -> bytes:
    """What the file holds, the same for everybody. OSError, SpoolError.

    It is made under another name, so that nobody ever reads half of it.
    """
    for _ in range(2):
        try:
            fd = directory.open(name, os.O_RDONLY, links=2)  # while it is offered it has two names
        except FileNotFoundError:
            _offer(directory, name, size)
            continue
        try:
            found = _stdlib.read_fd(fd, size)
        finally:
            _stdlib.close_fd(fd)
        if len(found) == size:
            return found
        break
    raise SpoolError(f"{directory.path}/{name} is damaged", "remove it")


def _offer(directory: Directory, name: str, size: int) -> None:
    part = f".{name}.{_stdlib.urandom(4).hex()}"
    fd = directory.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(fd, _stdlib.urandom(size), 0)
        directory.link(part, name)
    finally:
        _stdlib.close_fd(fd)
        directory.unlink(part)


def _above_standard_streams(fd: int) -> int:
    above = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    _stdlib.close_fd(fd)
    return above


def _check(path: str, state: os.stat_result) -> None:
    if state.st_uid != _stdlib.geteuid():
        raise SpoolError(f"{path} belongs to user {state.st_uid}", "set BLUEROCK_SPOOL_DIR to a directory of your own")
    if state.st_mode & _OTHERS_WRITE:
        raise SpoolError(f"others may write to {path}", f"chmod 700 {path}")
