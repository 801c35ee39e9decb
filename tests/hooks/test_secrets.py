"""No secret that anything labels reaches a file of ours: real servers, clients and tools, and a search for bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _canaries import canary, forms
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

SCRIPT = Path(__file__).with_name("_leaking.py")
EVERYWHERE = 34  # places at which each transport has a secret, at least


def planted(said: str) -> list[str]:
    return sorted(set(re.findall(r"^planted (.+)$", said, re.M)))


def leaks(places: list[str], files: dict[str, bytes]) -> list[tuple[str, str, bytes]]:
    """Place, file and form of each secret that is somewhere."""
    return [
        (place, name, form)
        for place in places
        for name, content in files.items()
        for form in forms(canary(place))
        if form.lower() in content.lower()
    ]


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_search_finds_every_form() -> None:
    for form in forms(canary("x")):
        assert leaks(["x"], {"file": b"... " + form + b" ..."})
    assert not leaks(["x"], {"file": canary("y").encode()})


@pytest.mark.parametrize(
    ("sdk", "transport"),
    [
        ("mcp==1.30.0", "http"),
        ("mcp==2.3.0", "stdio"),
        pytest.param("mcp==1.30.0", "stdio", marks=pytest.mark.stress),
        pytest.param("mcp==2.3.0", "http", marks=pytest.mark.stress),
    ],
)
def test_no_labelled_secret_of_a_real_run_is_in_any_file_of_ours(
    sdk: str, transport: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    log, work = tmp_path / "sensor.log", tmp_path / "work"
    work.mkdir()
    env = {**sensor_env, "BLUEROCK_LOG": f"debug:{log}", "PYTHONWARNINGS": "ignore"}
    if transport == "stdio":
        said = peer.run("python", SCRIPT, "stdio", work, env=env).stderr
    else:
        command = [str(peer.python), str(SCRIPT), "serve-http"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=env, cwd=peer.directory, stdout=pipe, stderr=pipe, text=True) as server:
            assert server.stdout is not None
            try:
                address = server.stdout.readline().strip()
                said = peer.run("python", SCRIPT, "http", address, work, env=env).stderr
                files = contents(spool)  # with what is in the rings just now
            finally:
                server.kill()
            said += server.communicate()[1]
        assert not leaks(planted(said), files)
    places = [*planted(said), "default of a parameter"]
    assert len(places) > EVERYWHERE, places
    before = contents(spool)
    events = read_spool(spool)
    files = {**before, **contents(spool), "log": log.read_bytes() if log.exists() else b""}
    # What the program itself says on stderr is its own; ours are lines with our name.
    files["stderr"] = "\n".join(line for line in said.splitlines() if line.startswith("bluerock")).encode()
    assert not leaks(places, files)
    # It was all there: what carried the secrets is recorded.
    assert len(named(events, "python_process_spawn")) >= 7
    assert {"python_socket_connect", "python_file_open", "python_mcp_event"} <= {
        line["event"]["meta"]["name"] for line in events
    }
    assert sum(path.read_bytes().count(b"[redacted]") for path in spool.glob("*.ndjson")) >= len(places)
