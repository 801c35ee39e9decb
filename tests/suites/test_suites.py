"""One small suite with the sensor off and on; and the judge itself, which finds what the sensor changes."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suites import play
from suites.judge import judged, problems
from suites.projects import DEFAULTS, PROJECTS, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

SUITE = """
import os, sys
import pytest

class TestHost:
    def test_is_the_same(self): pass

    def test_looks_for_us(self): assert "bluerock_hooks" not in sys.modules

@pytest.mark.parametrize("value", [object()])
def test_has_an_address(value): pass

def test_starts_a_process(): assert os.system("true") == 0

@pytest.mark.xfail
def test_fails_as_expected(): assert False

@pytest.mark.skipif("BLUEROCK_ENABLE" in os.environ, reason="we are here")
def test_is_left_out(): pass

if "BLUEROCK_ENABLE" in os.environ:
    def test_is_new(): pass

def test_fails_once():
    from pathlib import Path
    seen = Path(os.environ["SEEN"])
    first = "BLUEROCK_ENABLE" in os.environ and not seen.exists()
    if first:
        seen.touch()
    assert not first
"""


UNITS = """
import unittest

class Units(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail("as it should")
    @unittest.skip("for a reason")
    def test_out(self): pass

if __name__ == "__main__":
    unittest.main()
"""


@pytest.fixture
def stage(peer_venv: Callable[..., Peer], tmp_path: Path) -> Callable[..., play.Stage]:
    """Makes a stage for the suites above."""

    def made(**members: object) -> play.Stage:
        tests = tmp_path / "suite-1" / "tests"
        tests.mkdir(parents=True)
        (tests / "test_suite.py").write_text(SUITE)
        (tests / "test_units.py").write_text(UNITS)
        with tarfile.open(tmp_path / "suite-1.tar.gz", "w:gz") as archive:
            archive.add(tests.parent, "suite-1")
        seen = {"SEEN": str(tmp_path / "seen")}
        project = Project("suite==1", (), ("tests/test_suite.py",), variables=seen)._replace(**members)
        peer = peer_venv("3.11", "pytest")
        return play.Stage(project, tmp_path / "suite-1.tar.gz", peer, tmp_path / "stage", tmp_path)

    return made


def test_what_the_sensor_changes_is_found_and_told_from_chance(stage: Callable[..., play.Stage]) -> None:
    suite = stage()
    off = suite.run("off")
    assert off.outcomes == {
        "tests.test_suite.TestHost::test_is_the_same": "passed",
        "tests.test_suite.TestHost::test_looks_for_us": "passed",
        "tests.test_suite::test_has_an_address[value0]": "passed",
        "tests.test_suite::test_starts_a_process": "passed",
        "tests.test_suite::test_fails_as_expected": "xfailed",
        "tests.test_suite::test_is_left_out": "passed",
        "tests.test_suite::test_fails_once": "passed",
    }
    outcome, said = judged(suite, off, "on", DEFAULTS)
    line, *remarks = said.splitlines()
    assert outcome == "failed"
    assert line.startswith("WRONG     8 tests,     4 passed,    1 skipped,   2 failed,  4 differ (3 harmed), CPU ")
    assert [remark.strip() for remark in remarks] == [
        "HARMED: tests.test_suite.TestHost::test_looks_for_us: off passed 4 of 4; on failure 4 of 4",
        "by chance: tests.test_suite::test_fails_once: off passed 4 of 4; on passed 3 of 4, failure 1 of 4",
        "HARMED: tests.test_suite::test_is_left_out: off passed 4 of 4; on skipped 4 of 4",
        "HARMED: tests.test_suite::test_is_new: off absent 4 of 4; on passed 4 of 4",
    ]


def test_what_is_known_is_no_harm(stage: Callable[..., play.Stage]) -> None:
    known = {"tests.test_suite.TestHost::test_looks": "it looks for us", "tests.test_suite::test_is": "it asks for us"}
    suite = stage(known=known)
    Path(suite.project.variables["SEEN"]).touch()  # what fails once has done so
    outcome, said = judged(suite, suite.run("off"), "on", DEFAULTS)
    assert outcome == "passed"
    assert " 3 differ (0 harmed)" in said
    assert "known: tests.test_suite.TestHost::test_looks_for_us: it looks for us" in said
    assert not list(suite.results.glob("*again*"))


def test_what_is_lost_and_what_fails_inside_is_a_problem_and_so_is_nothing() -> None:
    assert problems(play.Tally(9, 1, 0, [])) == []
    assert problems(play.Tally(9, 1, 2, ["audit: KeyError (3 times)"])) == [
        "swallowed: audit: KeyError (3 times)",
        "2 events dropped",
    ]
    assert problems(play.Tally(0, 0, 0, [])) == ["nothing was recorded"]


def test_a_suite_that_breaks_off_has_no_result(stage: Callable[..., play.Stage]) -> None:
    with pytest.raises(AssertionError, match="did not get to its end: 4"):
        stage(options=("--no-such-option",)).run("off")


def test_modules_that_unittest_runs_are_told_test_by_test(stage: Callable[..., play.Stage]) -> None:
    suite = stage(unittests="tests.test_units", variables={"PYTHONPATH": "."})
    assert suite.run("off").outcomes == {
        "tests.test_units::__main__.Units.test_good": "passed",
        "tests.test_units::__main__.Units.test_bad": "failure",
        "tests.test_units::__main__.Units.test_out": "skipped",
        "tests.test_units::ends with 1": "failure",
    }


def test_the_suite_of_h11_ends_the_same(peer_venv: Callable[..., Peer], tmp_path: Path) -> None:
    project = next(project for project in PROJECTS if project.sdist.startswith("h11"))
    peer = peer_venv("3.11", *project.packages)
    suite = play.Stage(project, play.sdist(project), peer, tmp_path / "stage", tmp_path)
    off = suite.run("off")
    assert set(off.outcomes.values()) == {"passed"}
    assert len(off.outcomes) > 50
    outcome, said = judged(suite, off, "on", DEFAULTS)
    assert outcome == "passed", said
