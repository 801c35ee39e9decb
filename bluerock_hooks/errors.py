"""The errors our own commands end with; the sensor itself never raises into its host."""

from __future__ import annotations


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
