"""Runs every suite with the sensor off and on, and compares test by test.

Usage: ``python -m suites [--python 3.13] [WORD ...]``; words choose suites. Prints a line for each: its tests, those
that differ, processor time with the sensor over that without, and what was recorded. Exit status 0 if nothing differs
that ``projects`` does not know, 1 where something does, or where the sensor recorded nothing, lost something or failed
inside. Reports and logs stay in the cache of the peers, below ``suites``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _peers
import pytest

from .judge import judged
from .play import Stage, sdist
from .projects import DEFAULTS, EVERYTHING, NEWEST, PROJECTS, Project

if TYPE_CHECKING:
    from .play import Ran


def main(words: list[str]) -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(prog="suites", description="Suites of third parties, with the sensor off and on.")
    parser.add_argument("--python", default="3.11", help="the version of Python to use")
    parser.add_argument("words", nargs="*", help="what the names of the suites must have in them")
    chosen = parser.parse_args(words)
    os.environ.update(UV_EXCLUDE_NEWER=NEWEST, UV_COMPILE_BYTECODE="1")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        wheel = _peers.build_wheel()
    except pytest.skip.Exception as skipped:
        print(f"SKIPPED: {skipped}\n0 passed, 0 failed, {len(PROJECTS)} skipped")
        return 0
    for project in PROJECTS:
        if all(word in project.sdist for word in chosen.words):
            _play(project, wheel, chosen.python, counts)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return int(counts["failed"] > 0)


def _play(project: Project, wheel: Path, python: str, counts: dict[str, int]) -> None:
    results = _peers.CACHE / "suites" / f"{project.slug}-{python}"
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="suite-") as directory:
        began = time.monotonic()
        try:
            peer = _peers.peer(wheel, python, project.packages)
            stage = Stage(project, sdist(project), peer, Path(directory) / "stage", results)
            off = stage.run("off")
            _must_pass(off)
            for name, settings in (("on", DEFAULTS), ("everything", EVERYTHING))[: 1 + project.everything]:
                outcome, detail = judged(stage, off, name, settings)
                counts[outcome] += 1
                print(f"{project.sdist:18} {name:10} {time.monotonic() - began:5.0f} s  {detail}", flush=True)
                began = time.monotonic()
        except pytest.skip.Exception as skipped:
            counts["skipped"] += 1
            print(f"{project.sdist:18} SKIPPED: {skipped}", flush=True)
        except Exception as exc:
            counts["failed"] += 1
            print(f"{project.sdist:18} WRONG {type(exc).__name__}: {exc}", flush=True)


def _must_pass(off: Ran) -> None:
    """A suite that fails without the sensor says nothing."""
    passed = sum(outcome == "passed" for outcome in off.outcomes.values())
    if passed < len(off.outcomes) / 2:
        raise AssertionError(f"no result: {passed} of {len(off.outcomes)} tests pass without the sensor")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
