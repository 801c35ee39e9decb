"""First light: the real wheel, real clients and servers of both SDK generations, and a witness on the wire between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _disks import mounted
from _peers import EXAMPLES, Peer, named, read_spool
from _wire import TEE, expected, messages_of_tee, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

SDKS = ("mcp==1.30.0", "mcp==2.3.0")
CLIENT = EXAMPLES / "client.py"
SERVER = EXAMPLES / "server.py"

# (Python, SDK, arguments of the example client, protocol version that must be negotiated)
EXCHANGES = [
    pytest.param("3.11", "mcp==1.30.0", [], "2025-11-25", id="mcp-1.30"),
    pytest.param("3.11", "mcp==2.3.0", [], "2026-07-28", id="mcp-2.3-2026"),
    pytest.param("3.11", "mcp==2.3.0", ["--mode", "legacy"], "2025-11-25", id="mcp-2.3-2025"),
    pytest.param("3.10", "mcp==1.30.0", [], "2025-11-25", id="mcp-1.30-python-3.10"),
    pytest.param("3.11", "mcp==2.0.0", [], "2026-07-28", id="mcp-2.0"),
    pytest.param("3.13", "mcp==2.3.0", [], "2026-07-28", id="mcp-2.3-python-3.13"),
]


def talk(peer: Peer, env: dict[str, str], log: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """The example client and server with a tee between them; the tee runs without ``site``, outside the sensor."""
    tee = [sys.executable, "-S", str(TEE), str(log), str(peer.python), str(SERVER)]
    return peer.run("python", CLIENT, *arguments, "--server-command", *tee, env=env)


@pytest.mark.parametrize(("python", "sdk", "arguments", "version"), EXCHANGES)
def test_every_message_on_the_wire_is_in_the_spool_once_for_each_side_and_the_host_notices_nothing(
    python: str,
    sdk: str,
    arguments: list[str],
    version: str,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    peer = peer_venv(python, sdk)
    dark = {name: value for name, value in sensor_env.items() if not name.startswith("BLUEROCK_")}
    without = talk(peer, dark, tmp_path / "without.log", arguments)
    assert not spool.exists()
    done = talk(peer, sensor_env, tmp_path / "wire.log", arguments)
    assert (done.stdout, done.stderr, done.returncode) == (without.stdout, without.stderr, without.returncode)

    wire = messages_of_tee(tmp_path / "wire.log")
    assert len(wire) > 20
    events = read_spool(spool)
    for side in ("client", "server"):
        assert recorded(events, side) == expected(wire, side)

    # One process of each side, and each event is of the one that says so.
    startups = named(events, "sensor_startup")
    assert len(startups) == 2
    server = next(event for event in startups if str(CLIENT) not in event["argv"])
    client = next(event for event in startups if str(CLIENT) in event["argv"])
    assert client["context"]["process"]["pid"] in [parent["pid"] for parent in server["ancestors"]]
    messages = named(events, "python_mcp_event")
    for event in messages:
        side = server if event["event"].startswith("server") else client
        assert event["meta"]["component_id"] == side["meta"]["component_id"]
        assert event["transport"] == "stdio"
    assert {event.get("protocol_version") for event in messages[-10:]} == {version}
    assert {event["server_name"] for event in messages if "server_name" in event} == {"example-server"}
    for component in (server, client):
        ids = [
            line["event"]["meta"]["source_event_id"]
            for line in events
            if line["event"]["meta"]["component_id"] == component["meta"]["component_id"]
        ]
        assert sorted(ids) == list(range(1, len(ids) + 1))

    outcomes = {event["context"]["mcp"]["tool"]: event["outcome"] for event in named(events, "client_received_response")
                if event["method"] == "tools/call"}  # fmt: skip
    assert outcomes == {"add": "ok", "count": "ok", "divide": "tool_error", "sign_in": "ok"}
    for event in messages:
        if event["event"] in ("client_received_response", "server_send_response"):
            assert event["duration_ms"] >= 0
            assert event["context"]["mcp"]["request_id"] == event["id"]
    assert len(named(events, "python_mcp_server_init")) == 1
    assert named(events, "python_mcp_server_init")[0]["server"]["name"] == "example-server"
    assert [event["source"] for event in named(events, "python_mcp_session_created")].count("client") == 1
    assert [event["source"] for event in named(events, "python_mcp_session_terminated")].count("server") == 1
    (connect,) = named(events, "python_mcp_client_connect")
    assert connect["server"]["command"] == sys.executable
    assert len(named(events, "sensor_shutdown")) == 2
    for hooks in named(events, "sensor_hooks"):
        assert {hook["outcome"] for hook in hooks["hooks"]} == {"applied"}

    # The key the client passed to sign_in: in no file, under no shape.
    for path in spool.rglob("*"):
        if path.is_file():
            assert b"sk-example-0123456789abcdef" not in path.read_bytes()
            assert path.stat().st_mode & 0o777 == 0o600
    assert spool.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("sdk", SDKS)
def test_progress_that_a_tool_reports_belongs_to_its_call(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    talk(peer_venv("3.11", sdk), sensor_env, tmp_path / "wire.log", [])
    events = read_spool(spool)
    (call,) = [
        event for event in named(events, "server_received_request") if event["context"]["mcp"].get("tool") == "count"
    ]
    reports = named(events, "server_send_notification")
    assert len(reports) == 3
    for report in reports:
        assert report["context"]["mcp"] == call["context"]["mcp"]


@pytest.mark.parametrize("sdk", SDKS)
def test_after_kill_9_straight_after_a_reply_show_prints_every_event_up_to_it(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    server = subprocess.Popen(
        [str(peer.python), str(SERVER)],
        env=sensor_env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=peer.directory,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    initialize: dict[str, Any] = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "killer", "version": "1"},
    }
    calls = 5

    def send(message: dict[str, Any]) -> None:
        assert server.stdin is not None
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        server.stdin.flush()

    send({"id": 0, "method": "initialize", "params": initialize})
    assert json.loads(server.stdout.readline())["id"] == 0
    send({"method": "notifications/initialized"})
    for number in range(1, calls + 1):
        send({"id": number, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": number}}})
        assert json.loads(server.stdout.readline())["id"] == number
    server.send_signal(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    for pipe in (server.stdin, server.stdout, server.stderr):
        assert pipe is not None
        pipe.close()

    shown = peer.run("bluerock-hooks", "show", "--json", "--event", "python_mcp_event", env=sensor_env).stdout
    events = [json.loads(line)["event"] for line in shown.splitlines()]
    replies = [event["id"] for event in events if event["event"] == "server_send_response"]
    requests = [event["id"] for event in events if event["event"] == "server_received_request"]
    assert replies == requests == list(range(calls + 1))
    assert {event["client_name"] for event in events} == {"killer"}

    readable = peer.run("bluerock-hooks", "show", env=sensor_env)
    assert readable.stdout.count("tools/call") == 2 * calls
    assert "\x1b" not in readable.stdout

    # Recovery puts them into the spool, once; nobody recovers them twice.
    first, again = read_spool(spool), read_spool(spool)
    assert first == again
    assert len(named(first, "python_mcp_event")) == len(events)


PROGRAM = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"


def run_host(peer: Peer, env: dict[str, str]) -> tuple[str, list[str], int]:
    """A host that prints and ends with 7: its stdout, the lines of its stderr, its exit status."""
    done = peer.run("python", "-c", PROGRAM, env=env, check=False)
    return done.stdout, done.stderr.splitlines(), done.returncode


def one_line_about(stderr: list[str], *words: str) -> None:
    """The host's own line, and exactly one of ours that has all these words."""
    ours = [line for line in stderr if line != "err"]
    assert len(ours) == 1, stderr
    assert ours[0].startswith("bluerock-hooks: ")
    for word in words:
        assert word in ours[0], ours[0]


