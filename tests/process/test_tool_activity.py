"""Fifty calls at once, each doing something of its own: what is recorded of each is that, held against strace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _strace
import pytest
from _descent import requests_of
from _peers import EXAMPLES, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

HERE = Path(__file__).parent
TOOLS, CALLS = HERE / "_tools.py", HERE / "_calls.py"
SH = ["/bin/sh", "-c"]
TAG, PORT = "TAG", "PORT"

# way -> the starts of processes that it causes, as (api, argv)
STARTS: dict[str, list[tuple[str, list[str] | None]]] = {
    "popen": [("subprocess.Popen", ["true", TAG])],
    "shell": [("subprocess.Popen", [*SH, f": {TAG}"])],
    "system": [("os.system", ["sh", "-c", f": {TAG}"])],
    "os_popen": [("subprocess.Popen", [*SH, f"echo {TAG}"])],
    "posix_spawn": [("os.posix_spawn", ["true", TAG])],
    "spawnv": [("os.spawn", ["true", TAG])],
    "fork_exec": [("os.fork", None)],
    "pty_fork": [("os.forkpty", None)],
    "asyncio_exec": [("subprocess.Popen", ["true", TAG])],
    "asyncio_shell": [("subprocess.Popen", [*SH, f": {TAG}"])],
    "mp_spawn": [("multiprocessing", ["PYTHON", "..."]), ("os.system", ["sh", "-c", f": {TAG}"])],
    "missing": [("subprocess.Popen", ["/no/such/program", TAG])],
    "python_child": [("subprocess.Popen", ["PYTHON", "..."])],
    "shell_child": [("subprocess.Popen", [*SH, "..."])],
    "system_child": [("os.system", ["sh", "-c", "..."])],
}
CONNECTS = ("connect_in_thread", "connect_in_pool", "connect_asyncio", "connect_httpx", "connect_later")
CHILDREN = ("python_child", "shell_child", "system_child")
OTHERS = ("files", "native", "code")
WAYS = (*STARTS, *CONNECTS, *OTHERS)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_each_call_has_what_it_did_and_nothing_else(
    sdk: str,
    transport: str,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    peer = peer_venv("3.11", sdk, "httpx", "uvicorn")
    log, place = tmp_path / "strace.log", tmp_path / "place"
    place.mkdir()
    ways = [WAYS[number % len(WAYS)] for number in range(50)]
    calls = drive(peer, sensor_env, transport, log, place, [(way, f"tag-{n}-") for n, way in enumerate(ways)])

    lines = read_spool(spool)
    trace = _strace.read(log)
    tags = {tag: (way, port, pids) for way, tag, port, pids in calls}
    spans = {
        event["context"]["mcp"]["span_id"]: event["message"]["params"]["arguments"]["tag"]
        for event in named(lines, "server_received_request")
        if event["method"] == "tools/call"
    }
    assert sorted(spans.values()) == sorted(tags)
    caused = requests_of(lines)
    for span, tag in spans.items():
        way, port, pids = tags[tag]
        check_call(way, tag, port, pids, caused.get(span, []), trace, str(place))
    check_all(lines, trace, {port for _, port, _ in tags.values()})


def drive(
    peer: Peer, env: dict[str, str], transport: str, log: Path, place: Path, calls: list[tuple[str, str]]
) -> list[list[Any]]:
    """Run the calls against a server under strace; the client is without a sensor."""
    variables = [f"{name}={env[name]}" for name in ("BLUEROCK_ENABLE", "BLUEROCK_SPOOL_DIR", "HOME")]
    server = ["env", "-u", "BLUEROCK_DISABLED", *variables, *_strace.command(log), str(peer.python), str(TOOLS)]
    driver = [peer.python, CALLS, EXAMPLES, place]
    how: Any = {"env": {**env, "BLUEROCK_DISABLED": "1"}, "input": json.dumps(calls), "stdin": None, "timeout": 240}
    if transport == "stdio":
        done = peer.run(*driver, *server, "stdio", **how)
    else:
        with subprocess.Popen([*server, "http"], stdout=subprocess.PIPE, text=True, cwd=peer.directory) as process:
            assert process.stdout is not None
            try:
                done = peer.run(*driver, "--url", process.stdout.readline().strip(), **how)
            finally:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                for pid in children:  # strace passes on no signal
                    os.kill(int(pid), signal.SIGINT)
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


def check_call(
    way: str, tag: str, port: int, pids: list[int], events: list[dict[str, Any]], trace: _strace.Trace, place: str
) -> None:
    """One call: its events are its own, all of them, once."""
    spawns = [event for event in named_events(events, "python_process_spawn") if not is_tracker(event)]
    expected = STARTS.get(way, [])
    assert [event["api"] for event in spawns] == [api for api, _ in expected], (way, spawns)
    for event, (_, argv) in zip(spawns, expected, strict=True):
        if argv is not None and argv[-1] != "...":
            assert event["argv"] == [word.replace(TAG, tag) for word in argv]
        elif argv is not None:
            assert any(tag in word or "spawn_main" in word for word in event["argv"])
    if pids:
        assert pids == [spawns[0]["pid"]], way

    # Programs: those that carry the tag run in the processes that are told.
    ran = [row for row in trace.execs if any(tag in word for word in row.argv)]
    shells = {row.pid for row in ran if row.argv[0].endswith("sh")}
    direct = [row for row in ran if trace.makers[row.pid] not in shells]  # what a shell starts is no start of Python's
    told = {event["pid"] for event in spawns if "pid" in event}
    threads = [event["thread"] for event in spawns if event["api"] == "os.system"]
    ended = {event["spawn_id"] for event in named_events(events, "python_process_exit")}
    assert ended == {event["spawn_id"] for event in spawns if "error" not in event}, way
    if way == "missing":
        assert (ran, spawns[0]["error"]) == ([], "FileNotFoundError")
    elif way in STARTS:
        assert direct, way
        for row in direct:
            assert row.pid in told or trace.makers[row.pid] in threads, (way, row)
    else:
        assert not ran
    became = [event["argv"] for event in named_events(events, "python_process_exec")]
    assert became == ([["true", tag]] if way in ("fork_exec", "pty_fork") else [])

    # Connects, by the call itself or by the Python program that it started, through a shell or not.
    connects = [event for event in named_events(events, "python_socket_connect") if event.get("host") == "127.0.0.1"]
    seen = [pid for pid, host, to in trace.connects if (host, to) == ("127.0.0.1", port)]
    wanted = 1 if way in (*CONNECTS, *CHILDREN) else 0
    assert [(event["port"], event.get("count")) for event in connects] == [(port, None)] * wanted, (way, events)
    assert len(seen) == wanted
    if way in CHILDREN:
        assert [event["context"]["process"]["pid"] for event in connects] == seen

    opened = [
        (event["path"], event["mode"], event.get("count"))
        for event in named_events(events, "python_file_open")
        if event["path"].startswith(place)
    ]
    made = f"{place}/{tag}"
    assert opened == ([(made, "write", None), (made, "write", 3)] if way == "files" else [])
    renamed = [(event["path"], event["target"]) for event in named_events(events, "python_file_rename")]
    assert renamed == ([(made, f"{made}.new")] if way == "files" else [])
    removed = [event["path"] for event in named_events(events, "python_file_remove")]
    assert removed == ([f"{made}.new"] if way == "files" else [])
    loaded = [event["path"] for event in named_events(events, "python_native_load")]
    assert loaded == ([f"{made}.so", "libm.so.6"] if way == "native" else [])
    compiled = [event["subject"] for event in named_events(events, "python_code_exec") if "subject" in event]
    assert [subject for subject in compiled if "tag-" in subject] == ([tag] if way == "code" else [])


def check_all(lines: list[dict[str, Any]], trace: _strace.Trace, ports: set[int]) -> None:
    """Nothing is told twice or of nobody: the sums agree, too."""
    connects = [event for event in named(lines, "python_socket_connect") if event.get("port") in ports]
    assert len(connects) == len([row for row in trace.connects if row[2] in ports])
    pids = [event["pid"] for event in named(lines, "python_process_spawn") if "pid" in event]
    assert len(pids) == len(set(pids))
    faults = [line for line in lines if line["event"]["meta"]["name"] == "python_internal_exception"]
    assert faults == []


def named_events(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["meta"]["name"] == name]


def is_tracker(event: dict[str, Any]) -> bool:
    """The process that multiprocessing starts once, for whoever comes first."""
    return any("resource_tracker" in word for word in event.get("argv", ()))
