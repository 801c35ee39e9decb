"""Damage at random, ``BLUEROCK_TEST_DAMAGES`` times: a spool is damaged, read, recovered and read again each time."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from _damage import Scene, damages

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.stress

ROUNDS = int(os.environ.get("BLUEROCK_TEST_DAMAGES", "1000000"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_a_million_times_damaged(tmp_path: Path, part: int) -> None:
    scene = Scene(tmp_path)
    done = 0
    for seed in range(part, ROUNDS, PARTS):
        hits = damages(random.Random(seed), scene)
        scene.check(hits)
        done += len(hits)
    print(f"{ROUNDS // PARTS} rounds, {done} damages")
