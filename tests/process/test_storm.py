"""The ring's fast way takes no lock: threads, finalisers and signal handlers get in each other's way all the same."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from _peers import ROOT, SUPPORTED, environment, interpreter

SCRIPT = Path(__file__).parent.parent / "_storm.py"


@pytest.mark.parametrize("python", SUPPORTED)
@pytest.mark.parametrize("events", [1500, pytest.param(30_000, marks=pytest.mark.stress)])
def test_what_was_acknowledged_is_there_once(python: str, events: int, tmp_path: Path) -> None:
    command = [str(interpreter(python)), str(SCRIPT), str(tmp_path / "spool"), str(events)]
    env = environment(tmp_path, PYTHONPATH=str(ROOT))
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    acknowledged = Counter(json.loads(done.stdout))
    assert {name.partition("-")[0] for name in acknowledged} == {"thread", "finaliser", "signal"}
    recorded = Counter(
        json.loads(line).get("name")
        for segment in (tmp_path / "spool").glob("*.ndjson")
        for line in segment.read_text().splitlines()
    )
    assert recorded == acknowledged
