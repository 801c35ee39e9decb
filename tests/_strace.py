"""What strace says of processes and connects: a witness outside of Python, that knows nothing of hooks."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from _peers import missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE = re.compile(r"^(\d+) +(?:(\w+)\(|<\.\.\. (\w+) resumed>)(.*)$", re.S)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TO = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_RESULT = re.compile(r"\) += (-?\d+)")


class Exec(NamedTuple):
    """A program that runs: in which process, and its arguments."""

    pid: int
    argv: list[str]


class Trace(NamedTuple):
    """Programs that were started, which thread made which process, and who connected to which port."""

    execs: list[Exec]
    makers: dict[int, int]
    connects: list[tuple[int, str, int]]


def command(log: Path) -> list[str]:
    """What to put before a command; skips the test, loudly, where there is no strace that works."""
    program = shutil.which("strace")
    if program is None:
        missing("strace (apt-get install strace)")
    calls = "trace=execve,connect,fork,vfork,clone,clone3"
    return [str(program), "-f", "-q", "-o", str(log), "-s", "4096", "-e", calls, "-e", "signal=none"]


def read(log: Path) -> Trace:
    """All of a finished trace."""
    execs, makers, connects = [], {}, []
    for pid, call, text in _calls(log):
        result = _RESULT.search(text)
        value = int(result[1]) if result else -1
        if call == "execve" and value == 0:
            execs.append(Exec(pid, _argv(text)))
        elif call == "connect" and (to := _TO.search(text)):
            connects.append((pid, to[2], int(to[1])))
        elif call in ("fork", "vfork", "clone", "clone3") and value > 0 and "CLONE_THREAD" not in text:
            makers[value] = pid
    return Trace(execs, makers, connects)


def _calls(log: Path) -> Iterator[tuple[int, str, str]]:
    """``(thread, call, everything behind its name)``, with calls put together that others interrupted."""
    begun: dict[int, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        piece = _PIECE.match(line)
        if piece is None:
            continue
        pid, rest = int(piece[1]), piece[4]
        if piece[2] and rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
        else:
            yield pid, piece[2] or piece[3], rest if piece[2] else begun.pop(pid, "") + rest


def _argv(text: str) -> list[str]:
    first, last = text.index("["), text.rindex("]")
    words = [match[1] for match in _TEXT.finditer(text[first:last])]
    return [word.encode().decode("unicode_escape") for word in words]
