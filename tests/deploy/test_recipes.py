"""Every recipe of the documentation, run on the recorded sample: it prints what the page shows."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import _logql
import _scripts
import pytest
from _peers import CURRENT, ROOT, missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

DOCS = ROOT / "docs"
PAGE = (DOCS / "recipes.md").read_text()
LOGQL = re.findall(r"```logql\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def recipes() -> Any:
    return _scripts.loaded("recipes")


def test_each_prints_what_the_page_shows(recipes: Any, peer_venv: Callable[..., Peer], tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        missing("jq")
    peer = peer_venv(CURRENT, "duckdb==2.0.1")
    found = recipes.outputs(PAGE, recipes.home(tmp_path), str(peer.python))
    assert len(found) >= 12
    for recipe, said, printed in found:
        assert _cells(printed) == _cells(said), f"run: python docs/recipes.py\n{recipe}"
        assert _cells(said), f"the sample has nothing to show for\n{recipe}"


def test_each_logql_is_a_query() -> None:
    assert len(LOGQL) >= 8
    for query, tree in zip(LOGQL, _logql.parse(LOGQL), strict=True):
        assert not tree.errors(), query


def _cells(table: str) -> list[str]:
    """The words of a table, however DuckDB draws it."""
    return re.sub(r"[│┌┐└┘├┤┬┴┼─]", " ", table).split()
