"""Every element of a server is told once when it is registered or first listed, with the digest of what clients see."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _cells import FASTMCP_2, MCP_1_9, USUAL, Cell, cells
from _peers import EXAMPLES, Peer, named, read_spool
from _serving import started

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
NAMES = {"resource": "uri", "template": "uriTemplate"}


def told(definition: tuple[str, dict[str, Any]]) -> tuple[str, str, str]:
    """Type, name and digest of a definition that the client printed, worked out without our code."""
    kind, members = definition
    seen = {name: value for name, value in members.items() if name != "_meta"}
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return kind, members[NAMES.get(kind, "name")], hashlib.sha256(text.encode()).hexdigest()


def recorded(event: dict[str, Any]) -> tuple[str, str, str]:
    """The same of an event."""
    element = event["element"]
    return element["type"], element["uri" if element["type"] in NAMES else "name"], element["definition_sha256"]


@pytest.mark.parametrize("cell", cells(*USUAL))
def test_what_is_registered_and_what_is_listed_is_told_once_with_the_digest_that_a_client_can_work_out(
    cell: Cell, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv(cell.python, *cell.packages)
    done = peer.run("python", HERE / "_catalogue.py", cell.package, cell.mode, env=sensor_env)
    assert "bluerock" not in done.stderr
    said = json.loads(done.stdout)
    first, second = ([told(one) for one in said[part]] for part in ("first", "second"))
    assert len(first) == len({*first}) >= 8
    lines = read_spool(spool)
    events = named(lines, "python_mcp_server_add")

    # One event a server object, with what is on top of the SDK.
    servers = [event["server"] for event in named(lines, "python_mcp_server_init")]
    assert [server["name"] for server in servers] == ["child", "catalogue"][cell.package == "mcp" :]
    framework = cell.packages[0].replace("==", " ") if cell.package == "fastmcp" else None
    assert {server.get("framework") for server in servers} == {framework}
    assert {server["sdk"] for server in servers} == {"2" if cell.on_mcp_2 else "1"}

    registered = [recorded(event) for event in events if event["learned"] == "registered"]
    names = ["constructed", "plain", "changing", "replaced", "grow", "grown", "replaced", "res://fixed"]
    mounted = ["changing"] if cell.package == "fastmcp" else []
    assert sorted(name for _, name, _ in registered) == sorted([*names, *mounted, "res://shaped/{name}", "asked"])

    for event in events:
        assert event["source"] == ("server" if event["learned"] == "registered" else event["source"])
        assert event["server_name"] in ("catalogue", "child")
        assert ("connection_id" in event) == (event["learned"] == "listed")

    # The client is told of everything once, in both states.
    client = [recorded(event) for event in events if event["source"] == "client"]
    assert sorted(client) == sorted({*first, *second})
    # The server tells in lists only what no registration has told: the change behind its back, and what is mounted.
    server = [recorded(event) for event in events if event["source"] == "server" and event["learned"] == "listed"]
    assert sorted(server) == sorted({*first, *second} - {*registered})
    changing = "sub_changing" if cell.package == "fastmcp" else "changing"
    # Before 1.14 the SDK's lists have no MIME type of a template.
    assert {name for _, name, _ in server} == {changing, *(["res://shaped/{name}"] if cell.packages == MCP_1_9 else [])}

    # A definition that changed says what it replaces.
    changes = {}
    for event in events:
        if "replaces" in event and event["element"]["type"] == "tool":
            changes[event["source"], event["element"]["name"]] = event
    assert set(changes) == {(side, name) for side in ("client", "server") for name in ("replaced", changing)}
    for event in changes.values():
        kind, name, sha256 = recorded(event)
        assert (kind, name, event["replaces"]) in first
        assert (kind, name, sha256) in second
        assert event["element"]["description"] == "Then."

    # What was registered inside a tool belongs to its call.
    (grown,) = (event for event in events if event["element"].get("name") == "grown" and event["source"] == "server")
    assert grown["context"]["mcp"]["tool"] == "grow"


def test_an_event_has_the_members_of_the_definition(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv("3.11", "mcp==2.3.0").run("python", HERE / "_catalogue.py", "mcp", "auto", env=sensor_env)
    elements = {
        event["element"].get("name", event["element"].get("uri")): event["element"]
        for event in named(read_spool(spool), "python_mcp_server_add")
        if event["learned"] == "registered"
    }
    plain = elements["plain"]
    assert plain["description"].startswith("Ü: a default")
    assert plain["parameters"]["properties"]["b"]["default"] is None
    assert plain["output_schema"]["type"] == "object"
    assert plain["annotations"] == {"title": "Plain", "readOnlyHint": True}
    assert elements["fixed"]["uri"] == "res://fixed"
    assert elements["fixed"]["mime_type"] == "text/plain"
    assert elements["shaped"]["uri"] == "res://shaped/{name}"
    assert elements["asked"]["arguments"] == [{"name": "topic", "required": True}, {"name": "tone", "required": False}]


SECRET = "sk-example-0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(("sdk", "mode"), [("mcp==1.30.0", "legacy"), ("mcp==2.3.0", "legacy"), ("mcp==2.3.0", "auto")])
def test_a_low_level_server_is_known_by_its_pages_and_nothing_in_them_grows_or_leaks(
    sdk: str, mode: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv("3.11", sdk).run("python", HERE / "_lowlevel.py", mode, SECRET, env=sensor_env)
    events = read_spool(spool)
    (init,) = named(events, "python_mcp_server_init")
    expected = {"name": "low", "version": "7.1", "instructions": "Told to models.", "sdk": sdk[5]}
    assert init["server"] == (expected if sdk[5] == "1" else {**expected, "title": "Low"})

    added = named(events, "python_mcp_server_add")
    assert [(event["source"], event["element"]["name"], event["learned"]) for event in added] == [
        (side, name, "listed")
        for page in (["first"], ["secretive", "huge"])
        for side in ("server", "client")
        for name in page
    ]
    assert len({event["element"]["definition_sha256"] for event in added}) == 3
    assert {event["server_name"] for event in added} == {"low"}
    calls = {event["context"]["mcp"]["span_id"] for event in named(events, "server_received_request")}
    assert {event["context"]["mcp"]["span_id"] for event in added if event["source"] == "server"} <= calls

    huge = added[-1]["element"]
    assert len(huge["description"]) < 3000
    assert len(huge["parameters"]["properties"]) == 65  # 64 and what says that there were more
    for segment in spool.glob("*.ndjson"):
        assert SECRET.encode() not in segment.read_bytes()


def test_a_client_and_a_server_in_two_processes_agree_on_every_digest(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv("3.11", "mcp==2.3.0").run("python", EXAMPLES / "client.py", env=sensor_env)
    sides: dict[str, set[Any]] = {"server": set(), "client": set()}
    for event in named(read_spool(spool), "python_mcp_server_add"):
        assert event["learned"] == {"server": "registered", "client": "listed"}[event["source"]]
        sides[event["source"]].add(recorded(event))
    assert {kind for kind, _, _ in sides["client"]} >= {"tool"}
    assert sides["client"] <= sides["server"]
    assert {kind for kind, _, _ in sides["server"]} == {"tool", "resource", "template", "prompt"}


@pytest.mark.parametrize(
    ("packages", "wanted"),
    [
        pytest.param(
            ("fastmcp==4.1.6",),
            [("server", "provided", None, "registered"), ("server", "provided", "served", "listed")],
            id="fastmcp-4.1",
        ),
        pytest.param(
            ("fastmcp==3.4.11",),
            [("server", "provided", None, "registered"), ("server", "provided", "served", "listed")],
            id="fastmcp-3.4",
            marks=pytest.mark.stress,
        ),
        pytest.param(
            FASTMCP_2,
            [("server", "provided", "source", "registered"), ("server", "sub_provided", "served", "registered")],
            id="fastmcp-2.14",
            marks=pytest.mark.stress,
        ),
    ],
)
def test_what_fastmcp_serves_from_somewhere_else_is_told_for_its_place_and_for_the_server(
    packages: tuple[str, ...],
    wanted: list[tuple[str, str, str | None, str]],
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
) -> None:
    peer_venv("3.11", *packages).run("python", HERE / "_provided.py", env=sensor_env)
    events = [
        (event["source"], event["element"]["name"], event.get("server_name"), event["learned"])
        for event in named(read_spool(spool), "python_mcp_server_add")
    ]
    assert events == [*wanted, ("client", wanted[-1][1], "served", "listed")]


def test_over_http_where_each_request_is_a_connection_nothing_is_told_twice(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", "mcp==2.3.0", "uvicorn")
    with started([peer.python, EXAMPLES / "http_server.py"], sensor_env, peer.directory) as url:
        for _ in range(2):
            peer.run("python", EXAMPLES / "client.py", "--url", url, env=sensor_env)
    events = named(read_spool(spool), "python_mcp_server_add")
    by_side = {side: [recorded(event) for event in events if event["source"] == side] for side in ("server", "client")}
    assert len(by_side["server"]) == len({*by_side["server"]}) == 7
    assert {event["learned"] for event in events if event["source"] == "server"} == {"registered"}
    # Two client processes: each tells what it was told.
    assert sorted(by_side["client"]) == sorted([*{*by_side["client"]}] * 2)


@pytest.mark.parametrize("package", ["mcp==2.3.0", pytest.param("fastmcp==4.1.6", marks=pytest.mark.stress)])
def test_where_no_registration_can_be_seen_the_lists_still_tell_and_the_loss_is_known(
    package: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    name = package.partition("=")[0]
    done = peer_venv("3.11", package).run("python", HERE / "_absent.py", name, "auto", env=sensor_env)
    said = json.loads(done.stdout)
    everything = sorted({told(one) for part in ("first", "second") for one in said[part]})
    events = read_spool(spool)
    added = named(events, "python_mcp_server_add")
    assert {event["learned"] for event in added} == {"listed"}
    for side in ("server", "client"):
        assert sorted(recorded(event) for event in added if event["source"] == side) == everything
    absent = {
        hook["target"]: hook["feature"]
        for event in named(events, "sensor_hooks")
        for hook in event["hooks"]
        if hook["outcome"] == "absent"
    }
    assert absent
    assert all(target.endswith("_of_a_later_version") for target in absent)
    assert any("registered" in feature for feature in absent.values())
