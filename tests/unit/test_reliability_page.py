"""docs/reliability.md names its proofs: each exists, and no case of our list is without a row."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest
from _peers import ROOT

PAGE = ROOT / "docs" / "reliability.md"
TESTS = ROOT / "tests"
CASES = range(1, 42)

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
SCRIPT = re.compile(r"`(\.ci/[\w-]+)`")


class Row(NamedTuple):
    case: str
    promise: str
    test: str
    result: str

    @property
    def number(self) -> int | None:
        found = re.match(r"(\d+): ", self.case)
        return int(found[1]) if found else None


def rows() -> list[Row]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]
    return [Row(*each) for each in cells if each[0] not in ("case", "---")]


def functions(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_case_has_a_row_and_every_row_a_test() -> None:
    table = rows()
    assert {row.number for row in table} >= set(CASES)
    assert all(NAMED.search(row.test) or SCRIPT.search(row.test) for row in table)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.case[:50])
def test_the_tests_of_a_row_exist(row: Row) -> None:
    assert row.promise
    assert row.result
    for path, function in NAMED.findall(row.test):
        assert function in functions(path), f"{path} has no {function}"
    for script in SCRIPT.findall(row.test):
        assert (ROOT / script).is_file(), script
