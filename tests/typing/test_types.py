"""The types that the wheel ships are seen by a user's type checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import _peers

HERE = Path(__file__).parent


def check(peer: _peers.Peer, file: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}"]
    command += [f"--python-executable={peer.python}", str(file)]
    return subprocess.run(command, cwd=peer.directory, capture_output=True, text=True)


def test_a_user_s_strict_checker_is_content(peer_venv: Callable[..., _peers.Peer], tmp_path: Path) -> None:
    done = check(peer_venv(), HERE / "api.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_user_s_mistake_is_found(peer_venv: Callable[..., _peers.Peer], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import bluerock_hooks\nanswer: int = bluerock_hooks.__version__\n")
    done = check(peer_venv(), wrong, tmp_path / "cache")
    assert done.returncode == 1
    assert "Incompatible types in assignment" in done.stdout
