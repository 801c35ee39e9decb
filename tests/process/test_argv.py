"""The command line of a process that never touches MCP: no secret of it is stored, and most cost no import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = "print(sorted({'re', 'enum', 'msgspec', 'wrapt', 'json', 'threading'} & set(sys.modules)))"

SECRETS = [
    ["--password", "hunter2x"],
    ["--password=hunter2x"],
    ["--pass", "hunter2x"],
    ["-p", "hunter2x"],
    ["DB_PASS=hunter2x"],
    ["--api-key", "hunter2x"],
    ["--token=hunter2x"],
    ["postgresql://svc:hunter2x@10.0.0.1/db"],
    ["Authorization: Bearer hunter2x"],
    ["ghp_hunter2x0123456789abcdefghijklmnopqrs"],
    ["AKIAHUNTER2X01234567"],
]


@pytest.mark.parametrize("arguments", SECRETS, ids=lambda arguments: arguments[0].split("=")[0][:12])
def test_no_secret_of_a_command_line_is_stored(
    arguments: list[str], peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv().run("python", "-c", "pass", *arguments, env=sensor_env)
    (startup,) = named(read_spool(spool), "sensor_startup")
    assert startup["argv"][1:3] == ["-c", "pass"]
    assert "[redacted]" in " ".join(startup["argv"])
    for path in spool.rglob("*.ndjson"):
        assert b"hunter2x" not in path.read_bytes().lower()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--verbose", "--port=8000", "--path", "/usr/lib/python3/dist-packages/module_0123456789.py"],
        ["from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"],
    ],
    ids=["none", "plain", "spawn"],
)
def test_an_ordinary_command_line_costs_no_import_and_is_stored_whole(
    arguments: list[str], peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    code = f"import sys; {HEAVY}\nif 0: pass"
    done = peer_venv().run("python", "-c", code, *arguments, env=sensor_env)
    assert done.stdout == "[]\n"
    (startup,) = named(read_spool(spool), "sensor_startup")
    assert startup["argv"][1:] == ["-c", code, *arguments]
