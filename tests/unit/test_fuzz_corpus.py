"""The targets of ``.ci/fuzz`` without atheris: what broke a promise once, and a few inputs at random."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import fuzz
import pytest

TARGETS = ("ring", "spool", "redactor", "encoder")
CORPUS = Path(fuzz.__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_stays_mended(name: str) -> None:
    target = importlib.import_module(f"fuzz.{name}")
    for path in sorted((CORPUS / name).glob("*")):
        target.one(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_at_random(name: str) -> None:
    target = importlib.import_module(f"fuzz.{name}")
    dice = random.Random(name)
    for _ in range(30):
        target.one(dice.randbytes(dice.choice((3, 30, 300))))
