"""The command as a user calls it, from the sources, in a clean environment; and lines as a sensor writes them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

from _peers import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path


def command_line(*words: str | Path) -> list[str]:
    """``python -m bluerock_hooks ...``."""
    return [sys.executable, "-m", "bluerock_hooks", *map(str, words)]


def command_env(home: Path, **variables: str) -> dict[str, str]:
    """A clean environment in which the sources are importable."""
    return environment(home, PYTHONPATH=str(ROOT), **variables)


def call(home: Path, *words: str | Path, env: dict[str, str] | None = None, **options: Any) -> Any:
    """Run the command to its end; the finished process, output as bytes unless ``text=True``."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "cwd": home, **options}
    return subprocess.run(command_line(*words), env={**command_env(home), **(env or {})}, **options)


def on_terminal(spool: Path, columns: int, *words: str, **variables: str) -> str:
    """What a terminal of this width gets of the command, which has to succeed."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**command_env(spool.parent), "TERM": "xterm", "LC_ALL": "C.UTF-8", **variables}
    command = command_line(*words, "--spool", spool)
    with subprocess.Popen(command, env=env, stdin=child, stdout=child, stderr=subprocess.PIPE) as process:
        os.close(child)
        received = b""
        while True:
            try:
                block = os.read(parent, 65536)
            except OSError:  # EIO: the other side is closed
                break
            if not block:
                break
            received += block
        os.close(parent)
        assert process.stderr is not None
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")
    return received.decode().replace("\r\n", "\n")


def line(
    number: int, name: str = "python_mcp_event", *, component: str = "c1", pid: int = 4242, **fields: Any
) -> bytes:
    """One stored event without its newline; ``second`` is seconds after 10:00 (default: its number)."""
    second = fields.pop("second", number)
    mcp = fields.pop("mcp", None)
    event = {
        "meta": {
            "name": name,
            "type": "event",
            "origin": "bluerock_hooks",
            "schema": "1.0",
            "sensor_id": 1,
            "source_event_id": number,
            "component_id": component,
        },
        "context": {"process": {"pid": pid}, **({"mcp": mcp} if mcp else {})},
        **fields,
    }
    stamp = f"2026-11-22T10:{second // 60:02d}:{second % 60:02d}.{number % 1000:03d}000Z"
    stored = {"ts": stamp, "event": event}
    try:
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # lone surrogates exist in JSON only as escapes
        return json.dumps(stored, separators=(",", ":")).encode()
