"""Runs suite and inspector with the sensor off and on, and compares scenario by scenario.

Usage: ``python -m conformance [WORD ...]``; words choose runs. Prints a table. Exit status 0 where nothing differs, 1
where something does, or where the sensor recorded nothing, lost something or failed inside.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import _peers
import pytest
from _serving import started

from . import _npm

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
EXAMPLES = _peers.EXAMPLES
TRIES = 3
"""Some scenarios measure time; one that differs is tried again, with both, before it counts."""

Results = dict[str, object]
"""Scenario -> what it found: its checks and their status, or what the inspector printed."""


class Run(NamedTuple):
    """One program against one SDK."""

    name: str
    package: str
    results: Callable[[Run, _peers.Peer, dict[str, str], Path], Results]
    revision: str = ""


def server_suite(run: Run, peer: _peers.Peer, env: dict[str, str], directory: Path) -> Results:
    """The suite is the client, the server is ours."""
    with started([peer.python, HERE / "server.py"], env, peer.directory) as url:
        return _suite(["server", "--url", url], run, env, directory)


def client_suite(run: Run, peer: _peers.Peer, env: dict[str, str], directory: Path) -> Results:
    """The suite is the server and starts our client, once a scenario."""
    # All its scenarios at once: on a small machine a client may take its time.
    words = ["client", "--timeout", "120000", "--command", f"{peer.python} {HERE / 'client.py'}"]
    return _suite(words, run, env, directory)


def inspector(run: Run, peer: _peers.Peer, env: dict[str, str], directory: Path) -> Results:
    """The inspector's command line starts the example server over stdio."""
    results: Results = {}
    for words in (
        ["--method", "tools/list"],
        ["--method", "tools/call", "--tool-name", "add", "--tool-arg", "a=2", "--tool-arg", "b=3"],
        ["--method", "tools/call", "--tool-name", "divide", "--tool-arg", "a=1", "--tool-arg", "b=0"],
        ["--method", "resources/list"],
        ["--method", "resources/templates/list"],
        ["--method", "resources/read", "--uri", "notes://welcome"],
        ["--method", "prompts/list"],
        ["--method", "prompts/get", "--prompt-name", "summarise", "--prompt-args", "topic=tides"],
    ):
        # The inspector gives its server no environment but what it is told to.
        told = [word for name in sorted(env) if name.startswith("BLUEROCK_") for word in ("-e", f"{name}={env[name]}")]
        target = [str(peer.python), str(EXAMPLES / "server.py")]
        done = _npm.run(["mcp-inspector", "--cli", *told, *target, *words], env, directory)
        results[" ".join(words[1:])] = done.returncode, done.stdout
    return results


def _suite(words: list[str], run: Run, env: dict[str, str], directory: Path) -> Results:
    out = directory / "results"
    done = _npm.run(["conformance", *words, "--requirements", run.revision, "--output-dir", str(out)], env, directory)
    results: Results = {}
    for checks in sorted(out.rglob("checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", str(checks.parent.relative_to(out)))
        found = [(check["id"], check["status"]) for check in json.loads(checks.read_text())]
        results[scenario] = {pair for pair in found if pair[1] != "INFO"}  # INFO is the traffic, as it went
    if not results:
        raise AssertionError(f"the suite said nothing: {done.stdout[-500:]}{done.stderr[-500:]}")
    return results


RUNS = [
    Run("server", "mcp==2.3.0", server_suite, "2025-11-25"),
    Run("server", "mcp==2.3.0", server_suite, "2026-07-28"),
    Run("server", "mcp==1.30.0", server_suite, "2025-11-25"),
    Run("client", "mcp==2.3.0", client_suite, "2025-11-25"),
    Run("client", "mcp==2.3.0", client_suite, "2026-07-28"),
    Run("inspector", "mcp==2.3.0", inspector),
    Run("inspector", "mcp==1.30.0", inspector),
]


def main(words: list[str]) -> int:
    """Run, compare, print."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        _npm.installed()
        wheel = _peers.build_wheel()
    except pytest.skip.Exception as skipped:
        print(f"SKIPPED: {skipped}\n0 passed, 0 failed, {len(RUNS)} skipped")
        return 0
    for run in RUNS:
        name = f"{run.name} {run.package} {run.revision}"
        if all(word in name for word in words):
            began = time.monotonic()
            outcome, detail = _compared(run, wheel)
            counts[outcome] += 1
            print(f"{name:36} {time.monotonic() - began:5.0f} s  {detail}", flush=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return int(counts["failed"] > 0)


def _compared(run: Run, wheel: Path) -> tuple[str, str]:
    """Outcome and the line that says it."""
    try:
        peer = _peers.peer(wheel, "3.11", (run.package, "uvicorn"))
        different: set[str] = set()
        for attempt in range(TRIES):
            (dark, _), (lit, events) = _once(run, peer, sensor=False), _once(run, peer, sensor=True)
            now = {name for name in dark.keys() | lit.keys() if dark.get(name) != lit.get(name)}
            different = now if attempt == 0 else different & now
            if not different:
                break
    except pytest.skip.Exception as skipped:
        return "skipped", f"SKIPPED: {skipped}"
    except Exception as exc:
        return "failed", f"WRONG {type(exc).__name__}: {exc}"
    if different or not events:
        lines = [f"{name}\n        off: {dark.get(name)}\n        on: {lit.get(name)}" for name in sorted(different)]
        return "failed", "\n    ".join(["WRONG", f"{events} events", *lines])
    return (
        "passed",
        f"{len(dark)} scenarios, {_good(dark)} without a failure, the same with the sensor: {events} events",
    )


def _good(results: Results) -> int:
    return sum("FAILURE" not in str(found) for found in results.values())


def _once(run: Run, peer: _peers.Peer, *, sensor: bool) -> tuple[Results, int]:
    """The results, and how many messages the sensor recorded."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        spool = directory / "spool"
        on = {"BLUEROCK_ENABLE": "1", "BLUEROCK_SPOOL_DIR": str(spool)} if sensor else {}
        results = run.results(run, peer, _peers.environment(directory, **on), directory)
        events = _peers.read_spool(spool) if spool.exists() else []
        lost = _peers.named(events, "python_events_dropped")
        if lost:
            raise AssertionError(f"lost: {lost}")
        return results, len(_peers.named(events, "python_mcp_event"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
