"""The npm packages of the conformance suite, and a node that runs them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import _node
import _peers

if TYPE_CHECKING:
    from pathlib import Path

# Before 0.2 the suite does not know 2026-07-28. Both need node 22, which npm has as a package.
PACKAGES = ("node@22", "@modelcontextprotocol/conformance@0.2.0-alpha.12", "@modelcontextprotocol/inspector@2.12.0")


def installed() -> Path:
    """The directory with the programs of the packages; a loud skip where they cannot be had."""
    programs = _node.modules(*PACKAGES) / ".bin"
    if not (programs / "node").exists():
        _peers.missing("the node of npm's package node")
    return programs


def run(words: list[str], env: dict[str, str], cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end."""
    programs = installed()
    env = {**env, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [str(programs / words[0]), *words[1:]]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout)
