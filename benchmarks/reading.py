"""What the readers cost on a full spool: CPU time, and the peak of memory, of commands on one that is made here.

It repeats a recorded conversation: one client and one server that live for hours, one Python child for each round. Run
with the interpreter of an environment that has bluerock-hooks::

    python benchmarks/reading.py [MIB]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent.parent / "tests" / "unit" / "traced.ndjson"
ROUND = timedelta(seconds=7)
SEGMENT = 16 << 20
COMMANDS = (["trace"], ["trace", "publish"], ["trace", "all"], ["stats"], ["show"])


def conversation() -> list[dict[str, Any]]:
    """The second of the recorded ones."""
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    starts = [line["ts"] for line in lines if line["event"]["meta"]["name"] == "sensor_startup"]
    return [line for line in lines if line["ts"] >= sorted(starts)[3]]


class Writer:
    """Segments of a spool, as the sensor names them."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.size = self.events = 0
        self._numbers: dict[str, int] = {}
        self._sizes: dict[str, int] = {}

    def write(self, line: dict[str, Any]) -> None:
        event = line["event"]
        component = event["meta"]["component_id"]
        event["meta"]["source_event_id"] = self._numbers[component] = self._numbers.get(component, 0) + 1
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        written = self._sizes[component] = self._sizes.get(component, 0) + len(text)
        stem = f"python-{event['context']['process']['pid']}-{component.replace('-', '')[-16:]}"
        with (self.spool / f"{stem}.{written // SEGMENT:06d}.ndjson").open("a", encoding="utf-8") as file:
            file.write(text)
        self.size += len(text)
        self.events += 1


def again(line: dict[str, Any], number: int, lasting: set[str]) -> dict[str, Any] | None:
    """The line of the round ``number``: other ids, other times, another child."""
    line = json.loads(json.dumps(line))
    event = line["event"]
    name, component = event["meta"]["name"], event["meta"]["component_id"]
    if component in lasting and (
        name == "sensor_shutdown" or (number and name.startswith(("sensor_", "python_mcp_s")))
    ):
        return None
    for part in (event, event["context"].get("mcp", {})):
        for member in ("span_id", "parent_span_id", "spawn_id"):
            if member in part:
                part[member] = f"{part[member][:8]}{int(part[member][8:], 16) + 1000 * number:08x}"
        for member in ("id", "request_id"):
            if isinstance(part.get(member), int):
                part[member] += 1000 * number
    if component not in lasting:
        event["meta"]["component_id"] = f"{component[:-6]}{number:06x}"
    if component not in lasting or name.startswith("python_process_"):
        if "start" in event:
            event["start"] += number
        for ancestor in event.get("ancestors", ())[:1]:
            ancestor["start"] += number
    at = datetime.fromisoformat(line["ts"].rstrip("Z")) + ROUND * number
    line["ts"] = at.isoformat(timespec="microseconds") + "Z"
    return line


def make(spool: Path, size: int) -> Writer:
    """A spool of ``size`` bytes."""
    lines, writer, number = conversation(), Writer(spool), 0
    first = [
        line["event"]["meta"]["component_id"] for line in lines if line["event"]["meta"]["name"] == "sensor_startup"
    ]
    while writer.size < size:
        for line in lines:
            changed = again(line, number, set(first[:2]))
            if changed is not None:
                writer.write(changed)
        number += 1
    for path in spool.iterdir():
        path.chmod(0o600)
    return writer


def measure(spool: Path, words: list[str]) -> tuple[float, int]:
    """CPU seconds, and the peak in MiB, of one command."""
    code = (
        "import resource, sys; from bluerock_hooks.cli import main; main(sys.argv[1:]);"
        "used = resource.getrusage(resource.RUSAGE_SELF);"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *words, "--spool", str(spool)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    seconds, peak = done.stderr.split()[-2:]
    return float(seconds), int(peak) >> 10


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with tempfile.TemporaryDirectory() as directory:
        spool = Path(directory, "spool")
        spool.mkdir(mode=0o700)
        made = make(spool, size << 20)
        print(f"{made.events:,} events, {made.size >> 20} MiB, {len(os.listdir(spool)):,} segments")
        for words in COMMANDS:
            seconds, peak = measure(spool, words)
            print(f"{' '.join(words):<16} {seconds:6.1f} s CPU {peak:6} MiB")


if __name__ == "__main__":
    main()
