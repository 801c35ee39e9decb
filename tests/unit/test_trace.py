"""Trees and sums of recorded runs, and of what such runs seldom hold.

``traced.ndjson`` is what ``tests/process/_traced.py client legacy`` left on mcp 1.30.0 and on 2.3.0, with other paths
and without most imports.
"""

from __future__ import annotations

import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import _schema
import pytest
from _command import line
from _peers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluerock_hooks.cli import _trees, stats, trace
from bluerock_hooks.cli._index import Index
from bluerock_hooks.cli._leaves import offset_text, took
from bluerock_hooks.cli._selection import CallSelection
from bluerock_hooks.cli._terminal import Canvas
from bluerock_hooks.cli._totals import Totals
from bluerock_hooks.cli._tree_json import as_json
from bluerock_hooks.cli._tree_text import TreeWriter
from bluerock_hooks.cli._trees import CallNode, Forest
from bluerock_hooks.events import KINDS
from bluerock_hooks.reader import StoredEvent, parse

RECORDED = Path(__file__).with_name("traced.ndjson").read_bytes().splitlines()
FILTERS = ("pid", "tool", "method", "session", "server", "since")


def selection(**given: Any) -> CallSelection:
    return CallSelection(Namespace(**{name: given.get(name) for name in FILTERS}))


def trees(lines: list[bytes], wanted: str | None = "all", most: int | None = None, **given: Any) -> list[CallNode]:
    """As the command does it; both ways of reading must give the same."""
    events = sorted((parse(each) for each in lines), key=lambda event: (event.ts, event.key[1]))
    index = Index()
    for event in events:
        index.take(event)
    roots = trace.choose(index, selection(**given), wanted, most)
    whole = grown(Forest(index, roots, complete=True), events)
    forest = Forest(index, roots, complete=False)
    needles = forest.needles()
    part = grown(forest, [event for event in events if any(needle in event.line for needle in needles)])
    known = [as_json(tree, tree.at) for tree in whole]
    assert [as_json(tree, tree.at) for tree in part] == sorted(known, key=lambda tree: str(tree["ts"]))
    return whole


def grown(forest: Forest, events: list[StoredEvent]) -> list[CallNode]:
    found = [tree for event in events for tree in forest.add(event)] + list(forest.rest())
    assert not forest._nodes
    assert not forest._sent
    assert not forest._notes
    return found


