"""The main job, as the README promises it: run the example with the sensor on, and read what happened."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _peers
import pytest
from _peers import EXAMPLES, ROOT, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SDKS = {
    "mcp 1.9": ("mcp==1.9.4", "pydantic<2.12"),
    "mcp 1.30": ("mcp==1.30.0",),
    "mcp 2.3": ("mcp==2.3.0",),
}
SECRET = "sk-example-0123456789abcdef0123456789abcdef"


@pytest.fixture(params=SDKS, ids=lambda name: name.replace(" ", "-"))
def venv(request: pytest.FixtureRequest, peer_venv: Callable[..., _peers.Peer]) -> _peers.Peer:
    return peer_venv(_peers.CURRENT, *SDKS[request.param])


@pytest.fixture
def switched_off(sensor_env: dict[str, str]) -> dict[str, str]:
    return {**sensor_env, "BLUEROCK_ENABLE": "0"}


def written(spool: Path) -> bytes:
    return b"".join(path.read_bytes() for path in spool.rglob("*") if path.is_file())


def test_the_example_prints_the_same_with_and_without(
    venv: _peers.Peer, sensor_env: dict[str, str], switched_off: dict[str, str]
) -> None:
    off = venv.run("python", EXAMPLES / "client.py", env=switched_off)
    on = venv.run("bluerock-hooks", "run", EXAMPLES / "client.py", env=switched_off)
    assert on.stdout == off.stdout
    assert "add: 5" in on.stdout
    assert on.stderr == off.stderr


def test_both_sides_of_the_example_are_recorded(venv: _peers.Peer, switched_off: dict[str, str], spool: Path) -> None:
    venv.run("bluerock-hooks", "run", EXAMPLES / "client.py", env=switched_off)
    events = _peers.read_spool(spool)
    assert len(named(events, "sensor_startup")) == 2, "the client, and the server that it started"
    assert {event["server"]["name"] for event in named(events, "python_mcp_server_init")} == {"example-server"}
    for request, response in (
        ("client_send_request", "client_received_response"),
        ("server_received_request", "server_send_response"),
    ):
        calls = [event for event in named(events, request) if event["method"] == "tools/call"]
        answers = [event for event in named(events, response) if event["method"] == "tools/call"]
        assert [event["context"]["mcp"]["tool"] for event in calls] == ["add", "count", "divide", "sign_in"]
        assert [event["id"] for event in calls] == [event["id"] for event in answers]
        assert [event["outcome"] for event in answers] == ["ok", "ok", "tool_error", "ok"]
        assert all(event["duration_ms"] > 0 for event in answers)
    assert len(named(events, "server_send_notification")) == 3, "the progress reports"
    assert len(named(events, "client_received_notification")) == 3


def test_the_secret_of_the_example_is_in_no_file(venv: _peers.Peer, switched_off: dict[str, str], spool: Path) -> None:
    venv.run("bluerock-hooks", "run", EXAMPLES / "client.py", "--secret", SECRET, env=switched_off)
    data = written(spool)
    assert b"sign_in" in data
    assert SECRET.encode() not in data
    assert SECRET.removeprefix("sk-example-").encode() not in data


def test_show_prints_one_readable_line_an_event(venv: _peers.Peer, switched_off: dict[str, str], spool: Path) -> None:
    venv.run("bluerock-hooks", "run", EXAMPLES / "client.py", env=switched_off)
    every = venv.run("bluerock-hooks", "show", "--event", "*", env=switched_off)
    assert len(every.stdout.splitlines()) == len(_peers.read_spool(spool))
    done = venv.run("bluerock-hooks", "show", env=switched_off)  # without the imports that are as they should be
    assert set(done.stdout.splitlines()) < set(every.stdout.splitlines())
    for word in ("sensor_startup", "tools/call", "add", "tool_error", "sign_in"):
        assert word in done.stdout
    assert done.stderr == ""


def test_a_server_that_only_its_client_configuration_switches_on(
    venv: _peers.Peer, sensor_env: dict[str, str], switched_off: dict[str, str], spool: Path
) -> None:
    """The ``env`` of an ``mcpServers`` entry reaches the server, though its client knows nothing of us."""
    entry = ["env", "BLUEROCK_ENABLE=1", f"BLUEROCK_SPOOL_DIR={spool}", venv.python, EXAMPLES / "server.py"]
    done = venv.run("python", EXAMPLES / "client.py", "--server-command", *entry, env=switched_off)
    assert "add: 5" in done.stdout
    events = _peers.read_spool(spool)
    assert len(named(events, "sensor_startup")) == 1
    assert len(named(events, "server_received_request")) > 5


@pytest.fixture
def address(venv: _peers.Peer, sensor_env: dict[str, str]) -> Iterator[str]:
    """The example server over HTTP, with the sensor on."""
    command = [str(venv.python), str(EXAMPLES / "http_server.py")]
    with subprocess.Popen(command, env=sensor_env, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def test_the_example_over_http(venv: _peers.Peer, address: str, sensor_env: dict[str, str], spool: Path) -> None:
    done = venv.run("python", EXAMPLES / "client.py", "--url", address, env=sensor_env)
    assert "add: 5" in done.stdout
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shown = venv.run("bluerock-hooks", "show", "--json", "--event", "server_received_request", env=sensor_env)
        if shown.stdout.count('"method":"tools/call"'):
            break
        time.sleep(0.2)
    assert '"transport":"http"' in shown.stdout
    assert SECRET.encode() not in written(spool)


def test_the_readme_s_first_command(tmp_path: Path, switched_off: dict[str, str]) -> None:
    """Word for word, in a copy of the repository, with an empty home."""
    block = re.search(r"^## Try it\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S | re.M)
    assert block
    copy = tmp_path / "clone"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build"))
    env = {name: text for name, text in switched_off.items() if not name.startswith("BLUEROCK_")}
    python = Path(_peers.interpreter()).resolve()
    env["PATH"] = f"{_alone(tmp_path, python)}:{env['PATH']}"
    done = subprocess.run(["sh", "-c", block[1]], cwd=copy, env=env, capture_output=True, text=True, timeout=300)
    if "Could not find a version" in done.stderr or "ensurepip is not available" in done.stdout + done.stderr:
        _peers.missing(done.stderr[-300:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "add: 5" in done.stdout
    assert "tools/call" in done.stdout


def _alone(directory: Path, python: Path) -> Path:
    """A directory in which this interpreter, not its virtual environment, is called ``python3``."""
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    (bin_directory / "python3").symlink_to(python)
    return bin_directory
