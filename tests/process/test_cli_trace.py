"""``trace`` and ``stats`` on what real servers and clients just did, also on a terminal, and of killed processes."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _command import call, line, on_terminal
from _peers import ROOT, environment, read_spool
from _serving import started

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

TRACED = Path(__file__).with_name("_traced.py")
RUNS = [
    pytest.param(("mcp==1.30.0", "client", "legacy"), id="1.30-stdio"),
    pytest.param(("mcp==1.30.0", "memory", "legacy"), id="1.30-memory"),
    pytest.param(("mcp==2.3.0", "client", "legacy"), id="2.3-stdio"),
    pytest.param(("mcp==2.3.0", "client", "auto"), id="2.3-stdio-auto"),
    pytest.param(("mcp==2.3.0", "memory", "auto"), id="2.3-memory-auto"),
]
TOOLS = ["publish", "outer", "late", "fail", "slow", "slow"]


@pytest.fixture(scope="module", params=RUNS)
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, peer_venv: Callable[..., Peer]
) -> tuple[str, Path]:
    """How it was run, and the spool."""
    package, way, mode = request.param
    home = tmp_path_factory.mktemp("traced")
    spool = home / "spool"
    env = environment(home, BLUEROCK_ENABLE="1", BLUEROCK_SPOOL_DIR=str(spool))
    peer_venv("3.11", package).run("python", TRACED, way, mode, env=env, cwd=home)
    read_spool(spool)  # as the schema says, and nothing failed
    return way, spool


def traced(spool: Path, *words: str) -> list[dict[str, Any]]:
    done = call(spool.parent, "trace", "--spool", spool, "--json", *words, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def kinds(node: dict[str, Any]) -> list[Any]:
    return [(child["kind"], child.get("path", child.get("host"))) for child in node.get("children", ())]


def below(node: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """All nodes of the kind, however deep."""
    children = node.get("children", [])
    return [child for child in children if child["kind"] == kind] + [
        found for child in children for found in below(child, kind)
    ]


def test_every_call_once_with_both_its_sides(run: tuple[str, Path]) -> None:
    way, spool = run
    calls = [tree for tree in traced(spool, "all") if tree["kind"] == "request" and tree["method"] == "tools/call"]
    assert [tree["tool"] for tree in calls] == TOOLS + 30 * ["mark"]
    for tree in calls:
        assert (tree["sender"]["pid"] == tree["receiver"]["pid"]) == (way == "memory")
        assert tree["sender"]["at_ms"] <= tree["receiver"]["at_ms"]
    assert [tree["tool"] for tree in calls if tree["outcome"] != "ok"] == ["fail"]


def test_of_many_at_the_same_time_each_has_its_own(run: tuple[str, Path]) -> None:
    _, spool = run
    marks = traced(spool, "mark", "-n", "50")
    assert sorted(tree["params"]["arguments"]["number"] for tree in marks) == list(range(30))
    for tree in marks:
        number = str(tree["params"]["arguments"]["number"])
        assert tree["answer"]["result"]["content"][0]["text"] == number
        assert "receiver" in tree
        did = [node.get("path", node.get("argv")) for node in tree["children"] if node["kind"] != "import"]
        assert did == [f"{number}.txt", ["true", number]]
        assert [node["exit"]["returncode"] for node in below(tree, "process")] == [0]


def test_a_call_has_exactly_what_it_did(run: tuple[str, Path]) -> None:
    _, spool = run
    (tree,) = traced(spool, "publish")
    here = [kind for kind in kinds(tree) if kind[0] not in ("notification", "import")]
    assert here == [
        ("file_open", str(TRACED)),
        ("file_open", "traced.txt"),
        ("file_rename", "traced.txt"),
        ("file_remove", "renamed.txt"),
        ("socket_bind", "127.0.0.1"),
        ("socket_resolve", "localhost"),
        ("socket_connect", "127.0.0.1"),
        ("process", None),
        ("code_exec", None),
    ]
    (shell,) = [child for child in tree["children"] if child["kind"] == "process"]
    assert (shell["argv"][0], shell["exit"]["returncode"]) == ("/bin/sh", 3)
    (child,) = [node for node in shell["children"] if node["kind"] == "process"]
    assert child["sensor"]["ended"]
    assert [kind for kind in kinds(child) if "import" not in kind[0]] == [
        ("socket_connect", "127.0.0.1"),
        ("file_open", str(TRACED)),
        ("process", None),
    ]
    assert [node["argv"] for node in below(child, "process")] == [["true", "grandchild"]]


def test_requests_of_a_request_and_work_after_the_answer(run: tuple[str, Path]) -> None:
    _, spool = run
    (outer,) = traced(spool, "outer")
    (inner,) = [node for node in below(outer, "request") if node.get("tool") == "inner"]
    assert kinds(inner) == [("file_open", str(TRACED))]
    assert inner["sender"]["pid"] == inner["receiver"]["pid"] == outer["receiver"]["pid"]
    (late,) = traced(spool, "late")
    assert [(node["path"], node["late"]) for node in late["children"]] == [("/dev/../etc/hostname", True)]
    for tool in ("slow", "fail"):
        assert kinds(traced(spool, tool)[0]) == []


def test_sums_count_each_call_once(run: tuple[str, Path]) -> None:
    _, spool = run
    done = call(spool.parent, "stats", "--spool", spool, "--json", "--server", "traced", text=True)
    assert (done.returncode, done.stderr) == (0, "")
    sums = json.loads(done.stdout)
    tools = {row["tool"]: row for row in sums["tools"] if row["tool"]}
    assert {tool: row["calls"] for tool, row in tools.items()} == {tool: TOOLS.count(tool) for tool in TOOLS} | {
        "mark": 30
    }
    assert tools["fail"]["error_rate"] == 1.0
    assert tools["publish"]["touched"]["processes"]["top"] == {"sh": 1, "true": 1}
    sensors = sums["sensors"]
    assert sensors["emitted"] == sensors["written"] > 0
    assert (sensors["missing"], sensors["dropped"], sensors["swallowed"], sensors["without_end"]) == (0, {}, 0, 0)


def test_over_http_both_sides_are_one(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    for version in ("1.30.0", "2.3.0"):
        peer = peer_venv("3.11", f"mcp=={version}", "uvicorn")
        place = tmp_path / version
        env = {**sensor_env, "BLUEROCK_SPOOL_DIR": str(place)}
        with started([peer.python, ROOT / "examples" / "http_server.py"], env, tmp_path) as address:
            peer.run("python", ROOT / "examples" / "client.py", "--url", address, env=env)
        calls = [tree for tree in traced(place, "all") if tree["kind"] == "request"]
        for tree in calls:
            assert tree["sender"]["pid"] != tree["receiver"]["pid"], tree
        tools = [tree.get("tool") for tree in calls if tree["method"] == "tools/call"]
        assert tools == ["add", "count", "divide", "sign_in"]
        (count,) = [tree for tree in calls if tree.get("tool") == "count"]
        progress = [node for node in count["children"] if node["kind"] == "notification"]
        assert [node["params"]["progress"] for node in progress] == [1, 2, 3]
        assert all(node["received_at_ms"] >= node["at_ms"] for node in progress)


def test_a_killed_server_leaves_its_calls(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", "mcp==2.3.0")
    code = "import os, signal\nopen('/etc/hostname').close()\nos.kill(os.getpid(), signal.SIGKILL)"
    script = tmp_path / "killed.py"
    script.write_text(
        f"import sys; sys.argv = ['x', 'none']; sys.path.insert(0, {str(TRACED.parent.parent)!r})\n"
        "import asyncio, _in_memory\nfrom mcp.server.mcpserver import MCPServer\nserver = MCPServer('killed')\n"
        f"@server.tool()\ndef die() -> str:\n    exec({code!r})\n"
        "async def main():\n    async with _in_memory.session(server, 'legacy') as client:\n"
        "        await client.call_tool('die', {})\nasyncio.run(main())\n"
    )
    done = peer.run("python", script, env=sensor_env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list((spool / "rings").iterdir())
    (tree,) = traced(spool)
    assert (tree["tool"], tree.get("outcome")) == ("die", None)
    assert ("file_open", "/etc/hostname") in kinds(tree)
    text = call(spool.parent, "trace", "--spool", spool, text=True).stdout
    assert "tools/call die unanswered" in text


# -- where it is printed


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The recorded runs of the unit tests, a segment a process."""
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    for stored in (ROOT / "tests" / "unit" / "traced.ndjson").read_bytes().splitlines(keepends=True):
        meta = json.loads(stored)["event"]
        name = f"python-{meta['context']['process']['pid']}-{meta['meta']['component_id'][:8]:0>16}.000001.ndjson"
        with (spool / name).open("ab") as file:
            file.write(stored)
        (spool / name).chmod(0o600)
    return spool