class Stream(io.StringIO):
    """A pipe of this encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:
        return self._encoding


def text(nodes: list[CallNode], *, full: bool = False, stream: Any = None) -> str:
    stream = stream or Stream("utf-8")
    writer = TreeWriter(Canvas(stream), full=full, date=False)
    for node in nodes:
        writer.write(node)
    return str(stream.getvalue())


def outline(tree: dict[str, Any]) -> list[Any]:
    """Kinds, nested, of JSON."""
    return [
        [child["kind"], outline(child)] if child.get("children") else child["kind"]
        for child in tree.get("children", ())
    ]


def of(number: int, kind: str, side: str, span: str, **fields: Any) -> bytes:
    """A message of the request ``span``; ``side`` such as ``server_received``."""
    mcp = {"method": "tools/call", "tool": "t", "request_id": 1, "span_id": span, **fields.pop("mcp", {})}
    common = {"id": 1, "method": "tools/call", "connection_id": "k" + side[0], "transport": "stdio"}
    return line(number, event=f"{side}_{kind}", mcp=mcp, **{**common, **fields})


# -- recorded runs


def test_the_recorded_lines_are_as_the_schema_says() -> None:
    _schema.check(json.loads(each) for each in RECORDED)


def test_every_request_of_a_conversation_is_shown_once_with_both_sides() -> None:
    found = trees(RECORDED)
    assert [(tree.call.method, tree.call.tool) for tree in found] == 2 * [
        ("initialize", None),
        ("tools/list", None),
        *[("tools/call", tool) for tool in ("publish", "outer", "late", "fail", "slow", "slow")],
    ]
    for tree in found:
        assert tree.call.sender is not None
        assert tree.call.receiver is not None
        assert tree.call.sender.pid != tree.call.receiver.pid
        assert tree.call.sender.start <= tree.call.receiver.start


@pytest.mark.parametrize("sdk", [0, 1])
def test_a_call_has_what_it_caused_and_nothing_else(sdk: int) -> None:
    tree = as_json(trees(RECORDED, "publish", 2)[sdk], 0)
    assert outline(tree) == [
        "notification",
        "file_open",
        "file_open",
        "file_rename",
        "file_remove",
        "socket_bind",
        "socket_resolve",
        "socket_connect",
        ["process", [["process", ["socket_connect", "file_open", "process", "import_stdlib"]]]],
        "code_exec",
    ]
    progress, reading, *_, shell, _code = tree["children"]
    assert progress["received_at_ms"] > progress["at_ms"]
    assert (reading["mode"], reading["count"]) == ("read", 3)
    assert reading["last_at_ms"] > reading["at_ms"]
    assert shell["exit"]["returncode"] == 3
    (child,) = shell["children"]
    assert child["sensor"]["ended"] is True
    assert child["sensor"]["pid"] != shell["pid"]
    assert child["children"][2]["argv"] == ["true", "grandchild"]
    assert not any(node.get("late") for node in tree["children"])


@pytest.mark.parametrize("sdk", [0, 1])
def test_a_tool_that_is_a_client_has_its_requests_below_it(sdk: int) -> None:
    tree = as_json(trees(RECORDED, "outer", 2)[sdk], 0)
    calls = [node for node in tree["children"] if node["kind"] == "request"]
    assert [(call["method"], call.get("tool")) for call in calls][:2] == [("initialize", None), ("tools/call", "inner")]
    handshake = [node for node in tree["children"] if node["kind"] == "notification"]
    assert ["received_at_ms" in node for node in handshake] == [True]
    inner = calls[1]
    assert outline(inner) == ["file_open"]
    assert (inner["sender"]["pid"], inner["server_name"]) == (inner["receiver"]["pid"], "inside")


def test_a_request_within_another_can_be_asked_for_by_itself() -> None:
    (tree,) = trees(RECORDED, "inner", 1)
    assert tree.call.tool == "inner"
    both = trees(RECORDED, "*e?", None)  # outer and inner of each run, and inner is part of outer
    assert [each.call.tool for each in both] == ["outer", "outer"]
    span = tree.call.main.span
    assert [each.call.main.span for each in trees(RECORDED, span, 1)] == [span]


@pytest.mark.parametrize("sdk", [0, 1])
def test_work_that_goes_on_after_the_answer_is_marked(sdk: int) -> None:
    node = trees(RECORDED, "late", 2)[sdk]
    assert [(child.kind, child.late) for child in node.children] == [("file_open", True)]
    rows = text([node]).splitlines()
    assert "answer" in rows[-2]
    assert rows[-1].endswith("late /dev/../etc/hostname")


def test_what_is_chosen() -> None:
    def chosen(wanted: str | None, most: int | None, **given: Any) -> list[str]:
        return [tree.call.tool or tree.call.method for tree in trees(RECORDED, wanted, most, **given)]

    assert chosen(None, 1) == chosen("last", 1) == ["slow"]
    assert chosen(None, None, tool=["publish"]) == ["publish", "publish"]
    assert chosen("tools/list", 1) == ["tools/list"]
    assert chosen("#3", 1) == chosen("3", 1) == ["publish"]
    assert chosen("all", None, server=["inside"])[:2] == ["initialize", "inner"]
    assert chosen("last", 3) == ["fail", "slow", "slow"]
    assert chosen("nothing", 1) == []
    connection = trees(RECORDED, "publish", 1)[0].call.main.connection
    assert len(chosen(None, None, session=[connection])) == 8
    pid = trees(RECORDED, "publish", 1)[0].call.main.pid
    assert len(chosen(None, None, pid=[pid])) == 8


def test_the_text_of_a_tree() -> None:
    rows = text(trees(RECORDED, "publish", 1)).splitlines()
    assert rows[0].split()[1:5] == ["tools/call", "publish", "ok", rows[0].split()[4]]
    assert "at the client) #3 stdio mcp[" in rows[0]
    words = ["progress", "read", "write", "rename", "remove", "bind", "resolve", "connect", "process"]
    assert [row.split()[2] for row in rows[1:10]] == words
    assert rows[10].split()[1:4] == ["│", "└─", "python"]
    assert [row.split()[3] for row in rows[11:15]] == ["connect", "read", "process", "import"]
    assert rows[2].endswith("read     /srv/example/_traced.py x3")
    assert rows[-1].endswith('└─ answer   "published"')
    assert "\x1b" not in "".join(rows)


def test_the_examples_of_the_page_are_what_the_commands_print() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert text(trees(RECORDED, "publish", 1)) in page
    stream = Stream("utf-8")
    chosen = selection(tool=["publish", "fail"])
    stats.print_sums(Canvas(stream), *totals_of(RECORDED).sums(chosen))
    assert stream.getvalue().rstrip() + "\n```" in page


def test_many_of_a_kind_are_one_line_unless_all_are_asked_for() -> None:
    (tree,) = trees(RECORDED, "outer", 1)
    short, full = text([tree]), text([tree], full=True)
    assert "5 modules of" in short or "6 modules of" in short
    assert "files below /srv/example/venv2/lib" in short
    assert len(full.splitlines()) > len(short.splitlines()) + 20
    assert "metaschema.json" in full


# -- what is seldom


CALL = [
    of(1, "request", "client_send", "a"),
    of(2, "request", "server_received", "b", component="c2", pid=5, message={"params": {"arguments": {"x": 1}}}),
]
ANSWERS = [
    of(8, "response", "server_send", "b", component="c2", pid=5, duration_ms=6000.0, outcome="ok"),
    of(9, "response", "client_received", "a", duration_ms=8000.0, outcome="ok"),
]
SERVER = line(0, "sensor_startup", component="c2", pid=5, start=50, ancestors=[{"pid": 4242, "start": 1}])


def test_a_message_that_cannot_be_told_from_another_is_not_joined() -> None:
    stranger = line(0, "sensor_startup", component="c2", pid=5, start=50, ancestors=[{"pid": 99, "start": 1}])
    assert len(trees([SERVER, *CALL, *ANSWERS])) == 1
    assert len(trees([stranger, *CALL, *ANSWERS])) == 2  # not started by that client
    other = of(1, "request", "client_send", "z", component="c9", pid=9, connection_id="kz", transport="http")
    http = [each.replace(b'"stdio"', b'"http"') for each in CALL]
    assert len(trees([SERVER, *http])) == 1
    assert len(trees([SERVER, other, *http])) == 3  # either may be it
    named = [each.replace(b'"kz"', b'"kz","session_id":"no"') for each in [other]]
    assert len(trees([SERVER, *named, *[each.replace(b'"kc"', b'"kc","session_id":"s"').replace(
        b'"ks"', b'"ks","session_id":"s"') for each in http]])) == 2  # fmt: skip


def test_requests_alike_are_told_apart_by_their_arguments() -> None:
    def of_http(side: str, span: str, number: int, **fields: Any) -> bytes:
        params = {"params": {"arguments": {"number": number}}}
        return of(3, "request", side, span, connection_id=f"k{span}", transport="http", message=params, **fields)

    sent = [of_http("client_send", f"c{n}", n, component=f"c{n}", pid=n) for n in (1, 2, 3)]
    received = [
        of_http("server_received", f"s{n}", n, component="s", pid=9).replace(b":03.", b":04.") for n in (2, 3, 1)
    ]
    found = trees([*sent, *received])
    assert sorted([side.span for side in tree.call.sides()] for tree in found) == [
        ["c1", "s1"],
        ["c2", "s2"],
        ["c3", "s3"],
    ]
    twice = [of_http("client_send", "c9", 1, component="c9", pid=9), *sent, *received]
    assert len(trees(twice)) == 5  # one of two that are the same to the letter is not told from the other


def test_two_servers_of_a_client_are_told_apart_by_their_processes() -> None:
    lines = []
    for number, pid in enumerate((5, 6)):
        names = {"component": f"s{pid}", "pid": pid}
        lines += [
            line(0, "sensor_startup", start=pid, ancestors=[{"pid": 4242, "start": 1}], **names),
            line(1 + number, "python_mcp_session_created", connection_id=f"k{pid}", source="client", server_pid=pid),
            of(3 + number, "request", "client_send", f"c{pid}", connection_id=f"k{pid}"),
            of(7 - number, "request", "server_received", f"r{pid}", connection_id=f"q{pid}", **names),
        ]
    found = trees(lines)
    assert [(each.call.main.pid, [side.span for side in each.call.sides()]) for each in found] == [
        (5, ["c5", "r5"]),
        (6, ["c6", "r6"]),
    ]


def event(number: int, name: str, component: str, recorded_by: int, **fields: Any) -> bytes:
    """``line`` for events that have a ``pid`` of their own."""
    stored = json.loads(line(number, name, component=component, pid=recorded_by, mcp=fields.pop("mcp", None)))
    stored["event"].update(fields)
    return json.dumps(stored).encode()


def test_the_rounds_of_a_request_are_one_tree() -> None:
    def round_(at: int, number: int, outcome: str, brings: str | None, asks: str | None) -> list[bytes]:
        client, server = {"span": f"a{number}"}, {"span": f"b{number}", "component": "c2", "pid": 5}
        brought = {} if brings is None else {"state_digest": brings}
        asked = {} if asks is None else {"state_digest": asks}
        end = {"duration_ms": 1.0, "outcome": outcome, **asked}
        return [
            of(at, "request", "client_send", id=number, **client, **brought),
            of(at + 1, "request", "server_received", id=number, **server, **brought),
            of(at + 2, "response", "server_send", id=number, **server, **end),
            of(at + 3, "response", "client_received", id=number, **client, **end),
        ]

    rounds = [
        *round_(1, 1, "input_required", None, "d1"), *round_(11, 2, "input_required", "d1", "d2"),
        *round_(21, 3, "ok", "d2", None), *round_(31, 4, "ok", "of-nobody", None),
    ]  # fmt: skip
    first, other = trees([SERVER, *rounds], "all")
    found = as_json(first, 0)
    second = found["children"][0]
    (third,) = second["children"]
    assert [each["id"] for each in (found, second, third, as_json(other, 0))] == [1, 2, 3, 4]
    assert [each.get("resumes") for each in (found, second, third)] == [None, True, True]
    assert [row.split()[2] for row in text([first]).splitlines()[1:]] == ["round", "round"]
    assert trees([SERVER, *rounds[:8]]) != []


def test_os_system_in_two_threads_is_told_apart() -> None:
    def child(component: str, pid: int, thread: int | None) -> bytes:
        parent = {"pid": 5, "start": 50, "thread": thread}
        return line(4, "sensor_startup", component=component, pid=pid, start=pid,
                    ancestors=[{"pid": pid - 1, "start": 1}, parent])  # fmt: skip

    def shell(spawn: str, thread: int) -> bytes:
        here = {"span_id": "b"}
        return event(3, "python_process_spawn", "c2", 5, spawn_id=spawn, api="os.system", thread=thread, mcp=here)

    lines = [
        SERVER, *CALL, shell("s1", 51), shell("s2", 52),
        child("of-2", 20, 52), child("of-1", 30, 51),
        child("of-none", 40, 53), child("unknown", 50, None),
        *ANSWERS,
    ]  # fmt: skip
    (tree,) = trees(lines)
    starts = as_json(tree, 0)["children"]
    below = [(row["thread"], [child["sensor"]["component_id"] for child in row["children"]]) for row in starts]
    assert below == [(51, ["of-1"]), (52, ["of-2"])]


def test_a_child_is_found_below_shells_forks_execs_and_os_system() -> None:
    here = {"span_id": "b"}
    lines = [
        SERVER, *CALL,
        # a forked child records before the parent can tell of it, and becomes another program of the same pid
        line(3, "sensor_startup", component="f1", pid=7, start=70, forked=True, ancestors=[{"pid": 5, "start": 50}]),
        event(4, "python_process_spawn", "c2", 5, spawn_id="s1", api="os.fork", pid=7, start=70, mcp=here),
        line(5, "sensor_startup", component="f2", pid=7, start=70, ancestors=[{"pid": 5, "start": 50}]),
        event(5, "python_file_open", "f2", 7, path="/of-exec", mode="read"),
        # os.system: nobody knows the pid of the shell
        event(6, "python_process_spawn", "c2", 5, spawn_id="s2", api="os.system", argv=["sh", "-c", "x"], mcp=here),
        line(6, "sensor_startup", component="g", pid=9, start=90,
             ancestors=[{"pid": 8, "start": 80}, {"pid": 5, "start": 50}]),
        event(7, "python_file_open", "g", 9, path="/of-system", mode="read"),
        event(7, "python_process_exit", "c2", 5, spawn_id="s2", returncode=0, mcp=here),
        # a start of before the call, and what its child does
        event(0, "python_process_spawn", "c2", 5, spawn_id="s0", api="subprocess.Popen", pid=11, start=5),
        line(1, "sensor_startup", component="n", pid=11, start=5, ancestors=[{"pid": 5, "start": 50}]),
        event(7, "python_file_open", "n", 11, path="/of-nobody", mode="read"),
        *ANSWERS,
    ]  # fmt: skip
    (tree,) = trees(lines)
    fork, system = as_json(tree, 0)["children"]
    assert [fork["sensor"]["component_id"], fork["children"][0]["sensor"]["component_id"]] == ["f1", "f2"]
    assert fork["children"][0]["children"][0]["path"] == "/of-exec"
    assert system["exit"] == {"returncode": 0}
    assert system["children"][0]["children"][0]["path"] == "/of-system"
    assert "of-nobody" not in text([tree], full=True)


def test_a_child_that_speaks_mcp_has_its_requests_below_it() -> None:
    here, key = {"span_id": "b"}, {"component": "p", "pid": 7}
    server = {"component": "q", "pid": 8, "connection_id": "kq"}
    lines = [
        SERVER, *CALL,
        event(3, "python_process_spawn", "c2", 5, spawn_id="s1", argv=["python", "x"], pid=7, start=70, mcp=here),
        line(4, "sensor_startup", start=70, ancestors=[{"pid": 5, "start": 50}], **key),
        # the child is a client, and its server is a child of the child
        event(4, "python_process_spawn", "p", 7, spawn_id="s2", argv=["python", "y"], pid=8, start=80),
        line(5, "sensor_startup", component="q", pid=8, start=80, ancestors=[{"pid": 7, "start": 70}]),
        line(5, "python_mcp_session_created", connection_id="kp", source="client", server_pid=8, **key),
        of(5, "request", "client_send", "d", connection_id="kp", mcp={"tool": "deep"}, **key),
        of(6, "request", "server_received", "e", mcp={"tool": "deep"}, **server),
        event(6, "python_file_open", "q", 8, path="/deep", mode="read", mcp={"span_id": "e"}),
        event(6, "python_file_open", "q", 8, path="/own", mode="read"),
        event(6, "python_file_open", "q", 8, oversize=70000, digest="x"),
        of(7, "response", "server_send", "e", outcome="ok", mcp={"tool": "deep"}, **server),
        *ANSWERS,
    ]  # fmt: skip
    (tree,) = trees(lines)
    (child,) = as_json(tree, 0)["children"]
    assert outline(child) == [["process", ["file_open", "file_open"]], ["request", ["file_open"]]]
    deep = child["children"][1]
    assert (deep["sender"]["pid"], deep["receiver"]["pid"], deep["children"][0]["path"]) == (7, 8, "/deep")
    assert "file_open oversize=70000 digest=x" in text([tree])
    tools, _ = totals_of(lines).sums(selection())
    assert tools["", "tools/call", "t"].as_json()["touched"]["files read"]["count"] == 2
    assert tools["", "tools/call", "deep"].as_json()["touched"]["files read"]["top"] == {"/deep": 1}


def test_a_forged_spool_in_a_circle_ends() -> None:
    lines = [
        line(1, "sensor_startup", component="x", pid=1, start=1, ancestors=[{"pid": 2, "start": 2}]),
        line(1, "sensor_startup", component="y", pid=2, start=2, ancestors=[{"pid": 1, "start": 1}]),
        event(2, "python_process_spawn", "x", 1, spawn_id="1", pid=2, start=2),
        event(2, "python_process_spawn", "y", 2, spawn_id="2", pid=1, start=1),
        of(3, "request", "server_received", "p", component="x", pid=1, mcp={"parent_span_id": "q"}),
        of(4, "request", "server_received", "q", component="y", pid=2, mcp={"parent_span_id": "p"}),
        of(4, "request", "server_received", "r", component="y", pid=2, mcp={"parent_span_id": "r"}),
    ]
    assert [each.call.main.span for each in trees(lines, "r", 1)] == ["r"]
    trees(lines)


def test_one_request_that_goes_on_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trees, "_MOST_DONE", 3)
    lines = [of(1, "request", "client_send", "long", connection_id="k0")]
    for number in range(1, 9):
        fields = {"connection_id": f"k{number}", "id": number}
        lines += [
            of(10 * number, "request", "client_send", f"s{number}", **fields),
            of(10 * number + 1, "response", "client_received", f"s{number}", outcome="ok", **fields),
        ]
    lines.append(of(95, "response", "client_received", "long", outcome="ok", connection_id="k0"))
    assert [tree.call.main.span for tree in trees(lines)] == [*(f"s{number}" for number in range(1, 9)), "long"]
    monkeypatch.setattr(_trees, "_MOST_DONE", 100)
    assert [tree.call.main.span for tree in trees(lines)] == ["long", *(f"s{number}" for number in range(1, 9))]


def test_code_that_is_not_what_was_installed_stands_out() -> None:
    here = {"span_id": "b"}
    imports = [event(3, "python_import", "c2", 5, fullname=f"m{n}", pkg="p", version="1", mcp=here) for n in range(9)]
    odd = [event(3, "python_import", "c2", 5, fullname="odd", pkg="p", version="1", record="mismatch", mcp=here)]
    load = {"path": "libx.so", "mcp": here}
    loads = [
        event(4, "python_native_load", "c2", 5, file="/lib/libx.so", sha256="0" * 64, record="mismatch", **load),
        event(5, "python_native_load", "c2", 5, count=10, **load),
    ]
    rows = text(trees([SERVER, *CALL, *imports, *odd, *loads, *ANSWERS])).splitlines()
    assert [row.partition("─ ")[2] for row in rows[2:5]] == [
        "import   9 modules of p",
        "import   odd p 1 differs from RECORD",
        "library  /lib/libx.so differs from RECORD x10",
    ]


def test_requests_of_servers_notifications_and_ends_without_answer() -> None:
    mine = {"span_id": "s", "parent_span_id": "b", "method": "sampling/createMessage", "tool": None}
    lines = [
        SERVER, *CALL,
        of(3, "request", "server_send", "s", component="c2", pid=5, method="sampling/createMessage", id=7, mcp=mine),
        of(4, "request", "client_received", "s2", method="sampling/createMessage", id=7,
           mcp={**mine, "span_id": "s2", "parent_span_id": None}),
        line(5, event="client_received_notification", method="notifications/progress", connection_id="kc",
             message={"params": {"progressToken": 1, "progress": 2}}),
        line(6, "python_mcp_request_ended", component="c2", pid=5, outcome="cancelled", duration_ms=1.0,
             mcp={"span_id": "b"}),
    ]  # fmt: skip
    (tree,) = trees(lines)
    assert outline(as_json(tree, 0)) == ["request", "notification"]
    asks = tree.in_order()[0]
    assert isinstance(asks, CallNode)
    assert (asks.call.by_client, asks.call.sender and asks.call.sender.pid, asks.call.main.pid) == (False, 5, 4242)
    assert tree.call.outcome == "cancelled"
    rows = text([tree])
    assert "asks     sampling/createMessage unanswered" in rows
    assert "progress 2" in rows


def test_what_events_say_may_be_anything() -> None:
    odd = [
        b'{"ts":"never","event":{"meta":{"name":"python_mcp_event"},"event":5}}',
        line(3, "python_process_spawn", mcp={"span_id": "a"}),
        line(3, "python_file_open", mcp={"span_id": "a"}),
        line(3, "sensor_startup", ancestors="x", start="y"),
        event(4, "python_import", "c1", 4242, mcp={"span_id": "a"}),
        event(4, "python_of_later", "c1", 4242, mcp={"span_id": "a"}, what=[1]),
        line(5, event="server_send_notification", mcp={"span_id": "a"}, message=7),
        line(6, event="client_received_response", mcp={"span_id": "a"}, error_code="x", message={"error": "x"}),
    ]
    (tree,) = trees([CALL[0], *odd])
    assert "what=[1]" in text([tree])
    totals_of([CALL[0], *odd]).sums(selection())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["pid", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_REQUEST = st.dictionaries(st.sampled_from(["span_id", "parent_span_id", "method", "tool", "request_id"]),
                           st.sampled_from(["a", "b"]) | anything)  # fmt: skip
_MEMBERS = st.dictionaries(
    st.sampled_from(["id", "method", "message", "outcome", "duration_ms", "error_code", "argv", "server", "element",
                     "connection_id", "transport", "session_id", "server_name", "pid", "start", "ancestors", "spawn_id",
                     "api", "path", "mode", "host", "port", "count", "cwd", "fullname", "pkg", "record", "dropped",
                     "returncode", "late", "event", "modules", "operation", "caller", "server_pid"]),
    st.sampled_from(["a", "b", 1, 2]) | anything,
)  # fmt: skip
_MESSAGES = [f"{side}_{way}" for side in ("client", "server")
             for way in ("send_request", "received_request", "send_response", "received_response",
                         "send_notification", "received_notification")]  # fmt: skip


@st.composite
def odd_lines(draw: Any) -> list[bytes]:
    found = [CALL[0], SERVER]
    for number in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["python_mcp_event"] * 9 + [kind.NAME for kind in KINDS]))
        stored = json.loads(line(3 + number, name, component=draw(st.sampled_from(["c1", "c2"]))))
        stored["event"].update(draw(_MEMBERS))
        if name == "python_mcp_event" and draw(st.booleans()):
            stored["event"]["event"] = draw(st.sampled_from(_MESSAGES))
        stored["event"]["context"]["mcp"] = draw(_REQUEST | anything)
        found.append(json.dumps(stored).encode())
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(odd_lines())
def test_no_spool_however_odd_breaks_a_tree_or_a_sum(lines: list[bytes]) -> None:
    found = trees(lines)
    for full in (False, True):
        rows = text(found, full=full).splitlines()
        assert all(row.isprintable() for row in rows)
    tools, servers = totals_of(lines).sums(selection())
    stats.print_sums(Canvas(Stream("utf-8")), tools, servers)
    json.dumps([total.as_json() for total in tools.values()])


def test_a_connection_that_is_no_name_is_one_of_that_kind() -> None:
    lines = [of(number, "request", "client_send", "a", connection_id=[]) for number in (1, 2)]
    assert len(trees(lines)) == 1


def test_nothing_hostile_reaches_the_terminal() -> None:
    bad = "\x1b[2J\u202e\n"
    lines = [
        of(1, "request", "client_send", "a", method=bad, id=bad, server_name=bad, transport=bad,
           mcp={"tool": bad}, message={"params": {"arguments": {bad: bad}}}),
        event(2, "python_process_spawn", "c1", 1, spawn_id="1", argv=[bad, bad], api=bad, mcp={"span_id": "a"}),
        *[event(3, f"python_{kind}", "c1", 1, mcp={"span_id": "a"}, argv=[bad], server={"type": bad},
                **dict.fromkeys(("path", "target", "mode", "host", "fullname", "pkg", "version", "operation", "subject",
                                 "caller"), bad))
          for kind in ("file_open", "file_rename", "socket_connect", "import", "native_load", "code_exec", "x\x1b[1m",
                       "process_exec", "mcp_client_connect", "mcp_server_add", "events_dropped")],
        line(4, event="server_send_notification", method="notifications/message", mcp={"span_id": "a"},
             message={"params": {"data": bad, "level": bad}}),
        of(5, "response", "client_received", "a", outcome=bad, message={"error": {"code": bad, "message": bad}}),
    ]  # fmt: skip
    found = trees(lines)
    assert len(text(found).splitlines()) == 16
    assert all(row.isprintable() for row in text(found).splitlines())
    assert json.dumps(as_json(found[0], 0)).isprintable()


def test_a_stream_that_cannot_say_lines_gets_ascii() -> None:
    rows = text(trees(RECORDED, "publish", 1), stream=Stream("ascii"))
    assert rows.isascii()
    assert "`- answer" in rows


@pytest.mark.parametrize(
    ("microseconds", "said"),
    [
        (0, "+0.0ms"),
        (1234, "+1.2ms"),
        (999_949, "+999.9ms"),
        (1_500_000, "+1.50s"),
        (123_000_000, "+2m03s"),
        (-5000, "-5.0ms"),
    ],
)
def test_offsets_read_well(microseconds: int, said: str) -> None:
    assert offset_text(microseconds) == said


@pytest.mark.parametrize(
    ("ms", "said"), [(1.25, "1.2ms"), (True, "1.0ms"), (1e308, ""), (-1, ""), (None, ""), ("1", "")]
)
def test_what_is_no_duration_is_not_said(ms: object, said: str) -> None:
    assert took(ms) == said


# -- sums


def totals_of(lines: list[bytes]) -> Totals:
    totals = Totals()
    for each in sorted((parse(each) for each in lines), key=lambda event: (event.ts, event.key[1])):
        totals.index.take(each)
        totals.take(each)
    return totals


def test_a_call_that_both_sides_saw_is_one_and_its_children_touch_for_it() -> None:
    tools, servers = totals_of(RECORDED).sums(selection())
    publish = tools["traced", "tools/call", "publish"].as_json()
    assert (publish["calls"], publish["errors"], publish["outcomes"]) == (2, 0, {"ok": 2})
    assert 0 < publish["p50_ms"] <= publish["p95_ms"] <= publish["p99_ms"] == publish["max_ms"]
    touched = publish["touched"]
    assert touched["files read"] == {"count": 8, "distinct": 1, "top": {"/srv/example/_traced.py": 8}}
    assert touched["processes"]["top"] == {"sh": 2, "true": 2}
    assert touched["hosts"]["top"]["127.0.0.1:9"] == 2
    failed = tools["traced", "tools/call", "fail"].as_json()
    assert (failed["errors"], failed["error_rate"], failed["outcomes"]) == (2, 1.0, {"tool_error": 2})
    assert set(servers) == {"traced", "inside"}
    assert servers["traced"].calls == sum(total.calls for group, total in tools.items() if group[0] == "traced") == 16
    params = [json.loads(each)["event"] for each in RECORDED if b'"server_received_request"' in each]
    sizes = [
        len(json.dumps(each["message"]["params"], ensure_ascii=False, separators=(",", ":")).encode())
        for each in params
        if each["context"]["mcp"].get("tool") == "publish"
    ]
    assert publish["params_bytes"] == sum(sizes)


def test_percentiles_are_of_real_requests_and_counts_of_repeats_add_up() -> None:
    lines = [SERVER]
    for number in range(1, 101):
        more = {"component": "c2", "pid": 5, "connection_id": "k"}
        lines += [
            of(2 * number, "request", "server_received", f"s{number}", **more),
            *[
                event(2 * number, "python_file_open", "c2", 5, mcp={"span_id": f"s{number}"}, path="/x", mode="read",
                      **({"count": count} if count else {}))
                for count in (None, 10, 100, 123)
            ],
            of(2 * number + 1, "response", "server_send", f"s{number}", duration_ms=1.0 * number, outcome="ok", **more),
        ]  # fmt: skip
    tools, _ = totals_of(lines).sums(selection())
    ((group, total),) = tools.items()
    assert group == ("", "tools/call", "t")
    assert (total.percentile(50), total.percentile(95), total.percentile(99)) == (50.0, 95.0, 99.0)
    assert total.as_json()["touched"]["files read"]["top"] == {"/x": 12300}


def test_the_accounts_of_sensors() -> None:
    lines = [
        line(7, "python_events_dropped", dropped=3, bytes=9, reason="ring_full"),
        line(8, "python_internal_exception", place="x", message="y", count=2),
        line(10, "sensor_shutdown", events=10),
        line(2, "sensor_startup", component="c2"),
    ]
    totals = totals_of(lines)
    accounts = totals.accounts.as_json(totals.index, whole=True)
    assert accounts.pop("bytes") == sum(len(each) + 1 for each in lines)
    assert accounts == {
        "programs": 2,
        "without_end": 1,
        "emitted": 12,
        "written": 4,
        "missing": 8,
        "dropped": {"ring_full": 3},
        "unaccounted": 5,
        "swallowed": 2,
    }


def test_losses_are_put_to_the_account_of_whoever_had_them() -> None:
    """What was lost last has a number that no line shows; what told of a loss may itself be gone."""
    lines = [
        line(1, "sensor_startup", component="dead", start=7, pid=5),
        line(2, "python_events_dropped", component="dead", dropped=2, bytes=9, reason="ring_full", total=6),
        line(1, "sensor_startup", component="other"),
        line(
            2, "python_events_dropped", component="other", dropped=4, bytes=9, reason="spool", of={"pid": 5, "start": 7}
        ),
        line(
            3, "python_events_dropped", component="other", dropped=9, bytes=9, reason="spool", of={"pid": 6, "start": 7}
        ),
        line(4, "python_events_dropped", component="other", dropped=20, bytes=9, reason="retention", total=30),
        line(50, "sensor_shutdown", component="other", lost={"retention": 40, "oversize": 5}, errors=3),
    ]
    totals = totals_of(lines)
    accounts = totals.accounts.as_json(totals.index, whole=True)
    assert accounts["dropped"] == {"retention": 40, "spool": 13, "ring_full": 6, "oversize": 5}
    assert accounts["emitted"] == (2 + 6 + 4) + 9 + 50
    assert (accounts["written"], accounts["missing"]) == (7, 64)
    assert (accounts["unaccounted"], accounts["swallowed"], accounts["programs"]) == (0, 3, 2)
