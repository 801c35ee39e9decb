"""Streamable HTTP of both eras and memory: every message once a side, with the session it belongs to."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES, Peer, named, read_spool
from _serving import serving
from _wire import NAMES, expected, messages_of_tee, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent.parent
CLIENT = EXAMPLES / "client.py"

HTTP = [
    pytest.param("mcp==1.30.0", [], [], id="mcp-1.30"),
    pytest.param("mcp==1.30.0", [], ["stateless"], id="mcp-1.30-stateless"),
    pytest.param("mcp==2.3.0", [], [], id="mcp-2.3-2026"),
    pytest.param("mcp==2.3.0", ["--mode", "legacy"], [], id="mcp-2.3-2025"),
]


@pytest.mark.parametrize(("sdk", "arguments", "words"), HTTP)
def test_every_message_over_http_is_recorded_once_for_each_side(
    sdk: str,
    arguments: list[str],
    words: list[str],
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    peer = peer_venv("3.11", sdk, "uvicorn")
    log = tmp_path / "wire.log"
    with serving(peer, sensor_env, log, words) as url:
        done = peer.run("python", CLIENT, *arguments, "--url", url, env=sensor_env)
    with serving(peer, {**sensor_env, "BLUEROCK_ENABLE": "0"}, tmp_path / "dark.log", words) as url:
        dark = peer.run("python", CLIENT, *arguments, "--url", url, env={**sensor_env, "BLUEROCK_ENABLE": "0"})
    assert (done.stdout, done.stderr) == (dark.stdout, dark.stderr)
    wire = messages_of_tee(log)
    assert len(wire) > 20
    events = read_spool(spool)
    for side in ("client", "server"):
        assert recorded(events, side) == expected(wire, side)
    messages = named(events, "python_mcp_event")
    assert {event["transport"] for event in messages} == {"http"}
    sessions = {event.get("session_id") for event in messages if event.get("method") == "tools/call"}
    if "stateless" in words or (sdk == "mcp==2.3.0" and not arguments):
        assert sessions == {None}
    else:
        # One session, known to both sides.
        assert len(sessions) == 1
        assert None not in sessions
    (connect,) = named(events, "python_mcp_client_connect")
    assert connect["server"] == {"type": "http", "url": url_without_port(connect["server"]["url"]), "auth": False}


def url_without_port(url: str) -> str:
    """The address, after a look at its shape; its port is another in each run."""
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/mcp")
    return url


@pytest.mark.parametrize(("sdk", "mode"), [("mcp==1.30.0", "legacy"), ("mcp==2.3.0", "legacy"), ("mcp==2.3.0", "auto")])
def test_every_message_in_memory_is_recorded_once_for_each_side(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    log = tmp_path / "memory.log"
    command = ("python", HERE / "_memory_witness.py", log, EXAMPLES, mode)
    done = peer.run(*command, env=sensor_env)
    dark = peer.run(*command[:2], tmp_path / "dark.log", *command[3:], env={**sensor_env, "BLUEROCK_ENABLE": "0"})
    assert (done.stdout, done.stderr) == (dark.stdout, dark.stderr)
    events = read_spool(spool)
    client, server = recorded(events, "client"), recorded(events, "server")
    if mode == "auto":  # in process: calls instead of messages, and each side has ids of its own
        assert not log.read_bytes()
        calls = Counter(method for (_, (_, method)), n in client.items() for _ in range(n))
        assert calls == Counter(method for (_, (_, method)), n in server.items() for _ in range(n))
        assert calls["tools/call"] == 4
    else:
        # The same messages on both sides under their two names, and no other than the streams carried.
        mirror = dict(NAMES.values()) | {b: a for a, b in NAMES.values()}
        assert Counter({(mirror[name], key): n for (name, key), n in server.items()}) == client
        wire = [json.loads(line) for line in log.read_text().splitlines()]
        assert len(wire) == sum(client.values())
        assert Counter(str(m.get("id")) for m in wire if "id" in m) == Counter(
            identity for (_, (identity, _)), n in client.items() for _ in range(n) if identity
        )
    tools = [e["context"]["mcp"]["tool"] for e in named(events, "server_send_response") if e["method"] == "tools/call"]
    assert sorted(tools) == ["add", "count", "divide", "sign_in"]
    for event in named(events, "python_mcp_event"):
        assert event["transport"] == "memory"
