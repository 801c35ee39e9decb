"""Says whether the sensor changed what a suite says."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import compare
from .play import tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .play import Ran, Stage, Tally

TRIES = 3
"""So often the modules of a test that differs run again, without and with the sensor."""


def judged(stage: Stage, off: Ran, name: str, settings: Mapping[str, str]) -> tuple[str, str]:
    """Run the suite of ``stage`` with the sensor and compare: outcome, and the words for it."""
    with _spool(stage, name) as spool:
        on = stage.run(name, _lit(spool, settings))
        recorded = tally(spool)
    different = compare.different(off.outcomes, on.outcomes)
    harmed, remarks = _again(stage, (off, on), different, name, settings)
    wrong = problems(recorded)
    if not different and on.status != off.status:
        wrong.append(f"the suite ends with {on.status}, not with {off.status}")
    line = (
        f"{compare.counts(on.outcomes)}, {len(different):2} differ ({harmed} harmed), CPU {on.cpu / off.cpu:.2f}x, "
        f"{recorded.events:7} events of {recorded.processes:4} processes"
    )
    said = "\n    ".join([line, *wrong, *remarks])
    return ("failed", f"WRONG {said}") if wrong or harmed else ("passed", said)


def _again(
    stage: Stage, first: tuple[Ran, Ran], different: set[str], name: str, settings: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Run the modules of what differs again: the number of tests that the sensor harms, and a line for each test."""
    unknown = sorted(test for test in different if not stage.project.reason(test))
    offs, ons = [first[0].outcomes], [first[1].outcomes]
    modules = sorted({compare.module(test) for test in unknown})
    for attempt in range(1, 1 + TRIES if modules else 1):
        offs.append(stage.run(f"off-again-{attempt}", modules=modules).outcomes)
        with _spool(stage, name) as spool:
            ons.append(stage.run(f"{name}-again-{attempt}", _lit(spool, settings), modules).outcomes)
    harmed = {test for test in unknown if compare.harmed(test, offs, ons)}
    remarks = [f"known: {test}: {stage.project.reason(test)}" for test in sorted(different.difference(unknown))]
    for test in unknown:
        verdict = "HARMED" if test in harmed else "by chance"
        remarks.append(f"{verdict}: {test}: off {compare.history(test, offs)}; on {compare.history(test, ons)}")
    return len(harmed), remarks


def problems(recorded: Tally) -> list[str]:
    """What must not be in a spool, and what must."""
    found = [f"swallowed: {what}" for what in recorded.swallowed]
    if recorded.dropped:
        found.append(f"{recorded.dropped} events dropped")
    if not recorded.events:
        found.append("nothing was recorded")
    return found


def _lit(spool: Path, settings: Mapping[str, str]) -> dict[str, str]:
    # The spool is read to its end: nothing of it may make room for more.
    return {"ENABLE": "1", "SPOOL_DIR": str(spool), "SPOOL_BYTES": "16g", **settings}


@contextmanager
def _spool(stage: Stage, name: str) -> Iterator[Path]:
    """An empty directory, for one run."""
    spool = stage.results / f"spool-{name}"
    shutil.rmtree(spool, ignore_errors=True)
    try:
        yield spool
    finally:
        shutil.rmtree(spool, ignore_errors=True)
