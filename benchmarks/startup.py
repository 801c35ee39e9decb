"""Start-up: CPU time and memory of a whole interpreter, bare, with the sensor off, on, and on with ``import mcp``.

Run with the interpreter of an environment that has bluerock-hooks (and mcp, for the last rows)::

    python benchmarks/startup.py [PAIRS]
"""

from __future__ import annotations

import importlib.util
import sys

from _paired import median, need_installed, pairs, spread

# The kernel's count of a finished child's peak starts with its parent's size at the fork: each child reads its own.
PEAK = "; print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
SPIN = "sum(range(3_000_000))"  # the ratio wants a program that does something, 40 ms or so


def row(title: str, code: str, count: int, **variables: str) -> None:
    """Measure and print one row."""
    # -I would drop the environment; -c keeps site, which is what is measured.
    found = pairs([sys.executable, "-c", code + PEAK], count, **variables)
    added = [(b.cpu - a.cpu) * 1000 for a, b in found]
    ratio = [b.cpu / a.cpu for a, b in found]
    memory = [(int(b.output) - int(a.output)) / 1024 for a, b in found]
    bare = median([a.cpu for a, _ in found]) * 1000
    print(
        f"{title:34s} bare {bare:7.1f} ms  added CPU {median(added):+7.2f} ms  ratio {spread(ratio)}"
        f"  peak {median(memory):+6.2f} MiB",
        flush=True,
    )


def main() -> None:
    """All rows."""
    need_installed()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    row("off (variable says 0)", "pass", count, BLUEROCK_ENABLE="0")
    row("on, no MCP", "pass", count, BLUEROCK_ENABLE="1")
    row("on, no MCP, some work", SPIN, count, BLUEROCK_ENABLE="1")
    if importlib.util.find_spec("mcp"):
        row("off, import mcp", "import mcp", max(count // 4, 5), BLUEROCK_ENABLE="0")
        row("on, import mcp", "import mcp, mcp.server", max(count // 4, 5), BLUEROCK_ENABLE="1")


if __name__ == "__main__":
    main()
