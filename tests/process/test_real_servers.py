"""Servers that people run, from PyPI, over stdio: the same answers with the sensor, and all of them recorded."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from _peers import EXAMPLES, Peer, named, read_spool
from _wire import TEE, expected, messages_of_tee, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DRIVE = Path(__file__).parent.parent / "_drive.py"


class Server(NamedTuple):
    """A package, how its server is started, what is asked of it."""

    package: str
    command: tuple[str, ...]
    calls: tuple[tuple[str, dict[str, Any]], ...]
    says: str
    """Found in the answers: it did what it is for."""


CONVERSION = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Tokyo"}
# It prints a set: in the same order each time with a fixed seed.
NOBODY = ("PYTHONHASHSEED=0", "JIRA_URL=http://127.0.0.1:9", "JIRA_USERNAME=nobody", "JIRA_API_TOKEN=none")
SERVERS = [
    pytest.param(
        Server("mcp-server-time==2026.10.19", ("{bin}/mcp-server-time", "--local-timezone", "UTC"),
               (("convert_time", CONVERSION), ("convert_time", {**CONVERSION, "time": "25:00"})), "Asia/Tokyo"),
        id="mcp-server-time",
    ),
    pytest.param(
        Server("mcp-server-git==2026.10.19", ("{bin}/mcp-server-git",),
               (("git_log", {"repo_path": "{repo}"}), ("git_status", {"repo_path": "{repo}"}),
                ("git_diff_unstaged", {"repo_path": "{repo}"}), ("git_show", {"repo_path": "{repo}", "revision": "x"})),
               "first commit"),
        id="mcp-server-git",
    ),
    pytest.param(
        Server("mcp-server-fetch==2026.10.24", ("{bin}/mcp-server-fetch", "--allow-private-ips"),
               (("fetch", {"url": "{url}/page"}), ("fetch", {"url": "{url}/page", "raw": True}),
                ("fetch", {"url": "{url}/none"})), "A page to fetch"),
        id="mcp-server-fetch",
    ),
    pytest.param(
        Server("mcp-server-motherduck==1.1.0", ("{bin}/mcp-server-motherduck", "--db-path", ":memory:", "--read-write"),
               (("execute_query", {"sql": "select 6 * 7 as answer"}), ("execute_query", {"sql": "select nothing"}),
                ("list_databases", {})), "42"),
        id="mcp-server-motherduck",
        marks=pytest.mark.stress,
    ),
    pytest.param(
        Server("mcp-atlassian==0.23.1", ("env", *NOBODY, "{bin}/mcp-atlassian"),
               (("jira_get_issue", {"issue_key": "A-1"}), ("no_such_tool", {})), "jira_search"),
        id="mcp-atlassian",
        marks=pytest.mark.stress,
    ),
]  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit and one change."""
    place = tmp_path / "repository"
    place.mkdir()
    when = "2026-01-01T00:00:00Z"
    env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    (place / "file").write_text("one\n")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "file"], [*who, "commit", "-q", "-m", "first commit"]):
        subprocess.run(["git", *words], cwd=place, env=env, check=True)
    (place / "file").write_text("two\n")
    return place


class Page(http.server.BaseHTTPRequestHandler):
    """One page; no robots.txt."""

    def do_GET(self) -> None:
        found = self.path == "/page"
        body = b"<html><body><article><h1>A page to fetch</h1><p>Words of it.</p></article></body></html>"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body if found else b"")

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.fixture
def website() -> Iterator[str]:
    """An address on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_from_pypi_answers_as_ever_and_is_recorded(
    server: Server,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
    repository: Path,
    website: str,
) -> None:
    peer = peer_venv("3.11", server.package)
    calls = json.dumps(server.calls).replace("{repo}", str(repository)).replace("{url}", website)
    command = [word.replace("{bin}", str(peer.bin)) for word in server.command]

    def drive(env: dict[str, str], log: str) -> tuple[str, str, list[tuple[str, dict[str, Any]]]]:
        tee = [sys.executable, "-S", str(TEE), str(tmp_path / log)]
        done = peer.run("python", DRIVE, calls, *tee, *command, env={**env, "PYTHONPATH": str(EXAMPLES)}, timeout=120)
        return done.stdout, done.stderr, messages_of_tee(tmp_path / log)

    dark = drive({name: value for name, value in sensor_env.items() if not name.startswith("BLUEROCK_")}, "dark.log")
    lit = drive(sensor_env, "lit.log")
    assert server.says in dark[0]
    assert lit[0] == dark[0]
    assert not [line for line in lit[1].splitlines() if line.startswith("bluerock-hooks: ")]
    # Every line of the server's stdout is a message, and the same message.
    assert all(message["jsonrpc"] == "2.0" for _, message in lit[2])
    assert sorted(json.dumps(line) for line in lit[2]) == sorted(json.dumps(line) for line in dark[2])

    events = read_spool(spool)
    for side in ("client", "server"):
        assert recorded(events, side) == expected(lit[2], side)
    tools = {event["context"]["mcp"]["tool"] for event in named(events, "server_received_request")
             if event["method"] == "tools/call"}  # fmt: skip
    assert tools == {name for name, _ in server.calls}
    assert len(named(events, "sensor_startup")) >= 2
