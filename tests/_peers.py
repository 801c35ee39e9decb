"""Real environments for the tests: interpreters, virtual environments with a chosen SDK, and the real wheel in them.

Everything is cached under ``$BLUEROCK_TEST_CACHE`` (else ``.cache/venvs`` of the repository) and made under a file
lock, so that several pytest workers, and several runs at once, share it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _schema
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BLUEROCK_TEST_CACHE") or ROOT / ".cache" / "venvs")
EXAMPLES = ROOT / "examples"

CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")

# What the wheel is made of; a change of any byte makes another wheel and other environments.
_SOURCES = (
    "bluerock_hooks",
    "bluerock_hooks.pth",
    "bluerock_hooks.start",
    "deploy",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
_NOT_TO_BE_HAD = (
    "error sending request|failed to fetch|No solution found|not found in the package registry|No matching distribution"
)
_UNUSED_AFTER = 2 * 3600  # seconds without use, after which the environments of an older wheel are deleted


def missing(what: str) -> None:
    """Skip the test, loudly: ``-ra`` shows the line."""
    pytest.skip(f"MISSING PEER: {what}")


def uv() -> str:
    """The uv program: of this environment, else from PATH."""
    beside = Path(sys.prefix, "bin", "uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        missing("uv (pip install uv)")
    return str(found)


def interpreter(version: str = CURRENT) -> Path:
    """A Python of this ``major.minor``, or a loud skip. ``BLUEROCK_TEST_PYTHON_3_15=/path`` names one by hand."""
    if version == CURRENT:
        return Path(sys.executable)
    named = os.environ.get("BLUEROCK_TEST_PYTHON_" + version.replace(".", "_"))
    if named:
        return Path(named)
    for directory in sorted(Path.home().glob(f".pyenv/versions/{version}.*"), reverse=True):
        if (directory / "bin" / "python").exists():
            return directory / "bin" / "python"
    command = [uv(), "python", "find", "--system", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        missing(f"Python {version}")
    return Path(done.stdout.strip())


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One at a time on this machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A clean environment: none of the outer ``BLUEROCK_*`` and ``PYTHON*`` variables, ``HOME`` in ``home``.

    Nor what says how wide and colourful a terminal is: pytest-xdist sets some of it for its workers.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("BLUEROCK_", "PYTHON", "COVERAGE", "PYTEST", "VIRTUAL_ENV", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
        )
    }
    return {**kept, "HOME": str(home), **variables}


class Peer:
    """A virtual environment that holds the wheel and what the test asked for.

    Its files are shared with other environments by hard links: never change one in place. ``fresh`` makes an
    environment that a test may damage.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        self.site = next(directory.glob("lib/python*/site-packages"))

    def run(
        self,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        check: bool = True,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment (a bare name) or of anywhere (an absolute path), output captured.

        The working directory is not the repository, whose package would hide the wheel's.
        """
        program = str(command[0])
        if "/" not in program:
            program = str(self.bin / program)
        done = subprocess.run(
            [program, *map(str, command[1:])],
            env=None if env is None else dict(env),
            timeout=timeout,
            text=True,
            **{"stdin": subprocess.DEVNULL, "capture_output": True, "cwd": self.directory, **options},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


def build_wheel() -> Path:
    """The wheel of the sources as they are now, built once for each content."""
    with locked("wheel"):
        snapshot = CACHE / "wheels" / f"snapshot-{os.getpid()}"
        shutil.rmtree(snapshot, ignore_errors=True)
        digest = _snapshot(snapshot)
        directory = CACHE / "wheels" / digest
        if not list(directory.glob("*.whl")):
            install("build", "--wheel", "--quiet", "--out-dir", str(directory), str(snapshot))
        shutil.rmtree(snapshot)
        os.utime(directory)
        for old in CACHE.glob("wheels/*"):
            if time.time() - old.stat().st_mtime > _UNUSED_AFTER:
                shutil.rmtree(old, ignore_errors=True)
        return next(directory.glob("*.whl"))


def peer(wheel: Path, python: str, packages: Sequence[str]) -> Peer:
    """The cached environment of ``python`` with ``packages`` and this wheel."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", " ".join((python, *packages))).strip("-")
    name = f"{slug[:60]}-{hashlib.sha256(repr((python, *packages)).encode()).hexdigest()[:8]}"
    with locked(name):
        base = _base(name, python, packages)
        directory = CACHE / f"{name}-{wheel.parent.name}"
        if not (directory / "ready").exists():
            shutil.rmtree(directory, ignore_errors=True)
            # A copy by hard links takes a tenth of a second and keeps the base's bytecode.
            shutil.copytree(base, directory, symlinks=True, copy_function=os.link)
            install("pip", "install", "--quiet", "--python", str(directory / "bin" / "python"), str(wheel))
            (directory / "ready").touch()
        os.utime(directory / "ready")
        _sweep(name, keep=directory)
    return Peer(directory)