@pytest.mark.parametrize("columns", [60, 100, 200])
@pytest.mark.parametrize("words", [("trace", "publish"), ("trace", "all"), ("stats",)])
def test_a_terminal_gets_lines_that_fit_in_colour(recorded: Path, columns: int, words: tuple[str, ...]) -> None:
    shown = on_terminal(recorded, columns, *words)
    assert "\x1b[36m" in shown
    rows = re.sub(r"\x1b\[\d+m", "", shown).replace("\r", "").splitlines()
    assert all(row.isprintable() for row in rows)
    assert max(map(len, rows)) <= columns
    if words[0] == "trace":
        assert any("├─" in row for row in rows)
        assert any(row.endswith("/srv/example/_traced.py x3") for row in rows)


def test_the_environment_of_a_terminal(recorded: Path) -> None:
    assert "\x1b" not in on_terminal(recorded, 100, "trace", NO_COLOR="1")
    assert "\x1b" not in on_terminal(recorded, 100, "trace", TERM="dumb")
    narrow = on_terminal(recorded, 200, "trace", "publish", COLUMNS="50", NO_COLOR="1")
    assert max(map(len, narrow.replace("\r", "").splitlines())) <= 50
    plain = on_terminal(recorded, 100, "trace", "publish", NO_COLOR="1", LC_ALL="C", PYTHONUTF8="0",
                        PYTHONCOERCECLOCALE="0")  # fmt: skip
    assert plain.isascii()
    assert "`- answer" in plain


