"""Paired runs: the same work without us and with us, in turn, so that a machine that drifts slows both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Cost(NamedTuple):
    """Of one finished process: user and system CPU seconds, and what it printed."""

    cpu: float
    output: str


def environment(spool: str, **variables: str) -> dict[str, str]:
    """The environment of a child: bytecode allowed, our variables as given, events under ``spool``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLUEROCK_", "PYTHONDONTWRITE", "PYTHONPATH"))}
    return {**kept, "BLUEROCK_SPOOL_DIR": f"{spool}/spool", **variables}


def run(command: Sequence[str], env: dict[str, str]) -> Cost:
    """Run to the end; a failure is an error, never a fast run."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, output)


def shifted(code: str, number: int) -> str:
    """A program that runs ``code`` on a stack that begins a little further on for each ``number``.

    CPython 3.11 and later map the stack of Python frames in pieces of 16 KB, and give a piece back when the last frame
    leaves it. Where that boundary lies among the frames of an import decides whether it happens 600 times in ``import
    pandas`` or 2,500 times, at some 10 us: more than we have to measure, and another number with each byte on the
    stack, ours or not. Pairs that begin at different places even that out.
    """
    names = "".join(f"v{n}=" for n in range(16 * (number % 8)))
    return f"def main():\n    {names}0\n{textwrap.indent(code, '    ')}\nmain()\n"


def pairs(
    command: Sequence[str] | Callable[[int], Sequence[str]], count: int, **variables: str
) -> list[tuple[Cost, Cost]]:
    """``(without, with)`` of ``count`` pairs after one warm-up of each; ``variables`` are the second's environment.

    ``command`` may be another one for each pair.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="bluerock-bench-") as spool:
        without, with_us = environment(spool), environment(spool, **variables)
        for number in range(count + 1):
            words = command(number) if callable(command) else command
            # Every other pair begins with the other one: what comes first warms the caches.
            if number % 2:
                pair = run(words, without), run(words, with_us)
            else:
                second = run(words, with_us)
                pair = run(words, without), second
            if number:
                found.append(pair)
    return found


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Median with the quartiles beside it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f}..{high:.3f})"


def need_installed() -> None:
    """Stop where this interpreter has no sensor to measure: the figures would be of nothing."""
    site = [Path(p) for p in sys.path if p.endswith("site-packages")]
    if not any((path / "bluerock_hooks.pth").exists() for path in site):
        raise SystemExit(f"{sys.executable} has no bluerock-hooks: pip install it, then run this with that interpreter")
