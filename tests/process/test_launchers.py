"""Ways in which people start MCP servers: in each the sensor is on, and every message of the server is recorded."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from _peers import EXAMPLES, Peer, named, read_spool, uv
from _wire import TEE, expected, messages_of_tee, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT = EXAMPLES / "client.py"
SERVER = EXAMPLES / "server.py"
FAST = Path(__file__).parent.parent / "matrix" / "stage" / "fast.py"
DRIVE = Path(__file__).parent.parent / "_drive.py"
CALLS = ["add", "count", "divide", "sign_in"]


class Launcher(NamedTuple):
    """A command over stdio and what its environment needs.

    ``{wheel}``: ours, where the launcher makes an environment of its own, as ``--with bluerock-hooks`` does.
    """

    packages: tuple[str, ...]
    command: tuple[str, ...]


UV = ("env", "UV_CACHE_DIR={cache}", "SSL_CERT_FILE={certificates}", "{uv}")
ISOLATED = ("run", "--quiet", "--no-project", "--isolated", "--python", "{python}", "--with", "{wheel}")
STDIO = {
    "bluerock-hooks run": Launcher(("mcp==2.3.0",), ("{bin}/bluerock-hooks", "run", "{server}")),
    "mcp run, mcp 1.x": Launcher(("mcp[cli]==1.30.0",), ("{bin}/mcp", "run", "{server}:server")),
    "mcp run, mcp 2.x": Launcher(("mcp[cli]==2.3.0",), ("{bin}/mcp", "run", "{server}:server")),
    "fastmcp run": Launcher(("fastmcp==3.4.11",), ("{bin}/fastmcp", "run", f"{FAST}:build", "--no-banner")),
    "uv run --with": Launcher(("mcp==2.3.0",), (*UV, *ISOLATED, "--with", "mcp==2.3.0", "{server}")),
    # What ``mcp dev`` has the inspector start.
    "uv run --with mcp run": Launcher(
        ("mcp==2.3.0",), (*UV, *ISOLATED, "--with", "mcp[cli]==2.3.0", "mcp", "run", "{server}:server")
    ),
    # The tool's own entry point is a server here.
    "uvx --with": Launcher(
        ("mcp==2.3.0",),
        (*UV, "tool", "run", "--quiet", "--isolated", "--python", "{python}", "--with", "{wheel}", "--with",
         "mcp[cli]==2.3.0", "--from", "mcp==2.3.0", "mcp", "run", "{server}:server"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STDIO)
def test_a_launcher_over_stdio_starts_a_server_that_is_recorded(
    name: str,
    wheel: Path,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    launcher = STDIO[name]
    peer = peer_venv("3.11", *launcher.packages)
    cache = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True).stdout.strip()
    known = {
        "bin": peer.bin, "server": SERVER, "wheel": wheel, "uv": uv(), "python": "3.11", "cache": cache,
        "certificates": os.environ.get("SSL_CERT_FILE", ""),
    }  # fmt: skip
    command = [word.format(**known) for word in launcher.command]
    tee = [sys.executable, "-S", str(TEE), str(tmp_path / "wire.log")]
    env = {**sensor_env, "PYTHONPATH": str(EXAMPLES)}
    done = peer.run("python", DRIVE, '[["add", {"a": 40, "b": 2}]]', *tee, *command, env=env, timeout=300)
    assert '"text": "42"' in done.stdout
    events = read_spool(spool)
    for side in ("client", "server"):
        assert recorded(events, side) == expected(messages_of_tee(tmp_path / "wire.log"), side)
    assert tools(events) == ["add"]


def tools(events: list[dict[str, object]]) -> list[str]:
    """The tools that servers were asked to call."""
    asked = named(events, "server_received_request")
    return sorted(event["context"]["mcp"]["tool"] for event in asked if event["method"] == "tools/call")


APP = f"""\
import sys
sys.path.insert(0, {str(EXAMPLES)!r})
from server import server
app = server.streamable_http_app()
"""
WORKERS = 2
HTTP = {
    "uvicorn --workers": (
        ("mcp==2.3.0", "uvicorn"),
        ("{bin}/uvicorn", "app:app", "--workers", str(WORKERS), "--port", "{port}", "--log-level", "critical"),
    ),
    "gunicorn": (
        ("mcp==2.3.0", "uvicorn", "gunicorn", "uvicorn-worker"),
        ("{bin}/gunicorn", "app:app", "--workers", str(WORKERS), "--worker-class", "uvicorn_worker.UvicornWorker",
         "--bind", "127.0.0.1:{port}", "--log-level", "critical", "--no-control-socket"),
    ),
}  # fmt: skip


@contextmanager
def running(command: list[str], env: dict[str, str], directory: Path, port: int) -> Iterator[None]:
    """A server until it listens, and until it has ended."""
    with subprocess.Popen(command, env=env, cwd=directory, stdin=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None
                time.sleep(0.1)
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


@pytest.mark.parametrize("name", HTTP)
def test_every_worker_of_an_http_server_is_recorded(
    name: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    packages, words = HTTP[name]
    peer = peer_venv("3.11", *packages)
    (tmp_path / "app.py").write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.format(bin=peer.bin, port=port) for word in words]
    clients = 4
    with running(command, sensor_env, tmp_path, port):
        dark = {**sensor_env, "BLUEROCK_ENABLE": "0"}
        for _ in range(clients):
            peer.run("python", CLIENT, "--url", f"http://127.0.0.1:{port}/mcp", env=dark, timeout=300)
    events = read_spool(spool)
    assert tools(events) == sorted(CALLS * clients)
    served = {event["context"]["process"]["pid"] for event in named(events, "python_mcp_server_init")}
    assert len(served) == WORKERS
    assert served <= {event["context"]["process"]["pid"] for event in named(events, "sensor_startup")}
