"""The commands on any spool: each ends with a status of its own, and prints what JSON and terminals can take."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from _storage import new_spool

from bluerock_hooks import cli
from bluerock_hooks.cli import imports, show, stats, trace  # noqa: F401  here they are instrumented

from ._drawing import Bytes

_root = Path(tempfile.mkdtemp(prefix="fuzz-spool-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
atexit.register(shutil.rmtree, _root, ignore_errors=True)
spool = new_spool(_root)
EXAMPLES = [
    json.loads(each)
    for each in (Path(__file__).parents[2] / "docs" / "examples.ndjson").read_text("utf-8").splitlines()
]
COMMANDS = (
    ["show"],
    ["show", "--json", "--tool", "a*"],
    ["show", "--date", "--limit", "3"],
    ["trace"],
    ["trace", "--json"],
    ["stats"],
    ["stats", "--json"],
    ["imports"],
    ["imports", "--json"],
)


def one(data: bytes) -> None:
    source = Bytes(data)
    mode = source.byte()
    segments = [b""]
    if mode < 64:
        segments = source.rest().split(b"\xff\xfe")
    else:
        while source:
            if source.byte() % 16 == 0 and len(segments) < 4:
                segments.append(b"")
            segments[-1] += _altered(source) + b"\n"
    check(segments, COMMANDS[mode % len(COMMANDS)])


def check(segments: list[bytes], command: list[str]) -> None:
    for name in os.listdir(spool.path):
        if name.endswith(".ndjson"):
            os.unlink(f"{spool.path}/{name}")
    for number, content in enumerate(segments):
        spool.append(f"9999999{number % 2}-a{number % 3}", number // 2, 0, content)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main([*command, "--spool", spool.path])
    assert status in (0, 1), (status, err.getvalue())
    assert "Traceback" not in err.getvalue()
    text = out.getvalue()
    if "--json" in command:
        for each in text.splitlines() if command[0] == "show" else [text]:
            if each.strip():
                json.loads(each)
    else:
        assert text.replace("\n", "").isprintable(), "something in there commands the terminal"


def _altered(source: Bytes) -> bytes:
    """A real event, one of whose members is another."""
    event = json.loads(json.dumps(EXAMPLES[source.byte() % len(EXAMPLES)]))
    place: Any = event
    for _ in range(source.byte() % 6):
        members = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not members:
            break
        name = members[source.byte() % len(members)]
        if isinstance(place[name], (dict, list)) and source.byte() % 4:
            place = place[name]
            continue
        place[name] = _plain(source.value())
        break
    return json.dumps(event).encode()


def _plain(value: Any) -> Any:
    """What JSON can say of it; infinite numbers, too, which other writers leave there."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float)) else type(value).__name__
