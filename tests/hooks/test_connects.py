"""What a client connects to: the child's pid, whether credentials are given, and the session both sides agree on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES, named, read_spool
from _serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

SCRIPT = Path(__file__).with_name("_connects.py")

PACKAGES = [
    pytest.param("mcp==1.30.0 websockets", id="mcp-1.30"),
    pytest.param("mcp==2.3.0", id="mcp-2.3"),
    pytest.param("fastmcp==4.1.6", id="fastmcp-4.1"),
    pytest.param("mcp==1.13.1 pydantic<2.12 websockets", id="mcp-1.13", marks=pytest.mark.stress),
    pytest.param("mcp==2.0.0", id="mcp-2.0", marks=pytest.mark.stress),
    pytest.param("fastmcp==2.14.7 mcp<2", id="fastmcp-2.14", marks=pytest.mark.stress),
    pytest.param("fastmcp==3.4.11", id="fastmcp-3.4", marks=pytest.mark.stress),
]


@pytest.mark.parametrize("packages", PACKAGES)
def test_a_connect_says_what_it_is_and_joins_both_sides(
    packages: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", *packages.split(), "uvicorn")
    with (
        serving(peer, sensor_env, tmp_path / "http.log", []) as http,
        serving(peer, sensor_env, tmp_path / "sse.log", ["sse"]) as sse,
    ):
        done = peer.run("python", SCRIPT, EXAMPLES, http, sse, env=sensor_env)
    events = read_spool(spool)
    connects = [event["server"] for event in named(events, "python_mcp_client_connect")]
    assert [{"type": c["type"], "auth": c.get("auth")} for c in connects] == json.loads(done.stdout)

    # Credentials are told of, and nowhere to be found.
    text = b"".join(path.read_bytes() for path in spool.glob("*.ndjson"))
    for secret in (b"sk-connect", b"user:secret", b"api_key=x"):
        assert secret not in text

    # stdio: the child, or one of its descendants, is the server that recorded the other side.
    startups = named(events, "sensor_startup")
    for connect in connects:
        if connect["type"] == "stdio":
            family = [
                startup
                for startup in startups
                if connect["pid"] in (startup["context"]["process"]["pid"], *(a["pid"] for a in startup["ancestors"]))
            ]
            assert len(family) == 1, connect
    created = [event for event in named(events, "python_mcp_session_created") if event["source"] == "client"]
    joined = sorted(event["server_pid"] for event in created if "server_pid" in event)
    assert joined == sorted(connect["pid"] for connect in connects if connect["type"] == "stdio")

    # No transport is unknown, and a session is the same on both sides.
    sessions = {"client": set(), "server": set()}
    for event in named(events, "python_mcp_event"):
        assert event["transport"] != "unknown", event
        if event.get("method") == "tools/call" and event["transport"] in ("http", "sse"):
            sessions[event["event"].partition("_")[0]].add((event["transport"], event.get("session_id")))
    modern = "fastmcp==4" in packages  # its client speaks 2026-07-28 over HTTP, where there are no sessions
    assert any(session for _, session in sessions["server"])
    if "1.13" in packages:  # its SSE client does not tell
        sessions = {side: {s for s in found if s[0] == "http"} for side, found in sessions.items()}
    assert sessions["client"] == sessions["server"]
    assert modern == (("http", None) in sessions["client"])
