"""Servers that fork workers, in Python and in C: every worker answers, ends, and tells of its own doings only.

``BLUEROCK_TEST_STARTS`` says how often ``-m stress`` starts each. uWSGI is not asked to fork after MCP was spoken: its
fork in C beside the SDK's own worker threads leaves workers without a GIL, with and without a sensor.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from _hosts import Run, reported
from _peers import EXAMPLES, SUPPORTED, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

HERE = Path(__file__).parent
STARTS = int(os.environ.get("BLUEROCK_TEST_STARTS", "50"))
WORKERS, REQUESTS = 2, 12

GUNICORN = ("gunicorn", "--workers", str(WORKERS), "--bind", "127.0.0.1:{port}", "--log-level", "critical",
            "--no-control-socket")  # fmt: skip
UVICORN = ("--worker-class", "uvicorn_worker.UvicornWorker")
UWSGI = ("uwsgi", "--http-socket", "127.0.0.1:{port}", "--master", "--processes", str(WORKERS), "--die-on-term",
         "--need-app", "--home", "{venv}", "--wsgi-file", "_prefork_app.py", "--disable-logging")  # fmt: skip
SERVERS = {
    "gunicorn": ("gunicorn", (*GUNICORN, "_prefork_app:application")),
    "gunicorn --preload": ("gunicorn", (*GUNICORN, "--preload", "_prefork_app:application")),
    "gunicorn, uvicorn workers": ("gunicorn uvicorn uvicorn-worker", (*GUNICORN, *UVICORN, "_prefork_app:app")),
    "gunicorn --preload, uvicorn workers": (
        "gunicorn uvicorn uvicorn-worker",
        (*GUNICORN, *UVICORN, "--preload", "_prefork_app:app"),
    ),
    "uvicorn --workers": (
        "gunicorn uvicorn uvicorn-worker",
        ("uvicorn", "_prefork_app:app", "--workers", str(WORKERS), "--port", "{port}", "--log-level", "critical"),
    ),
}
for package, flags in product(
    ("pyuwsgi", "uwsgi"), ((), ("--enable-threads",), ("--lazy-apps",), ("--enable-threads", "--lazy-apps"))
):
    SERVERS[" ".join((package, *flags))] = (package, (*UWSGI, *flags))
SDK = "mcp==2.3.0"
QUICK = (
    ("gunicorn", "", "3.13"),
    ("gunicorn --preload", "mcp", "3.12"),
    ("gunicorn --preload, uvicorn workers", "mcp", "3.10"),
    ("pyuwsgi", "", "3.11"),
    ("pyuwsgi --enable-threads", "", "3.11"),
    ("pyuwsgi --lazy-apps", "", "3.11"),
    ("pyuwsgi --enable-threads --lazy-apps", "", "3.11"),
)


@pytest.mark.parametrize(("name", "preload", "python"), QUICK)
def test_workers(
    name: str, preload: str, python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    start_and_stop(name, preload, python, peer_venv, sensor_env, tmp_path)


@pytest.mark.stress
@pytest.mark.parametrize(
    ("name", "preload", "python"),
    [case for case in product(SERVERS, ("", "mcp"), SUPPORTED) if not (case[1] and "uwsgi" in case[0])],
)
def test_many_starts(
    name: str, preload: str, python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    hung = {"1": 0, "0": 0}
    starts = STARTS if "uwsgi" in name else STARTS // 10
    for turn, on in product(range(starts), hung):
        directory = tmp_path / f"{turn}-{on}"
        directory.mkdir()
        env = {**sensor_env, "BLUEROCK_ENABLE": on, "BLUEROCK_SPOOL_DIR": str(directory / "spool")}
        hung[on] += not start_and_stop(name, preload, python, peer_venv, env, directory)
        shutil.rmtree(directory)
    print(name, preload, f"hung at the end with us {hung['1']}, without {hung['0']} of {starts}")


def start_and_stop(
    name: str, preload: str, python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], directory: Path
) -> bool:
    """Start a server, have it answer, end it, and look. Did it end by itself?"""
    packages, words = SERVERS[name]
    peer = peer_venv(python, SDK, *packages.split())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.format(port=port, venv=peer.directory) for word in words]
    env = {
        **sensor_env,
        "BLUEROCK_FILES": "all",
        "PRELOAD": preload,
        "REPORT": str(directory / "report"),
        "PLACES": os.pathsep.join((str(EXAMPLES), str(HERE.parent))),
        "PYTHONPATH": str(HERE),
    }
    log, uwsgi = directory / "log", "uwsgi" in packages
    with log.open("wb") as output, subprocess.Popen(
        [str(peer.bin / command[0]), *command[1:]], env=env, cwd=HERE, stdin=subprocess.DEVNULL, stdout=output,
        stderr=output,
    ) as server:  # fmt: skip
        try:
            said = requests(port, server)
            server.send_signal(signal.SIGTERM)
            ended = ends(server, 5 if uwsgi else 60)
        finally:
            workers = children(server.pid)
            server.kill()
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
    # uWSGI finalises Python within its handler of the signal, wherever that finds it: some workers hang there for ever,
    # as often without a sensor. What they did is to be there all the same.
    assert ended or uwsgi, log.read_text()
    assert "Traceback" not in log.read_text()
    assert "DeprecationWarning" not in log.read_text()
    done = subprocess.CompletedProcess(command, 0, "", "")
    counts = reported(directory / "report")
    counts.update(said)
    if env["BLUEROCK_ENABLE"] == "1":
        Run(done, counts, read_spool(Path(env["BLUEROCK_SPOOL_DIR"])), 0).check()
    return ended


def ends(server: subprocess.Popen[bytes], seconds: float) -> bool:
    """Does it end by itself, and well?"""
    try:
        assert server.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    return True


def children(pid: int) -> list[int]:
    """Its processes, while it lives."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()] if path.exists() else []


def requests(port: int, server: subprocess.Popen[bytes]) -> dict[tuple[int, str], int]:
    """Ask until all have answered and each worker has; what they said last."""
    said: dict[tuple[int, str], int] = {}
    end, answers = time.monotonic() + 120, 0
    while answers < REQUESTS or (len(said) < WORKERS and answers < 40 * REQUESTS):
        assert time.monotonic() < end, f"{answers} answers, from {said}"
        assert server.poll() is None
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as response:
                pid, who, count = json.loads(response.read())
        except ConnectionError:
            time.sleep(0.05)
            continue
        except OSError as exc:
            if "refused" not in str(exc):
                raise
            time.sleep(0.05)
            continue
        said[pid, who] = max(count, said.get((pid, who), 0))
        answers += 1
    return said
