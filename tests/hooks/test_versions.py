"""SDKs that we do not know, made of ones that we do, and a sensor that comes late."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _peers
import pytest
from _peers import EXAMPLES, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer


def rewritten(package: Path, pattern: str, replacement: str) -> None:
    """Every file of the package with ``pattern`` replaced."""
    for path in package.rglob("*.py"):
        text = path.read_text()
        changed = re.sub(pattern, replacement, text)
        if changed != text:
            path.write_text(changed)


def method_gone(package: Path) -> None:
    """The handler of a server's requests has another name."""
    rewritten(package, r"\b_on_request\b", "_on_any_request")


def module_gone(package: Path) -> None:
    """The module that has sessions has another name."""
    (package / "shared" / "session.py").rename(package / "shared" / "exchanges.py")
    rewritten(package, r"\bmcp\.shared\.session\b", "mcp.shared.exchanges")


IN_ITS_PLACE = """

class JSONRPCDispatcher(StreamDispatcher):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    async def run(self, *args, **kwargs):
        return await super().run(*args, **kwargs)
"""


def passed_by(package: Path) -> None:
    """The dispatcher is in its place, and another class does its work."""
    rewritten(package, r"\bJSONRPCDispatcher\b", "StreamDispatcher")
    path = package / "shared" / "jsonrpc_dispatcher.py"
    path.write_text(path.read_text() + IN_ITS_PLACE)


DOCTORED = [
    pytest.param("mcp==2.3.0", method_gone, "mcp.server.runner:ServerRunner._on_request", "absent", id="method"),
    pytest.param("mcp==1.30.0", module_gone, "mcp.shared.session:BaseSession.__init__", "absent", id="module"),
    pytest.param(
        "mcp==2.3.0",
        passed_by,
        "mcp.shared.jsonrpc_dispatcher:JSONRPCDispatcher.__init__",
        "unused",
        id="passed-by",
        marks=pytest.mark.stress,
    ),
]


@pytest.mark.parametrize(("sdk", "doctor", "target", "outcome"), DOCTORED)
def test_what_an_unknown_sdk_lacks_is_named_and_the_rest_works(
    sdk: str,
    doctor: Callable[[Path], None],
    target: str,
    outcome: str,
    wheel: Path,
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    peer = _peers.fresh(wheel, tmp_path / "venv", sdk, python="3.11")
    doctor(peer.site / "mcp")
    dark = peer.run("python", EXAMPLES / "client.py", "--mode", "legacy", env={**sensor_env, "BLUEROCK_ENABLE": "0"})
    done = peer.run("python", EXAMPLES / "client.py", "--mode", "legacy", env=sensor_env)
    assert (done.stdout, done.stderr) == (dark.stdout, dark.stderr)

    events = read_spool(spool)
    lacking: dict[int, list[dict[str, Any]]] = {}
    for event in named(events, "sensor_hooks"):
        rows = [row for row in event["hooks"] if row["outcome"] != "applied" and row.get("required")]
        if rows:
            lacking.setdefault(event["context"]["process"]["pid"], []).append({**event, "hooks": rows})
    assert len(lacking) == 2  # client and server
    for found in lacking.values():
        (event,) = found
        assert event["sdk"] == sdk[5]
        assert [(row["target"], row["outcome"]) for row in event["hooks"]] == [(target, outcome)]

    # The rest works.
    assert len(named(events, "python_mcp_client_connect")) == 1
    assert len(named(events, "python_mcp_server_init")) == 1
    if doctor is method_gone:
        assert len(named(events, "server_send_response")) == len(named(events, "client_received_response")) > 8

    told = peer.run("bluerock-hooks", "doctor", "--json", env=sensor_env, check=False)
    assert told.returncode == 1
    problems = [json.dumps(problem) for problem in json.loads(told.stdout)["problems"]]
    assert any(target in problem and outcome in problem for problem in problems), problems


LATE = [
    ("mcp==1.30.0", "mcp"),
    ("mcp==2.3.0", "mcp"),
    ("fastmcp==4.1.6", "fastmcp"),
]


@pytest.mark.parametrize(("packages", "package"), LATE)
def test_a_sensor_that_comes_after_the_sdk_sees_connects_and_transports(
    packages: str, package: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", *packages.split())
    # What the .pth file does at the start is done in the middle instead.
    late = {name: value for name, value in sensor_env.items() if name != "BLUEROCK_ENABLE"}
    done = peer.run("python", Path(__file__).with_name("_late.py"), package, EXAMPLES, env=late)
    assert done.stdout.splitlines()[-1] == "started True"
    assert not done.stderr
    events = read_spool(spool)
    assert named(events, "sensor_startup")[0]["activation"] == "call"
    types = [event["server"]["type"] for event in named(events, "python_mcp_client_connect")]
    assert types == ["memory", "stdio"]
    messages = named(events, "python_mcp_event")
    assert {event["transport"] for event in messages} == {"memory", "stdio"}
    calls = [e for e in messages if (e.get("method"), e["transport"]) == ("tools/call", "stdio")]
    assert [event["event"] for event in calls if event["event"].startswith("client")] == [
        "client_send_request",
        "client_received_response",
    ]
