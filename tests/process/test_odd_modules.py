"""Whatever stands in ``sys.modules``, under whatever name: the program runs as without us, and the record is sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _command import call
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(__file__).with_name("_odd_modules.py")


@pytest.mark.parametrize("python", ["3.10", "3.13"])
@pytest.mark.parametrize("imports", ["on", "all"])
def test_odd_modules_names_and_specs(
    python: str,
    imports: str,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    peer = peer_venv(python)
    seen = []
    for enable in ("0", "1"):
        directory = tmp_path / enable
        directory.mkdir()
        env = {**sensor_env, "BLUEROCK_ENABLE": enable, "BLUEROCK_IMPORTS": imports, "PYTHONUTF8": "1"}
        done = peer.run("python", PROGRAM, directory, env={**env, "PYTHONIOENCODING": "utf-8:backslashreplace"})
        seen.append((done.stdout, done.stderr, done.returncode))
    assert seen[0] == seen[1]
    assert "Text.rpartition" not in seen[1][0]
    events = read_spool(spool)  # as the schema says; no exception of ours was swallowed
    found = {event["fullname"] for event in named(events, "python_import") if event.get("fullname")}
    assert {"new\nline", "sur\udc80rogate", "lone\ud800", "nul\0", "number", "liar"} <= found
    lines = [line for path in spool.glob("*.ndjson") for line in path.read_bytes().splitlines()]
    assert max(map(len, lines)) <= 65536
    assert not named(events, "python_events_dropped")
    for command in (["imports"], ["imports", "--json"], ["show"], ["stats"], ["doctor"]):
        done = call(spool.parent, *command, "--spool", spool, env={"BLUEROCK_SPOOL_DIR": str(spool)})
        assert done.returncode in (0, 1), (command, done.stderr)
        assert b"Traceback" not in done.stderr
