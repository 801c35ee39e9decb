"""What recording imports costs: ``import pandas, mcp, httpx``, bare and with the sensor, in the host's threads, in all.

Run with the interpreter of an environment that has bluerock-hooks, pandas, mcp and httpx::

    python benchmarks/imports.py [PAIRS]

The host's threads (numpy has some of its own) pay for the recording of an import. The rest (digests, distributions) is
the drain thread's where there is one, which is where MCP has a connection, and is done at exit in other processes.
"""

from __future__ import annotations

import sys

from _paired import Cost, median, need_installed, pairs, shifted, spread

IMPORTS = "import pandas, mcp, mcp.server, httpx\n"
FEW = "import json, http.client, email.message, asyncio, logging, sqlite3, xml.etree.ElementTree\n"
# A connection wants the drain thread, which the next event starts; then it has the time that it has in a server.
CONNECTION = """
import sys, time
from mcp.server.lowlevel import Server
Server("first")
boot = sys.modules.get("bluerock_hooks._bootstrap")
if boot and boot.sensor():
    boot.sensor().connected()
Server("second")
time.sleep(2.5)
"""
TOLD = """
import sys
boot = sys.modules.get("bluerock_hooks._bootstrap")
thread = boot and boot.sensor() and boot.sensor().recorder._draining.thread
print(int(open(f"/proc/self/task/{thread._tid}/schedstat").read().split()[0]) / 1e9 if thread else 0)
"""


def host(cost: Cost) -> float:
    """CPU seconds of all threads but ours, from the first instruction to the last."""
    return cost.cpu - float(cost.output)


def row(title: str, code: str, count: int, **variables: str) -> None:
    """Measure and print one row."""

    def command(number: int) -> list[str]:
        return [sys.executable, "-c", shifted(code, number) + TOLD]

    found = pairs(command, count, **{"BLUEROCK_ENABLE": "1", **variables})
    print(
        f"{title:44s} bare {median([a.cpu for a, _ in found]) * 1000:7.1f} ms"
        f"  host's threads {spread([host(b) / host(a) for a, b in found])}"
        f"  all {spread([b.cpu / a.cpu for a, b in found])}"
        f"  added {median([b.cpu - a.cpu for a, b in found]) * 1000:+7.1f} ms",
        flush=True,
    )


def main() -> None:
    """All rows."""
    need_installed()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    row("standard library, imports off", FEW, count, BLUEROCK_IMPORTS="off")
    row("standard library", FEW, count)
    row("pandas, mcp, httpx, imports off", IMPORTS, count, BLUEROCK_IMPORTS="off")
    row("pandas, mcp, httpx", IMPORTS, count)
    row("pandas, mcp, httpx, a connection, imports off", IMPORTS + CONNECTION, count, BLUEROCK_IMPORTS="off")
    row("pandas, mcp, httpx, a connection", IMPORTS + CONNECTION, count)


if __name__ == "__main__":
    main()
