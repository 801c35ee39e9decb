"""Runs test modules as their authors do, each as the main program of a process of its own, and writes JUnit XML.

Usage: ``python _unittests.py REPORT PACKAGE|MODULE ...`` with the Python that has them; of a package, all ``test_*``
modules. A test is what ``unittest`` says it is; how the process of a module ended is one more.
"""

from __future__ import annotations

import functools
import importlib.util
import runpy
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

PATIENCE = 240  # seconds a module may take
TOLD = {
    "addSuccess": "passed",
    "addError": "error",
    "addFailure": "failure",
    "addSkip": "skipped",
    "addExpectedFailure": "skipped",
    "addUnexpectedSuccess": "failure",
}


def main(report: str, names: list[str]) -> None:
    """Run them all."""
    suite = ElementTree.Element("testsuite")
    for module in (module for name in names for module in _modules(name)):
        print(f"== {module}", flush=True)
        with tempfile.NamedTemporaryFile() as told:
            command = [sys.executable, __file__, "--one", told.name, module]
            try:
                status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=PATIENCE).returncode
            except subprocess.TimeoutExpired:
                status = "too late"
            lines = Path(told.name).read_text().splitlines()
        for line in [*lines, f"{'passed' if status == 0 else 'failure'} ends with {status}"]:
            outcome, _, test = line.partition(" ")
            case = ElementTree.SubElement(suite, "testcase", classname=module, name=test)
            if outcome != "passed":
                ElementTree.SubElement(case, outcome)
    ElementTree.ElementTree(suite).write(report)


def one(told: str, module: str) -> None:
    """Run one, as the main program of this process; write outcome and id of each test to ``told``."""
    with Path(told).open("a", buffering=1) as lines:
        for name, outcome in TOLD.items():
            setattr(unittest.TestResult, name, _telling(getattr(unittest.TestResult, name), outcome, lines.write))
        sys.argv[:] = [module]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _telling(original: Any, outcome: str, write: Any) -> Any:
    @functools.wraps(original)
    def add(result: Any, test: Any, *args: Any) -> Any:
        write(f"{outcome} {test.id()}\n")
        return original(result, test, *args)

    return add


def _modules(name: str) -> list[str]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        return [name]
    found = sorted(Path(spec.submodule_search_locations[0]).glob("test_*.py"))
    return [f"{name}.{path.stem}" for path in found]


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(*sys.argv[2:])
    else:
        main(sys.argv[1], sys.argv[2:])
