"""Runs a suite once, as its project would, and reads what the sensor recorded meanwhile."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import _peers

from . import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .compare import Outcomes
    from .projects import Project

PATIENCE = 3600  # seconds a suite may take on a busy machine
UNITTESTS = Path(__file__).with_name("_unittests.py")


class Ran(NamedTuple):
    """What a run of a suite left behind."""

    outcomes: Outcomes
    status: int
    cpu: float
    """Seconds of processor time, of all its processes."""


class Tally(NamedTuple):
    """What the sensor recorded meanwhile."""

    events: int
    processes: int
    dropped: int
    swallowed: list[str]
    """Place and message of what went wrong in our code."""


class Stage:
    """Where a suite plays: the same paths in each run, and nothing left there from the run before.

    ``results`` keeps reports, what was printed, and spools.
    """

    def __init__(self, project: Project, archive: Path, peer: _peers.Peer, directory: Path, results: Path) -> None:
        self.project = project
        self.archive = archive
        self.peer = peer
        self.directory = directory
        self.results = results

    def run(self, name: str, settings: Mapping[str, str] | None = None, modules: Sequence[str] = ()) -> Ran:
        """Run the suite, or these modules of it, under these ``BLUEROCK_*`` settings; without, the sensor is off."""
        tree = self._lay()
        variables = {f"BLUEROCK_{key}": value for key, value in (settings or {}).items()}
        env = _peers.environment(
            self.directory / "home",
            TMPDIR=str(self.directory / "tmp"),
            PATH=f"{self.peer.bin}:{os.environ['PATH']}",
            PYTHONHASHSEED="0",
            **self.project.variables,
            **variables,
        )
        report = self.results / f"{name}.xml"
        report.unlink(missing_ok=True)
        before = _cpu()
        with (self.results / f"{name}.log").open("wb") as log:
            status = _run(self._command(report, tree, modules), env, tree, log.fileno())
        if not report.exists():
            raise AssertionError(f"the suite did not get to its end: {status}; see {self.results / name}.log")
        return Ran(compare.outcomes(report), status, _cpu() - before)

    def _lay(self) -> Path:
        shutil.rmtree(self.directory, ignore_errors=True)
        for name in ("home", "tmp"):
            (self.directory / name).mkdir(parents=True)
        with tarfile.open(self.archive) as archive:
            archive.extractall(self.directory / "sdist", filter="data")
        tree = next((self.directory / "sdist").iterdir())
        for name in self.project.without:
            shutil.rmtree(tree / name)
        return tree

    def _command(self, report: Path, tree: Path, modules: Sequence[str]) -> list[str]:
        if self.project.unittests:
            words = modules or [self.project.unittests]
            return [str(self.peer.python), str(UNITTESTS), str(report), *words]
        options = [f"--junit-xml={report}", *self.project.options]
        files = [_file(tree, module) for module in modules]
        return [str(self.peer.bin / "pytest"), *options, *(files or self.project.tests)]


def sdist(project: Project) -> Path:
    """The source distribution, fetched once."""
    directory = _peers.CACHE / "sdists"
    directory.mkdir(parents=True, exist_ok=True)
    name, _, version = project.sdist.partition("==")
    stem = f"{name.replace('-', '_')}-{version}"
    with _peers.locked("sdists"):
        if not (directory / f"{stem}.tar.gz").exists():
            words = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(directory), project.sdist]
            _peers.install("tool", "run", "--quiet", "pip", *words)
    return directory / f"{stem}.tar.gz"


def tally(spool: Path) -> Tally:
    """Count what is in ``spool``; every line is held against the schema."""
    events = processes = dropped = 0
    swallowed: list[str] = []
    for segment in _peers.segments(spool):
        events += len(segment)
        for event in (line["event"] for line in segment):
            name = event["meta"]["name"]
            processes += name == "sensor_startup"
            if name == "python_events_dropped":
                dropped += event["dropped"]
            elif name == "python_internal_exception":
                swallowed.append(f"{event['place']}: {event['message']} ({event['count']} times)")
    return Tally(events, processes, dropped, swallowed)


def _run(command: Sequence[str], env: Mapping[str, str], tree: Path, log: int) -> int:
    """Exit status; whatever the suite leaves running ends with it."""
    with subprocess.Popen(
        command, env=dict(env), cwd=tree, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    ) as suite:
        try:
            return suite.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(suite.pid, signal.SIGKILL)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _file(tree: Path, module: str) -> str:
    """The file of a dotted name that may have classes at its end."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        path = Path(*parts[:end]).with_suffix(".py")
        if (tree / path).exists():
            return str(path)
    raise AssertionError(f"no file has {module}")