def test_a_pipe_gets_whole_lines_without_colour(recorded: Path) -> None:
    done = call(recorded.parent, "trace", "publish", "--spool", recorded, env={"COLUMNS": "20", "LC_ALL": "C.UTF-8"})
    text = done.stdout.decode()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) > 200
    forced = call(recorded.parent, "trace", "--spool", recorded, env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b[36m" in forced


def test_all_ends_with_what_belongs_to_no_request(recorded: Path) -> None:
    with (recorded / "python-9-0000000000000009.000001.ndjson").open("wb") as file:
        file.write(line(1, "sensor_startup", component="c9", pid=9, argv=["lonely"]) + b"\n")
        file.write(line(2, "python_file_open", component="c9", pid=9, path="/apart", mode="write") + b"\n")
    for words in ([], ["-n", "1"]):
        found = traced(recorded, "all", *words)
        kinds = [each["kind"] for each in found]
        assert kinds.count("request") == (1 if words else 16)
        assert kinds == sorted(kinds, reverse=True)
        outside = found[kinds.index("outside")]
        assert (outside["argv"], outside["ended"]) == (["lonely"], False)
        assert outside["touched"] == {"files written": {"count": 1, "distinct": 1, "top": {"/apart": 1}}}
    text = call(recorded.parent, "trace", "all", "--spool", recorded, text=True).stdout
    assert "outside of requests" in text
    assert ["written", "1", "/apart"] in [row.split()[-3:] for row in text.splitlines()]


def test_what_began_before_still_says_who_started_whom(recorded: Path) -> None:
    since = ("--since", "2026-11-25T14:52:18.9")
    calls = [tree for tree in traced(recorded, "all", *since) if tree["kind"] == "request"]
    assert [tree["tool"] for tree in calls] == TOOLS[1:]
    assert all(tree["sender"]["pid"] != tree["receiver"]["pid"] for tree in calls)
    done = call(recorded.parent, "stats", "--json", "--spool", recorded, *since, text=True)
    sums = json.loads(done.stdout)
    assert sum(row["calls"] for row in sums["tools"] if row["server"] == "traced") == 5
    assert (sums["sensors"]["programs"], sums["sensors"]["missing"]) == (2, 0)


def test_exit_status(recorded: Path) -> None:
    for words in (["trace", "nothing"], ["trace", "all", "--tool", "nothing"], ["stats", "--tool", "nothing"]):
        done = call(recorded.parent, *words, "--spool", recorded, text=True)
        assert done.returncode == 1
        assert "no such request" in done.stderr
    assert call(recorded.parent, "trace", "--spool", recorded.parent / "none").returncode == 3
    assert call(recorded.parent, "trace", "--limit", "x", "--spool", recorded).returncode == 2
