"""Whatever a program passes through MCP, it gets what it would get without us; what is recorded is JSON and bounded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _command import call
from _peers import EXAMPLES, Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).parent
LONGER = pytest.mark.stress
OLDER = pytest.param("mcp==1.30.0", marks=LONGER)


@pytest.mark.parametrize(
    ("sdk", "mode"),
    [("mcp==1.30.0", "legacy"), pytest.param("mcp==2.3.0", "legacy", marks=LONGER), ("mcp==2.3.0", "auto")],
)
def test_what_no_json_can_say(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """No method of the program's objects is called that the SDK does not call itself, and no outcome is another."""
    peer = peer_venv("3.11", sdk)
    seen = []
    for enable in ("0", "1"):
        env = {**sensor_env, "BLUEROCK_ENABLE": enable}
        done = peer.run("python", HERE / "_hostile.py", mode, env=env, timeout=240)
        seen.append((json.loads(done.stdout), done.stderr))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) > 50
    events = read_spool(spool)  # each line is JSON, as the schema says, and no exception of ours was swallowed
    assert max(len(json.dumps(event)) for event in events) < 3 * 65536
    calls = [event for event in named(events, "server_received_request") if event["method"] == "tools/call"]
    assert len(calls) > 40
    assert call(spool.parent, "show", "--spool", spool).returncode == 0
    assert call(spool.parent, "trace", "--spool", spool).returncode == 0


LARGE = """\
import asyncio, json, sys, time
sys.path[:0] = [{tests!r}]
import _in_memory
try:
    from mcp.server.mcpserver import MCPServer
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer
server = MCPServer("large", log_level="CRITICAL")
size = int(sys.argv[2])

@server.tool(structured_output=False)
def echo(text: str) -> str:
    return text

def memory(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(what))

async def main():
    async with _in_memory.session(server, sys.argv[1]) as session:
        await session.call_tool("echo", {{"text": "small"}})
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak is what is used now
        before, began = memory("VmRSS"), time.process_time()
        result = await session.call_tool("echo", {{"text": "word " * (size // 5)}})
        assert len(result.content[0].text) == size // 5 * 5
        print(json.dumps([time.process_time() - began, memory("VmHWM") - before]))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("sdk", "mode", "megabytes"),
    [
        ("mcp==2.3.0", "legacy", 10),
        *(
            pytest.param(sdk, mode, megabytes, marks=LONGER)
            for sdk, mode in (("mcp==1.30.0", "legacy"), ("mcp==2.3.0", "legacy"), ("mcp==2.3.0", "auto"))
            for megabytes in (10, 100)
        ),
    ],
)
def test_a_large_payload_costs_no_copy_of_it(
    sdk: str, mode: str, megabytes: int, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """There and back: memory beyond what the SDK itself takes is less than the payload, however large it is."""
    code = LARGE.format(tests=str(HERE.parent))
    peer = peer_venv("3.11", sdk)
    spent = {}
    for enable in ("0", "1"):
        env = {**sensor_env, "BLUEROCK_ENABLE": enable}
        done = peer.run("python", "-c", code, mode, str(megabytes * 1_000_000), env=env, timeout=240)
        spent[enable] = json.loads(done.stdout)
    print(f"{sdk} {mode} {megabytes} MB: CPU s and bytes of memory without {spent['0']}, with {spent['1']}")
    assert spent["1"][1] - spent["0"][1] < 8_000_000
    assert sum(path.stat().st_size for path in spool.rglob("*") if path.suffix == ".ndjson") < 1 << 20
    assert len(read_spool(spool)) > 4


def request(number: object, method: str, params: Mapping[str, object] | None = None) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}).encode()


START = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
RAW = [
    request(1, "initialize", START),
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
    b"\x00\x01\x02 garbage",
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
    b'{"jsonrpc":"2.0","id":4,"method":"ping","params":{"n":NaN,"i":1e999,"l":' + b"1" * 5000 + b"}}",
    b'{"jsonrpc":"2.0","id":5,"method":"ping","params":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"jsonrpc":"2.0","id":6,"method":"ping","params":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
    request(7, "tools/call", {"name": "sign_in", "arguments": {f"key{n}": "x" * 10 for n in range(100_000)}}),
    request(8, "tools/call", {"name": "sign_in", "arguments": {"user": "\u2028\x1b[2J", "api_key": "k" * 10**7}}),
    b'{"jsonrpc":"2.0","id":9,"id":10,"method":"ping","method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":11,"method":"' + b"m" * 1_000_000 + b'"}',
    b'{"jsonrpc":"2.0","id":12,"result":{},"error":{"code":"x"}}',
    b"[]",
    b"",
    request("last", "ping"),
]
ANSWERED = {1, 7, 8, 10, "last"}


def conversation(command: list[str | Path], env: Mapping[str, str]) -> tuple[list[bytes], int]:
    """All answers to RAW, and how the server ends after bytes that are no text (some versions: with an error)."""
    with subprocess.Popen(
        command, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(b"\n".join(RAW) + b"\n")
        server.stdin.flush()
        answers: list[bytes] = []
        waiting = set(ANSWERED)
        while waiting:
            answers.append(server.stdout.readline())
            waiting.discard(json.loads(answers[-1]).get("id"))
        server.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"ping","params":{"bad":"\xff\xfe"}}\n')
        server.stdin.close()
        server.stdout.read()
        return sorted(answers), server.wait(60)


@pytest.mark.parametrize("sdk", [OLDER, "mcp==2.3.0"])
def test_a_client_that_writes_what_it_likes(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    seen = [
        conversation([peer.python, EXAMPLES / "server.py"], {**sensor_env, "BLUEROCK_ENABLE": enable})
        for enable in ("0", "1")
    ]
    assert seen[0] == seen[1]
    events = read_spool(spool)
    assert max(len(json.dumps(event)) for event in events) < 3 * 65536
    assert sum(path.stat().st_size for path in spool.glob("*.ndjson")) < 2 << 20
    assert {event["id"] for event in named(events, "server_received_request")} >= ANSWERED


PEER = """\
import json, sys
for line in sys.stdin.buffer:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = json.dumps({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "odd\\x1b[2J", "version": "1"}}).encode()
    elif message["method"] == "tools/list":
        result = json.dumps({"tools": [{"name": "t%d" % n, "inputSchema": {"type": "object", "properties":
                             {"p%d" % m: {"type": "string"} for m in range(40)}}} for n in range(300)]}).encode()
    elif message["params"]["name"] == "bytes":
        result = b'{"content":[{"type":"text","text":"\\xff\\xfe"}]}'
    elif message["params"]["name"] == "surrogate":
        result = b'{"content":[{"type":"text","text":"\\\\ud800"}]}'
    elif message["params"]["name"] == "keys":
        result = json.dumps({"content": [], "structuredContent": {"k%d" % n: n for n in range(100000)}}).encode()
    else:
        result = json.dumps({"content": [{"type": "text", "text": "x" * int(message["params"]["name"])}]}).encode()
    number = json.dumps(message["id"]).encode()
    sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":' + number + b',"result":' + result + b"}\\n")
    sys.stdout.buffer.flush()
