"""Long torture of the storage; ``pytest -m stress``. ``BLUEROCK_TEST_KILLS`` says how many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from _killed import kill_and_check
from _stores import faults, recording

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.stress

KILLS = int(os.environ.get("BLUEROCK_TEST_KILLS", "2500"))


@pytest.mark.parametrize("ring_bytes", [1 << 13, 1 << 15])
def test_thousands_of_kills(tmp_path: Path, ring_bytes: int) -> None:
    totals = kill_and_check(tmp_path, KILLS, ring_bytes)
    print(totals)
    assert totals.faults() == 0, str(totals)


@pytest.mark.parametrize("seed", range(10, 60))
def test_every_store_of_many_runs(seed: int) -> None:
    assert faults(recording(seed=seed))[1] == []
