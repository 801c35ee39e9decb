"""A few cells of the matrix, each transport and era once; ``.ci/matrix`` plays all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from matrix import cells, compare, play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer
    from matrix.cells import Cell


@pytest.mark.parametrize("cell", cells.SHORT, ids=str)
def test_every_message_is_recorded_once_for_each_side_and_the_host_notices_nothing(
    cell: Cell, peer_venv: Callable[..., Peer], tmp_path: Path
) -> None:
    peer = peer_venv(cell.python, *cell.packages)
    problems = compare.problems(cell, play.lit(cell, peer, tmp_path), play.dark(cell, peer, tmp_path))
    assert not problems, "\n".join(problems)
