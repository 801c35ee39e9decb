"""Names of rings and segments: ``<pid>-<unique>.ring``, ``python-<pid>-<unique>.<number>.ndjson``."""

from __future__ import annotations

RING = ".ring"
SEGMENT = ".ndjson"
_PREFIX = "python-"
_DIGITS = 6


def segment_name(stem: str, number: int) -> str:
    """The file name of one segment of a process."""
    return f"{_PREFIX}{stem}.{number:0{_DIGITS}d}{SEGMENT}"


def segment_parts(name: str) -> tuple[str, int] | None:
    """Stem and number of a segment's file name, None for any other name."""
    if not (name.startswith(_PREFIX) and name.endswith(SEGMENT)):
        return None
    stem, _, number = name[len(_PREFIX) : -len(SEGMENT)].rpartition(".")
    if not pid_of(stem) or len(number) < _DIGITS or not (number.isascii() and number.isdigit()):
        return None
    return stem, int(number)


def pid_of(stem: str) -> int:
    """The pid a stem names, 0 if it is none of our stems."""
    pid, _, unique = stem.partition("-")
    return int(pid) if unique and "." not in stem and pid.isascii() and pid.isdigit() else 0
