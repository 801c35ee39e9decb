"""CPython's own tests of imports and of processes end the same with the sensor on as off; ``.ci/cpython-*`` runs them.

Usage: ``python -m suites.cpython imports|processes [PYTHON ...]``. Exit status 1 where one test differs, where a run
says too little, or where the sensor failed inside. An interpreter without its ``test`` package is skipped, loudly.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _peers

from . import compare, play

SUITES = {
    "imports": ("test.test_import", "test.test_importlib", "test.test_zipimport", "test.test_runpy", "test.test_site"),
    "processes": ("test.test_subprocess", "test.test_asyncio.test_subprocess", "test_mp_fork", "test_mp_spawn"),
}
# Some installations have the tests of multiprocessing, but not the modules that run them.
METHODS = """
import test._test_multiprocessing as tests
tests.install_tests_in_module_dict(globals(), "{}")
"""
FEWEST = 100  # tests, and events, below which a run says nothing


def outcomes(python: Path, suites: tuple[str, ...], directory: Path, *, on: bool) -> compare.Outcomes:
    """Run the suites once; ``directory`` has ``home``, ``tests`` and ``tmp``, and the spool and reports afterwards."""
    report, log = directory / f"{on}.xml", directory / f"{on}.log"
    settings = {"BLUEROCK_ENABLE": "1", "BLUEROCK_SPOOL_DIR": str(directory / "spool")} if on else {}
    env = {"HOME": str(directory / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **settings}
    places = ("--tempdir", directory / "tmp", "--testdir", directory / "tests")
    command = [python, "-m", "test", "--junit-xml", report, "--timeout", "900", *places, *suites]
    with log.open("wb") as said:
        subprocess.run(command, env=env, cwd=directory / "tmp", stdout=said, stderr=said)
    if not report.exists():
        raise SystemExit(f"{python} -m test did not get to its end:\n{log.read_text(errors='replace')[-2000:]}")
    return compare.outcomes(report)


def compared(python: str, suites: tuple[str, ...], directory: Path) -> bool:
    """Run them off and on, and print what differs; True where nothing does."""
    for name in ("home", "tests", "tmp"):
        (directory / name).mkdir()
    for method in ("fork", "spawn"):
        (directory / "tests" / f"test_mp_{method}.py").write_text(METHODS.format(method))
    subprocess.run([_peers.uv(), "venv", "--quiet", "--python", python, directory / "venv"], check=True)
    inside = directory / "venv" / "bin" / "python"
    if subprocess.run([inside, "-c", "import test.test_subprocess"], capture_output=True).returncode:
        print(f"MISSING PEER: {python} has no test suite")
        return True
    subprocess.run([_peers.uv(), "pip", "install", "--quiet", "--python", inside, _peers.ROOT], check=True)
    off, on = (outcomes(inside, suites, directory, on=each) for each in (False, True))
    differ = compare.different(off, on)
    for test in sorted(differ):
        print(f"  {test}: {off.get(test, compare.ABSENT)} without, {on.get(test, compare.ABSENT)} with the sensor")
    tally = play.tally(directory / "spool")
    for sentence in tally.swallowed:
        print(f"  swallowed: {sentence}")
    print(f"{python}: {compare.counts(on)}, {len(differ)} differ; {tally.events} events of {tally.processes} processes")
    return not (differ or tally.swallowed) and min(len(off), tally.events) >= FEWEST


def main(words: list[str]) -> int:
    """Every interpreter that was named."""
    same = []
    for python in words[1:] or [sys.executable]:
        with tempfile.TemporaryDirectory(prefix="cpython-") as name:
            same.append(compared(python, SUITES[words[0]], Path(name)))
    return int(not all(same))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
