"""What the sensor says on its own behalf: one clear line on stderr for a problem, and its log where asked for.

Never stdout, it is the transport of stdio servers. Descriptor 2 is written only while it is still the file it was when
the sensor started: a host that closes its standard streams may get the number back for a file of its own.
"""

from __future__ import annotations

import os

from . import _clock, _guard, _stdlib

_LEVELS = ("error", "info", "debug")


class Notice:
    """``notice(text)`` says a problem once a process; ``log(level, text)`` writes to the sensor's log, if there is one.

    ``log`` is ``""``, a level, or ``level:/absolute/file``.
    """

    def __init__(self, log: str = "") -> None:
        self._said: set[str] = set()
        self._stderr = _identity(2)
        level, _, self._log_file = log.partition(":")
        self._verbosity = _LEVELS.index(level) if level in _LEVELS else -1

    def __call__(self, text: str) -> None:
        """Say ``text`` on stderr, once. Never raises."""
        if text in self._said:
            return
        self._said.add(text)
        line = f"bluerock-hooks: {' '.join(text.split())}\n".encode("utf-8", "backslashreplace")
        if self._verbosity >= 0 and self._log_file:
            self.log("error", text)
        self._to_stderr(line)

    def log(self, level: str, text: str) -> None:
        """Write a diagnostic line, if the log asks for this level. Never raises."""
        if _LEVELS.index(level) > self._verbosity:
            return
        stamp = _clock.utc_text(_stdlib.time_ns())
        line = f"{stamp} {_stdlib.getpid()} bluerock-hooks {level}: {text}\n".encode("utf-8", "backslashreplace")
        if not self._log_file:
            self._to_stderr(line)
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = _stdlib.open_fd(self._log_file, flags, 0o600)
            try:
                if fd > 2:  # the host runs without its standard streams: this number is not ours to write on
                    _stdlib.write_fd(fd, line)
            finally:
                _stdlib.close_fd(fd)
        except OSError as exc:
            _guard.give_back(exc)
            return

    def _to_stderr(self, line: bytes) -> None:
        try:
            if self._stderr and _identity(2) == self._stderr:
                _stdlib.write_fd(2, line)
        except OSError as exc:
            _guard.give_back(exc)
            return


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = _stdlib.fstat(fd)
    except OSError as exc:
        _guard.give_back(exc)
        return None
    return found.st_dev, found.st_ino
