"""Hosts under other people's instrumentation do the same with the sensor as without, and are recorded as ever."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

SCRIPT = Path(__file__).with_name("_beside.py")
CLIENT = EXAMPLES / "client.py"
PACKAGES = ("mcp==1.30.0", "coverage", "debugpy", "typeguard", "pytest", "ddtrace", "sentry-sdk", "opentelemetry-sdk")
COMMANDS: dict[str, tuple[object, ...]] = {
    "nothing": (CLIENT,),
    "observers": (SCRIPT, "observers", EXAMPLES),
    "coverage": ("-m", "coverage", "run", "--data-file=DIRECTORY/data", CLIENT),
    "debugpy": ("-Xfrozen_modules=off", "-m", "debugpy", "--listen", "127.0.0.1:0", CLIENT),
    "cProfile": ("-m", "cProfile", "-o", "DIRECTORY/profile", CLIENT),
    "typeguard": (SCRIPT, "typeguard", EXAMPLES),
    "pytest": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:ddtrace", "DIRECTORY/test_it.py"),
}
OFTEN = ("observers", "coverage")
TEST = f"""
import asyncio, sys
sys.path.insert(0, {str(EXAMPLES)!r})
from mcp.shared.memory import create_connected_server_and_client_session
from server import server

async def call():
    async with create_connected_server_and_client_session(server._mcp_server) as session:
        return (await session.call_tool("add", {{"a": 2, "b": 3}})).content[0].text

def test_passes():
    assert asyncio.run(call()) == "5"

def test_fails():
    answer = asyncio.run(call())
    assert answer == "6"
"""


@pytest.fixture
def peer(peer_venv: Callable[..., Peer]) -> Peer:
    return peer_venv("3.11", *PACKAGES)


def run(peer: Peer, tool: str, env: dict[str, str], directory: Path) -> tuple[str, str, int]:
    """Output and status; what takes time says how much, which differs."""
    directory.mkdir()
    (directory / "test_it.py").write_text(TEST)
    words = [str(word).replace("DIRECTORY", str(directory)) for word in COMMANDS[tool]]
    quiet = {"DD_TRACE_ENABLED": "1", "DD_TRACE_AGENT_URL": "unix:///no/such/agent"}
    quiet |= {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0", "DD_REMOTE_CONFIGURATION_ENABLED": "0"}
    done = peer.run("python", *words, env={**env, **quiet}, check=False, cwd=directory, timeout=120)
    said = [
        re.sub(r"\d+\.\d+s|0x[0-9a-f]+", "", text.replace(str(directory), "")) for text in (done.stdout, done.stderr)
    ]
    return said[0], "" if tool == "observers" else said[1], done.returncode


def messages(spool: Path) -> Counter[tuple[str, str]]:
    return Counter(
        (event["event"], event.get("method", ""))
        for event in (line["event"] for line in read_spool(spool))
        if event["meta"]["name"] == "python_mcp_event"
    )


def lines_covered(peer: Peer, directory: Path) -> dict[str, list[int]]:
    report = directory / "report.json"
    peer.run("coverage", "json", "-q", f"--data-file={directory / 'data'}", "-o", report)
    found = json.loads(report.read_text())["files"]
    return {name: file["executed_lines"] for name, file in found.items() if "bluerock_hooks" not in name}


@pytest.mark.parametrize(
    "tool",
    [pytest.param(tool, marks=() if tool in OFTEN else pytest.mark.stress) for tool in COMMANDS if tool != "nothing"],
)
def test_a_host_under_instrumentation_behaves_the_same(
    tool: str, peer: Peer, sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    without = run(peer, tool, {**sensor_env, "BLUEROCK_ENABLE": "0"}, tmp_path / "off")
    found = run(peer, tool, sensor_env, tmp_path / "on")
    assert found == without
    seen = messages(spool)
    if tool == "pytest":
        assert "assert '5' == '6'" in found[0]
        assert seen["server_received_request", "tools/call"] == seen["client_send_request", "tools/call"] == 2
        return
    assert "add: 5" in found[0]
    if tool == "observers":
        assert "spans ['outer'" in found[0]
        assert not found[0].endswith("transactions 0\n")
    if tool == "coverage":
        assert lines_covered(peer, tmp_path / "on") == lines_covered(peer, tmp_path / "off")
    plain = spool.with_name("plain")
    run(peer, "nothing", {**sensor_env, "BLUEROCK_SPOOL_DIR": str(plain)}, tmp_path / "plain")
    assert seen == messages(plain)
