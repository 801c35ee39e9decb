"""The whole sweep: ``python -m matrix [WORD ...]`` plays every cell whose name has all the words, and prints a table.

Exit status 0 where every cell that could be played is right, 1 where one is not. What cannot be installed is skipped,
loudly.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import _peers
import pytest

from . import cells, compare, play


def main(words: list[str]) -> int:
    """Play, print, judge."""
    chosen = [cell for cell in (*cells.ALL, *cells.CROWDS) if all(word in str(cell) for word in words)]
    wheel = _peers.build_wheel()
    used: set[int] = set()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for cell in chosen:
        began = time.monotonic()
        outcome, detail = _play(cell, wheel, used)
        counts[outcome] += 1
        print(f"{cell!s:44} {time.monotonic() - began:5.1f} s  {detail}", flush=True)
    if not words:
        for number in sorted(set(range(len(compare.DIFFERENCES))) - used):
            counts["failed"] += 1
            print(f"NO CELL NEEDS THIS DIFFERENCE ANY MORE: {compare.DIFFERENCES[number].reason}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return int(counts["failed"] > 0)


def _play(cell: cells.Cell, wheel: Path, used: set[int]) -> tuple[str, str]:
    """Outcome and the line that says it."""
    try:
        peer = _peers.peer(wheel, cell.python, cell.packages)
        with tempfile.TemporaryDirectory() as directory:
            lit, dark = play.lit(cell, peer, Path(directory)), play.dark(cell, peer, Path(directory))
        problems = compare.problems(cell, lit, dark, used)
    except pytest.skip.Exception as skipped:
        return "skipped", f"SKIPPED: {skipped}"
    except Exception as exc:
        problems = [f"{type(exc).__name__}: {exc}"]
    if problems:
        return "failed", "\n    ".join(["WRONG", *problems])
    events = len(_peers.named(lit.events, "python_mcp_event"))
    return "passed", f"{len(lit.wire):5} messages, {events:5} events"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
