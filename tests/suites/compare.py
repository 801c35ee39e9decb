"""What a suite said of each of its tests, and whether the sensor changed it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Outcomes = dict[str, str]
"""Test -> ``passed``, ``failure``, ``error``, ``skipped`` or ``xfailed``; two of them with a ``+``."""

ABSENT = "absent"
"""The outcome of a test that the other run had, and this one had not."""

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_OUTCOMES = ("error", "failure", "skipped")


def outcomes(report: Path) -> Outcomes:
    """The outcomes in a JUnit XML file, by ``module.class::name``; the second of the same name ends in ``#2``."""
    found: Outcomes = {}
    times = Counter[str]()
    for case in ElementTree.parse(report).iter("testcase"):
        # Parameters without a name of their own are shown with their address.
        test = _ADDRESS.sub("0x", f"{case.get('classname', '')}::{case.get('name', '')}")
        times[test] += 1
        said = [_outcome(child.tag, child.get("type")) for child in case if child.tag in _OUTCOMES]
        found[test if times[test] == 1 else f"{test}#{times[test]}"] = "+".join(sorted(said)) or "passed"
    return found


def _outcome(tag: str, kind: str | None) -> str:
    return "xfailed" if kind == "pytest.xfail" else tag


def module(test: str) -> str:
    """The part of a test's id that begins with its module; all of it where collecting that failed."""
    classname, _, name = test.partition("::")
    return classname or name


def different(off: Mapping[str, str], on: Mapping[str, str]) -> set[str]:
    """The tests that did not end the same."""
    return {test for test in off.keys() | on.keys() if off.get(test, ABSENT) != on.get(test, ABSENT)}


def harmed(test: str, off: Sequence[Mapping[str, str]], on: Sequence[Mapping[str, str]]) -> bool:
    """Whether ``test``, which differed and was run again, ended with the sensor as it never did without.

    Where it has been the same in all the runs after the first, the first was chance.
    """
    return bool({each.get(test, ABSENT) for each in on[1:]} - {each.get(test, ABSENT) for each in off})


def history(test: str, runs: Sequence[Mapping[str, str]]) -> str:
    """How often ``test`` ended how, in words."""
    ended = Counter(each.get(test, ABSENT) for each in runs)
    return ", ".join(f"{outcome} {count} of {len(runs)}" for outcome, count in ended.most_common())


def counts(found: Mapping[str, str]) -> str:
    """How many tests ended how, in words."""
    ended = Counter(found.values())
    passed, skipped = ended.pop("passed", 0), ended.pop("skipped", 0)
    ended.pop("xfailed", None)
    return f"{len(found):5} tests, {passed:5} passed, {skipped:4} skipped, {ended.total():3} failed"
