"""The errors our own commands end with; the sensor itself never raises into its host."""

from __future__ import annotations

import errno


class BluerockError(Exception):
    """Root of every error a command reports.

    ``message`` says what is wrong, ``hint`` what to try next; ``exit_code`` is the status the command ends with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(BluerockError):
    """The command line makes no sense."""

    exit_code = 2


class SpoolError(BluerockError):
    """The spool directory cannot be used: it is missing, not ours, a symlink, or open to others."""

    exit_code = 3


class RingError(BluerockError):
    """A ring file is not one of ours, or damaged beyond its header."""

    exit_code = 3


def reason_of(exc: OSError | BluerockError) -> str:
    """A few words on what is wrong."""
    return exc.message if isinstance(exc, BluerockError) else exc.strerror or str(exc)


def explain(path: str, exc: Exception) -> BluerockError:
    """What is wrong with the spool, and what to do about it."""
    if isinstance(exc, BluerockError):
        return exc
    if not isinstance(exc, OSError):
        return SpoolError(f"events cannot be stored in {path}: {type(exc).__name__}")
    hint = "set BLUEROCK_SPOOL_DIR to a directory this user can write to"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space, or set BLUEROCK_SPOOL_DIR to a directory that has some"
    elif exc.errno in (errno.ELOOP, errno.ENOTDIR):
        return SpoolError(f"{path} is a symbolic link or no directory", hint)
    elif exc.errno in (errno.EMFILE, errno.ENFILE):
        hint = "raise the limit of open files (ulimit -n)"
    return SpoolError(f"events cannot be stored in {path}: {exc.strerror or exc}", hint)
