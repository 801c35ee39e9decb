"""Every line of ours that runs in a host fails once, and the host does not notice: same results, nothing printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

SCRIPT = Path(__file__).parent / "_every_line.py"
ALL = {f"BLUEROCK_{name}": "all" for name in ("NETWORK", "FILES", "NATIVE", "CODE")}
NEW, OLD = "mcp==2.3.0", "mcp==1.30.0"


@pytest.mark.parametrize(
    ("python", "sdk", "mode", "single"),
    [
        ("3.13", NEW, "auto", False),
        pytest.param("3.13", NEW, "legacy", False, marks=pytest.mark.stress),
        pytest.param("3.12", OLD, "legacy", False, marks=pytest.mark.stress),
        pytest.param("3.14", NEW, "auto", False, marks=pytest.mark.stress),
        # One failure at a time: what follows it is what would follow it.
        pytest.param("3.10", OLD, "legacy", True, marks=pytest.mark.stress),
        pytest.param("3.11", NEW, "auto", True, marks=pytest.mark.stress),
        pytest.param("3.13", NEW, "legacy", True, marks=pytest.mark.stress),
    ],
)
def test_a_failure_at_any_line_changes_nothing(
    python: str, sdk: str, mode: str, single: bool, peer_venv: Callable[..., Peer], sensor_env: dict[str, str]
) -> None:
    peer, patience = peer_venv(python, sdk), 3000 if single else 900

    def play(rounds: int, **switch: str) -> dict[str, object]:
        env = {**sensor_env, **ALL, **switch, "PATIENCE": str(patience)}
        words = [EXAMPLES, mode, str(rounds), str(int(single))]
        done = peer.run("python", SCRIPT, *words, env=env, timeout=patience + 50, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
        found: dict[str, object] = json.loads(done.stdout)
        return found

    off = play(0, BLUEROCK_ENABLE="0")
    found = play(3000 if single else 100)
    print(found["fired"], "lines in", found["rounds"], "rounds")
    assert found["bad"] == []
    assert found["first"] == off["first"]
    assert found["steady"]
    assert off["steady"]
    assert found["working"]
    assert found["fired"] > 800
