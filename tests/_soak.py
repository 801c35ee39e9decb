"""A stdio server under the sensor at the highest call rate the machine gives; what that does to the server.

The client is a pipe: it keeps a window of requests under way and never waits for anything else, so that the server is
what limits the rate.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING, Any

from _peers import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _peers import Peer

WINDOW = 16  # requests under way
SAMPLES = 50


@dataclass
class Soak:
    """What was measured; the lists have ``SAMPLES`` members each, evenly spread over the run."""

    calls: int = 0
    seconds: float = 0
    resident: list[int] = field(default_factory=list)
    """KiB that the server has in memory, without the pages of files, which the ring's are."""
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    spooled: list[int] = field(default_factory=list)
    """Bytes of all segments."""
    turns: list[float] = field(default_factory=list)
    """Seconds in which ``WINDOW`` requests were answered."""
    spent: list[tuple[int, int]] = field(default_factory=list)
    """Calls so far, and nanoseconds of CPU that all threads of the server have had."""

    @property
    def slower(self) -> float:
        """What a call costs in the last fifth of the run by what it costs in the first; the machine may be busy."""
        pairs = list(zip(self.spent, self.spent[1:], strict=False))
        costs = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairs if after[0] > before[0]]
        fifth = len(costs) // 5
        return median(costs[-fifth:]) / median(costs[:fifth])

    @property
    def grown(self) -> int:
        """KiB by which memory grew after the first third, in which caches fill."""
        rest = self.resident[len(self.resident) // 3 :]
        half = len(rest) // 2
        return round(median(rest[half:]) - median(rest[:half]))

    def __str__(self) -> str:
        micro = median(self.turns) / WINDOW * 1e6
        tenth = len(self.turns) // 10
        waited = median(self.turns[-tenth:]) / median(self.turns[:tenth])
        return (
            f"{self.calls} calls in {self.seconds:.0f} s ({self.calls / self.seconds:.0f}/s, {micro:.0f} us each), "
            f"resident {self.resident[len(self.resident) // 3]} -> {self.resident[-1]} KiB (grown {self.grown}), "
            f"descriptors {min(self.descriptors)}-{max(self.descriptors)}, threads {max(self.threads)}, "
            f"last tenth by first {waited:.2f} in wall time, {self.slower:.2f} in CPU time, "
            f"spool at most {max(self.spooled) / 2**20:.1f} MiB"
        )


def soak(peer: Peer, env: Mapping[str, str], spool: Path, seconds: float) -> Soak:
    """Call the example server for that long; it ends cleanly."""
    found = Soak()
    command = [str(peer.python), str(EXAMPLES / "server.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=dict(env), cwd=peer.directory, stdin=pipe, stdout=pipe) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        _greet(server.stdin, server.stdout)
        begin = time.monotonic()
        next_sample = begin
        for request in _requests():
            before = time.monotonic()
            if before >= next_sample:
                _sample(found, server.pid, spool)
                next_sample += seconds / SAMPLES
                if before - begin >= seconds:
                    break
                before = time.monotonic()
            server.stdin.write(request)
            server.stdin.flush()
            for _ in range(WINDOW):
                answer = server.stdout.readline()
                assert b'"isError":false' in answer, answer
            found.turns.append(time.monotonic() - before)
            found.calls += WINDOW
        found.seconds = time.monotonic() - begin
        server.stdin.close()
        assert server.stdout.read() == b""
    assert server.returncode == 0
    return found


def _greet(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    client = {"name": "soak", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    stdin.write(_line(id=0, method="initialize", params=params))
    stdin.flush()
    assert b'"result"' in stdout.readline()
    stdin.write(_line(method="notifications/initialized"))


def _requests() -> Iterator[bytes]:
    """Ever new windows of calls, no two alike."""
    number = 0
    while True:
        lines = []
        for _ in range(WINDOW):
            number += 1
            params = {"name": "add", "arguments": {"a": number, "b": number % 7}}
            lines.append(_line(id=number, method="tools/call", params=params))
        yield b"".join(lines)


def _line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


def _sample(found: Soak, pid: int, spool: Path) -> None:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found.resident.append(int(status["RssAnon"].split()[0]))
    found.threads.append(int(status["Threads"]))
    found.descriptors.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
    found.spent.append((found.calls, sum(map(_nanoseconds, Path(f"/proc/{pid}/task").iterdir()))))
    found.spooled.append(sum(map(_size, spool.glob("*.ndjson"))))


def _nanoseconds(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[0])
    except FileNotFoundError:  # the thread ended just now
        return 0


def _size(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:  # retention, just now
        return 0
