"""The npm packages, at fixed versions, and a node that runs them; kept in the cache of the peers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import _peers

if TYPE_CHECKING:
    from pathlib import Path

# Before 0.2 the suite does not know 2026-07-28. Both need node 22, which npm has as a package.
PACKAGES = ("node@22", "@modelcontextprotocol/conformance@0.2.0-alpha.12", "@modelcontextprotocol/inspector@2.12.0")


def installed() -> Path:
    """The directory with the programs of the packages; a loud skip where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        _peers.missing("npm")
    with _peers.locked("npm"):
        directory = _peers.CACHE / ("npm-" + re.sub(r"[^a-z0-9.]+", "-", " ".join(PACKAGES)))
        programs = directory / "node_modules" / ".bin"
        if not (directory / "ready").exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            command = [str(npm), "install", "--silent", "--no-fund", "--no-audit", *PACKAGES]
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
            if done.returncode != 0 or not (programs / "node").exists():
                _peers.missing(f"npm install: {(done.stderr or done.stdout)[-300:]}")
            (directory / "ready").touch()
    return programs


def run(words: list[str], env: dict[str, str], cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end."""
    programs = installed()
    env = {**env, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [str(programs / words[0]), *words[1:]]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout)