def fresh(wheel: Path, directory: Path, *packages: str, python: str = CURRENT) -> Peer:
    """An environment of the test's own in ``directory``, with plain copies of all files, to be damaged at will."""
    install("venv", "--quiet", "--python", str(interpreter(python)), str(directory))
    program = str(directory / "bin" / "python")
    install("pip", "install", "--quiet", "--link-mode=copy", "--python", program, str(wheel), *packages)
    return Peer(directory)


def _base(name: str, python: str, packages: Sequence[str]) -> Path:
    """An environment with everything but the wheel."""
    base = CACHE / f"{name}-base"
    if (base / "warm").exists():
        return base
    shutil.rmtree(base, ignore_errors=True)
    install("venv", "--quiet", "--relocatable", "--python", str(interpreter(python)), str(base))
    program = str(base / "bin" / "python")
    install("pip", "install", "--quiet", "--python", program, "wrapt", "msgspec", "importlib-metadata", *packages)
    # Bytecode of what the tests will import, once, here.
    names = [re.split(r"[^A-Za-z0-9_]", package)[0] for package in packages]
    for module in ["wrapt", "msgspec", *names]:
        subprocess.run([program, "-c", f"import {module}"], capture_output=True)
    (base / "warm").touch()
    return base


def _sweep(name: str, keep: Path) -> None:
    for marker in CACHE.glob(f"{name}-*/ready"):
        if marker.parent != keep and time.time() - marker.stat().st_mtime > _UNUSED_AFTER:
            shutil.rmtree(marker.parent, ignore_errors=True)


def install(*arguments: str) -> None:
    """Run uv; where it fails for want of a package or of the network, skip loudly with what it said."""
    done = subprocess.run([uv(), *arguments], capture_output=True, text=True, cwd=CACHE)
    if done.returncode == 0:
        return
    said = done.stderr.strip()
    if re.search(_NOT_TO_BE_HAD, said, re.I):
        missing(f"uv {' '.join(arguments)}: {said[-300:]}")
    raise AssertionError(f"uv {' '.join(arguments)}\n{said}")


def _snapshot(directory: Path) -> str:
    """Copy the sources to ``directory`` and return the digest of what was copied: the tree may change meanwhile."""
    directory.mkdir(parents=True)
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, directory / name)
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def read_spool(directory: Path, *, recover: bool = True, failures: bool = False) -> list[dict[str, Any]]:
    """The events of a spool, oldest first: of all segments, after killed processes' rings were recovered.

    Each is one line's object, ``{"ts": ..., "event": {"meta": ...}}``. A line that is no JSON or not as the schema says
    fails the test, and so does an exception that the guard swallowed in some process, unless ``failures`` asks for it.
    """
    events = [event for segment in segments(directory, recover=recover) for event in segment]
    if not failures:
        swallowed = [event for event in events if event["event"]["meta"]["name"] == "python_internal_exception"]
        assert not swallowed, swallowed
    return sorted(events, key=lambda line: (line["ts"], line["event"]["meta"]["source_event_id"]))


def segments(directory: Path, *, recover: bool = True) -> Iterator[list[dict[str, Any]]]:
    """What ``read_spool`` reads, one segment after the other: of a spool that is too large for the memory."""
    if recover:
        command = [sys.executable, "-m", "bluerock_hooks", "recover"]
        env = environment(directory, BLUEROCK_SPOOL_DIR=str(directory), PYTHONPATH=str(ROOT))
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"recover ended with {done.returncode}: {done.stderr}"
    for segment in sorted(directory.glob("python-*.ndjson")):
        text = segment.read_bytes()
        assert not text or text.endswith(b"\n"), f"{segment} ends in the middle of a line"
        events = [json.loads(line) for line in text.splitlines()]
        _schema.check(events)
        yield events


def named(events: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The ``event`` objects of this name, such as ``sensor_startup`` or ``server_received_request``."""
    return [line["event"] for line in events if name in (line["event"]["meta"]["name"], line["event"].get("event"))]
