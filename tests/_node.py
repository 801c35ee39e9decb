"""npm packages at fixed versions, kept in the cache of the peers."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import _peers

if TYPE_CHECKING:
    from pathlib import Path


def modules(*packages: str) -> Path:
    """The ``node_modules`` with these packages, such as ``name@1.2.3``; a loud skip where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        _peers.missing("npm")
    with _peers.locked("npm"):
        directory = _peers.CACHE / ("npm-" + re.sub(r"[^a-z0-9.]+", "-", " ".join(packages)))
        if not (directory / "ready").exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            command = [str(npm), "install", "--silent", "--no-fund", "--no-audit", *packages]
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
            if done.returncode != 0:
                _peers.missing(f"npm install: {(done.stderr or done.stdout)[-300:]}")
            (directory / "ready").touch()
    return directory / "node_modules"