"""

CLIENT = """\
import argparse, asyncio, sys
from client import connect

async def main():
    # To the last two the SDKs never answer, or they end the session: also without us.
    for name, patience in (("10000000", 60), ("keys", 60), ("1", 60), ("surrogate", 2), ("bytes", 2)):
        said = "no answer"
        try:
            command = [sys.executable, "-S", sys.argv[1]]
            async with connect(argparse.Namespace(url="", mode="legacy", server_command=command)) as session:
                tools = len((await session.list_tools()).tools) if name == "keys" else 0
                result = await asyncio.wait_for(session.call_tool(name, {}), patience)
                said = f"{tools} tools, {len(str(result.content))} characters"
        except BaseException:
            pass
        print(name, said)

asyncio.run(main())
"""


@pytest.mark.parametrize("sdk", [OLDER, "mcp==2.3.0"])
def test_a_server_that_answers_what_it_likes(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    """Ten megabytes, 10^5 keys, thousands of tools, text that is no text."""
    peer = peer_venv("3.11", sdk)
    server = tmp_path / "peer.py"
    server.write_text(PEER)
    answers = []
    for enable in ("0", "1"):
        env = {**sensor_env, "BLUEROCK_ENABLE": enable, "PYTHONPATH": str(EXAMPLES)}
        done = peer.run("python", "-c", CLIENT, server, env=env, timeout=240)
        answers.append(done.stdout)
    assert answers[0] == answers[1]
    assert answers[0].splitlines()[:2] == ["10000000 0 tools, 10000064 characters", "keys 300 tools, 2 characters"]
    events = read_spool(spool)
    assert max(len(json.dumps(event)) for event in events) < 3 * 65536
    assert sum(path.stat().st_size for path in spool.glob("*.ndjson")) < 16 << 20