def test_a_broken_configuration_file_costs_one_line(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    file = Path(sensor_env["HOME"], ".bluerock", "bluerock-hooks.json")
    file.parent.mkdir()
    file.write_text('{"payloads": ')
    stdout, stderr, status = run_host(peer_venv("3.11"), sensor_env)
    assert (stdout, status) == ("out\n", 7)
    one_line_about(stderr, str(file), "not valid JSON", "mend or remove")
    assert len(named(read_spool(spool), "sensor_startup")) == 1


def test_settings_nobody_knows_cost_one_line(peer_venv: Callable[..., Peer], sensor_env: dict[str, str]) -> None:
    wrong = {"BLUEROCK_PAYLOADS": "everything", "BLUEROCK_RING_BYTES": "much", "BLUEROCK_SPOOLDIR": "/tmp"}
    stdout, stderr, status = run_host(peer_venv("3.11"), {**sensor_env, **wrong})
    assert (stdout, status) == ("out\n", 7)
    one_line_about(stderr, "BLUEROCK_PAYLOADS", "(and 2 more)", "doctor")


def test_a_spool_that_cannot_be_made_costs_one_line(peer_venv: Callable[..., Peer], sensor_env: dict[str, str]) -> None:
    Path(sensor_env["HOME"], "file").touch()
    env = {**sensor_env, "BLUEROCK_SPOOL_DIR": sensor_env["HOME"] + "/file/spool"}
    stdout, stderr, status = run_host(peer_venv("3.11"), env)
    assert (stdout, status) == ("out\n", 7)
    one_line_about(stderr, "/file/spool", "BLUEROCK_SPOOL_DIR")


def test_a_spool_that_is_read_only_costs_one_line(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    with mounted(tmp_path / "read-only", 64 << 10, options="ro") as place:
        env = {**sensor_env, "BLUEROCK_SPOOL_DIR": str(place / "spool")}
        stdout, stderr, status = run_host(peer_venv("3.11"), env)
    assert (stdout, status) == ("out\n", 7)
    one_line_about(stderr, str(place / "spool"), "BLUEROCK_SPOOL_DIR")


def test_a_disk_that_is_full_from_the_start_costs_one_line(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    with mounted(tmp_path / "full", 256 << 10) as place:
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/fill", "bs=4k"], capture_output=True)
        env = {**sensor_env, "BLUEROCK_SPOOL_DIR": str(place / "spool")}
        stdout, stderr, status = run_host(peer_venv("3.11"), env)
    assert (stdout, status) == ("out\n", 7)
    one_line_about(stderr, "No space left", "BLUEROCK_SPOOL_DIR")


@pytest.mark.parametrize("sdk", SDKS)
def test_an_mcp_server_on_a_full_disk_answers_as_ever(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    """Room for two rings and nothing else: the segments cannot be written."""
    peer = peer_venv("3.11", sdk)
    without = talk(peer, {**sensor_env, "BLUEROCK_ENABLE": "0"}, tmp_path / "without.log", [])
    with mounted(tmp_path / "small", 384 << 10) as place:
        env = {**sensor_env, "BLUEROCK_SPOOL_DIR": str(place / "spool"), "BLUEROCK_RING_BYTES": "64k"}
        fill = subprocess.run(["sh", "-c", f"dd if=/dev/zero of={place}/fill bs=4k count=48"], capture_output=True)
        assert fill.returncode == 0
        done = talk(peer, env, tmp_path / "with.log", [])
    assert (done.stdout, done.returncode) == (without.stdout, 0)
    assert all(line.startswith("bluerock-hooks: ") for line in done.stderr.splitlines())


def test_without_home_one_line_says_where_events_go(peer_venv: Callable[..., Peer], sensor_env: dict[str, str]) -> None:
    env = {name: value for name, value in sensor_env.items() if name not in ("HOME", "BLUEROCK_SPOOL_DIR")}
    # The user's real home directory is not ours to write to: stop at the exclusion list, after the settings were read.
    code = "import os; from bluerock_hooks import config; print(*config.load(os.environ).problems, sep='\\n')"
    peer = peer_venv("3.11")
    done = peer.run("python", "-c", code, env={**env, "BLUEROCK_ENABLE": "0"})
    assert "HOME is not set" in done.stdout
    assert "BLUEROCK_SPOOL_DIR" in done.stdout

    stdout, stderr, status = run_host(peer, {**env, "BLUEROCK_SPOOL_DIR": sensor_env["BLUEROCK_SPOOL_DIR"]})
    assert (stdout, stderr, status) == ("out\n", ["err"], 7), "with a spool of its own HOME does not matter"

    # A user that no database knows has no home at all. In a user namespace of its own it may still read everything.
    unshare = ["unshare", "--user", "--map-user=54321"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("MISSING PEER: unshare --user --map-user")
    command = [*unshare, str(peer.python), "-c", PROGRAM]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd="/")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    one_line_about(done.stderr.splitlines(), "HOME is not set", "BLUEROCK_SPOOL_DIR")


LARGE = """\
import asyncio, _in_memory

async def main():
    async with _in_memory.connect("legacy") as session:
        await session.call_tool("sign_in", {"user": "word " * 6000, "api_key": ""})

asyncio.run(main())
"""


def test_a_message_too_long_for_a_small_ring_is_cut_like_any_other_large_one(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    path = f"{EXAMPLES}:{Path(__file__).parent.parent}"
    whole = {"BLUEROCK_PAYLOADS": "full", "BLUEROCK_RING_BYTES": "64k", "PYTHONPATH": path}
    peer_venv("3.11", "mcp==2.3.0").run("python", "-c", LARGE, env={**sensor_env, **whole})
    calls = [event for event in named(read_spool(spool), "server_received_request") if event["method"] == "tools/call"]
    assert [event["message"]["oversize"] > 16 << 10 for event in calls] == [True]
    assert calls[0]["context"]["mcp"]["tool"] == "sign_in"
