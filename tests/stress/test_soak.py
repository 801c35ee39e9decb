"""Long torture of the storage; ``pytest -m stress``. ``BLUEROCK_TEST_KILLS`` says how many."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from _peers import ROOT, SUPPORTED, environment, interpreter
from _stores import faults, recording

pytestmark = pytest.mark.stress

TESTS = Path(__file__).parent.parent
KILLS = int(os.environ.get("BLUEROCK_TEST_KILLS", "2500"))


@pytest.mark.parametrize("python", SUPPORTED)
@pytest.mark.parametrize("ring_bytes", [1 << 13, 1 << 15])
def test_thousands_of_kills(tmp_path: Path, python: str, ring_bytes: int) -> None:
    command = [interpreter(python), TESTS / "_killed.py", tmp_path, str(KILLS), str(ring_bytes)]
    done = subprocess.run(command, env=environment(tmp_path, PYTHONPATH=str(ROOT)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)
    print(python, totals)
    assert totals["kills"] == KILLS
    assert [totals[each] for each in ("lost", "doubled", "torn", "disordered")] == [0, 0, 0, 0], totals


@pytest.mark.parametrize("seed", range(10, 60))
def test_every_store_of_many_runs(seed: int) -> None:
    assert faults(recording(seed=seed))[1] == []
