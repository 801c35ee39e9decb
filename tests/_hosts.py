"""Programs that fork, thread, die and end in every way, run without the sensor and with it.

A program calls ``act(number, who)``, which opens a file that is not there: one event, told by the audit hook, and none
where there is no sensor. What it prints and how it ends must be the same in both runs; what each of its processes says
it did (``did``, also from a process that dies next) must be in the spool, once, under that process's pid. Acts with
the number -1 are not counted.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _peers import SUPPORTED, read_spool

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from _peers import Peer

PYTHONS = (*SUPPORTED, "3.14")


def on_every_python(names: Iterable[str]) -> list[Any]:
    """``(name, python)`` of each program and interpreter: in every run a program has one, all with ``-m stress``."""
    return [
        pytest.param(name, python, marks=() if place == index % len(PYTHONS) else pytest.mark.stress)
        for index, name in enumerate(names)
        for place, python in enumerate(PYTHONS)
    ]


PRELUDE = """\
import json, os, signal, sys, threading, time
REPORT = os.environ["REPORT"]
def act(number, who="main"):
    try:
        os.open("/nonexistent/%d/%s/%d" % (os.getpid(), who, number), os.O_RDONLY)
    except OSError:
        pass
def did(count, who="main"):
    fd = os.open(REPORT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(fd, json.dumps([os.getpid(), who, count]).encode() + b"\\n")
    os.close(fd)
def acts(count, who="main"):
    for number in range(count):
        act(number, who)
    did(count, who)
"""

# Doers that interrupt themselves: the second act is complete before the first.
INTERRUPTING = ("handler", "finaliser", "collection")

Doings = Counter[tuple[int, str]]


class Run:
    """A finished program: what it did, and what is recorded of it."""

    def __init__(
        self, done: subprocess.CompletedProcess[str], said: Doings, lines: list[dict[str, Any]], drained: int
    ) -> None:
        self.done = done
        self.drained = drained
        """Events that were in segments before what was left was recovered."""
        self.said = said
        """How many acts by process and doer, as the program says."""
        self.lines = lines
        self.acts: dict[tuple[int, str], list[int]] = {}
        """The numbers that are recorded, in the order of the process's events."""
        self.folded: dict[tuple[int, str], list[int]] = {}
        """Acts that were told together as ``/*``: what comes amid the 256th finds the table of paths full."""
        for line in sorted(lines, key=lambda line: line["event"]["meta"]["source_event_id"]):
            path = str(line["event"].get("path", ""))
            if path.startswith("/nonexistent/") and not path.endswith("/-1"):
                self._told(line["event"], *path.split("/")[2:])

    def _told(self, event: dict[str, Any], pid: str, who: str, number: str) -> None:
        assert event["context"]["process"]["pid"] == int(pid)
        if number != "*":
            assert "count" not in event
            self.acts.setdefault((int(pid), who), []).append(int(number))
            return
        counts = self.folded.setdefault((int(pid), who), [])
        if "count" in event and counts:  # of the same, once more
            counts[-1] = event["count"]
        else:
            counts.append(event.get("count", 1))

    def check(self) -> None:
        """Everything once, in the order of each doer, under the right pid; every process has one identity."""
        for doer in self.said.keys() | self.acts.keys():
            wanted, found = list(range(self.said[doer])), self.acts.get(doer, [])
            lost = sorted(set(wanted) - set(found))
            assert len(lost) == sum(self.folded.get(doer, ())), f"{doer}: lost {lost[:9]} of {len(wanted)}"
            wanted = sorted(set(wanted) - set(lost))
            if doer[1] in INTERRUPTING:
                found.sort()
            more = sorted((Counter(found) - Counter(wanted)).elements())
            assert found == wanted, f"{doer}: more than once {more[:9]} of {len(wanted)}, or in another order"
        identities = Counter(
            (line["event"]["meta"]["component_id"], line["event"]["meta"]["source_event_id"]) for line in self.lines
        )
        assert [key for key, times in identities.items() if times > 1] == []


def play(
    peer: Peer,
    code: str,
    directory: Path,
    env: Mapping[str, str],
    *options: str,
    failures: bool = False,
    **more: str,
) -> Run:
    """Run ``code`` without the sensor and with it, and compare; ``env`` is the one with it.

    ``failures``: some of ours are expected.
    """
    runs = []
    for on in (False, True):
        here = directory / ("with" if on else "without")
        here.mkdir()
        (here / "program.py").write_text(PRELUDE + code)
        switch = {"BLUEROCK_FILES": "all"} if on else {"BLUEROCK_ENABLE": "0"}
        runs.append(
            peer.run(
                "python",
                *options,
                "program.py",
                env={**env, "REPORT": str(here / "report"), **switch, **more},
                cwd=here,
                check=False,
                timeout=100,
            )
        )
    off, on_ = runs
    with_us, without = ((done.returncode, done.stdout, done.stderr) for done in (on_, off))
    assert with_us == without, f"{with_us}\ninstead of\n{without}"
    spool = Path(env["BLUEROCK_SPOOL_DIR"])
    drained = sum(segment.read_bytes().count(b"\n") for segment in spool.glob("*.ndjson"))
    return Run(on_, reported(directory / "with" / "report"), read_spool(spool, failures=failures), drained)


def reported(path: Path) -> Doings:
    """What the processes of a program say they did."""
    found: Doings = Counter()
    for line in path.read_text().splitlines() if path.exists() else ():
        pid, who, count = json.loads(line)
        found[pid, who] += count
    return found
