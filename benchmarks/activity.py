"""What processes, files, imports and audit events cost: CPU time of the work alone, without and with the sensor.

Run with the interpreter of an environment that has bluerock-hooks::

    python benchmarks/activity.py [PAIRS]
"""

from __future__ import annotations

import sys

from _paired import median, need_installed, pairs, shifted, spread

MEASURE = """
import os, resource, sys, time
def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # os.times() counts in steps of 10 ms
    return time.process_time() + children.ru_utime + children.ru_stime
"""

# Within a request, as its handler is; without the sensor nothing.
REQUEST = """
if os.environ.get("BLUEROCK_ENABLE") == "1":
    from bluerock_hooks import _bootstrap, events
    from bluerock_hooks.hooks import _attribution
    _bootstrap.sensor().prepare()
    _attribution.enter(events.Span("tools/call", "tool", 1, None, "0123456789abcdef", None, 0))
"""

SPAWNS = """
import subprocess
begin = cpu()
for _ in range({count}): subprocess.run({command})
print(cpu() - begin)
"""

OPENS = """
import tempfile, shutil
place = tempfile.mkdtemp()
names = [f"{{place}}/{{n % {different}}}" for n in range(10_000)]
for name in names: open(name, "w").close()
begin = cpu()
for name in names: open(name).close()
print(cpu() - begin)
shutil.rmtree(place)
"""

IMPORT = """
begin = cpu()
import asyncio
print(cpu() - begin)
"""

AUDIT = """
begin = cpu()
for _ in range(1_000_000): sys.audit("benchmark.nobody", 1, 2)
print(cpu() - begin)
"""


def row(title: str, code: str, count: int, work: int, **variables: str) -> None:
    """Measure and print one row; ``work`` is how many of the thing the code does."""

    def command(number: int) -> list[str]:
        return [sys.executable, "-c", MEASURE + shifted(code, number)]

    found = [(float(a.output), float(b.output)) for a, b in pairs(command, count, BLUEROCK_ENABLE="1", **variables)]
    bare = median([a for a, _ in found]) / work * 1e6
    added = median([b - a for a, b in found]) / work * 1e6
    print(
        f"{title:44s} bare {bare:9.2f} us  added {added:+8.2f} us  ratio {spread([b / a for a, b in found])}",
        flush=True,
    )


def main() -> None:
    """All rows."""
    need_installed()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    row("an audit event that nobody wants", AUDIT, count, 1_000_000)
    row("import asyncio, imports not recorded", IMPORT, count, 1, BLUEROCK_IMPORTS="off")
    row("import asyncio", IMPORT, count, 1)
    spawns = SPAWNS.format(count=1000, command=["/bin/true"])  # the smallest program there is
    row("1,000 spawns and their ends", spawns, max(count // 4, 5), 1000)
    shells = SPAWNS.format(count=1000, command=["/bin/sh", "-c", "/bin/true; exit 0"])
    row("1,000 spawns of a shell that starts one", shells, max(count // 4, 5), 1000)
    row("10,000 opens of 100 files", OPENS.format(different=100), count, 10_000)
    row("10,000 opens of 100 files, in a request", REQUEST + OPENS.format(different=100), count, 10_000)
    row("10,000 opens of 10,000 files, in a request", REQUEST + OPENS.format(different=10_000), count, 10_000)
    row("1,000 spawns and their ends, in a request", REQUEST + spawns, max(count // 4, 5), 1000)


if __name__ == "__main__":
    main()
