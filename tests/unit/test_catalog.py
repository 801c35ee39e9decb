"""Definitions and what is known of them, without an SDK."""

from __future__ import annotations

import json
import shutil
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bluerock_hooks.hooks.mcp import _definitions, _inventory
from bluerock_hooks.hooks.mcp._catalog import Catalog

if TYPE_CHECKING:
    from bluerock_hooks.events import Event, McpServerAdd, Span


class Recorded:
    """Where the hooks record to, here: a list."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def record(self, event: Event, span: Span | None = None) -> None:
        self.events.append(event)

    def clean(self, text: str) -> str:
        return text

    def names(self) -> list[str]:
        return [event.element.name for event in self.events]


def connection(role: str = "client", server: str | None = "server", identity: str = "c1") -> Any:
    return SimpleNamespace(role=role, parties=SimpleNamespace(server=server), id=identity)


def tools(*names: str, **members: Any) -> dict[str, Any]:
    return {"tools": [{"name": name, "inputSchema": {"type": "object"}, **members} for name in names]}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def inventory(recorded: Recorded) -> _inventory.Inventory:
    return _inventory.Inventory(recorded)  # type: ignore[arg-type]


def test_the_digest_is_what_jq_and_sha256sum_say() -> None:
    if shutil.which("jq") is None:
        pytest.skip("MISSING PEER: jq")
    definition = {"name": "ü", "inputSchema": {"b": [1, 2.5, None, True], "a": "\n \"'"}, "_meta": {"changes": 1}}
    script = "jq -cSj 'del(._meta)' | sha256sum"
    done = subprocess.run(["sh", "-c", script], input=json.dumps(definition), capture_output=True, text=True)
    assert _definitions.digest(definition) == done.stdout.split()[0]
    assert _definitions.digest({**definition, "_meta": {"changes": 2}}) == done.stdout.split()[0]
    assert _definitions.digest({**definition, "description": ""}) != done.stdout.split()[0]


def test_what_is_no_json_has_a_digest_too() -> None:
    assert len(_definitions.digest({"name": "\udc80", "x": object(), "y": float("nan")})) == 64


def test_each_element_is_told_once_for_all_connections_to_a_server(
    inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    for identity in ("c1", "c2", "c3"):  # a connection a request is how 2026-07-28 HTTP works
        inventory.listed(connection(identity=identity), "tools/list", tools("a", "b"), None)
    inventory.listed(connection("server"), "tools/list", tools("a", "b"), None)
    inventory.listed(connection(server="another"), "tools/list", tools("a"), None)
    inventory.listed(connection(server=None, identity="c4"), "tools/list", tools("a"), None)
    assert [(event.source, event.server_name, event.element.name) for event in recorded.events] == [
        ("client", "server", "a"),
        ("client", "server", "b"),
        ("server", "server", "a"),
        ("server", "server", "b"),
        ("client", "another", "a"),
        ("client", None, "a"),
    ]


def test_a_definition_that_changes_says_what_it_replaces_and_going_back_is_nothing_new(
    inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    for text in ("one", "two", "one", "three"):
        inventory.listed(connection(), "tools/list", tools("a", description=text), None)
    first, second, third = recorded.events
    assert first.replaces is None
    assert second.replaces == first.element.definition_sha256
    assert third.replaces == first.element.definition_sha256
    assert third.element.description == "three"


def test_elements_of_one_name_and_different_kinds_do_not_replace_each_other(
    inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    inventory.listed(connection(), "tools/list", tools("a"), None)
    inventory.listed(connection(), "prompts/list", {"prompts": [{"name": "a"}]}, None)
    inventory.listed(connection(), "resources/list", {"resources": [{"name": "a", "uri": "x://a"}]}, None)
    inventory.listed(connection(), "resources/list", {"resources": [{"name": "a", "uri": "x://b"}]}, None)
    templates = {"resourceTemplates": [{"name": "a", "uriTemplate": "x://{a}"}]}
    inventory.listed(connection(), "resources/templates/list", templates, None)
    assert [event.replaces for event in recorded.events] == [None] * 5
    assert [event.element.uri for event in recorded.events] == [None, None, "x://a", "x://b", "x://{a}"]


@pytest.mark.parametrize("result", [{}, {"tools": None}, {"tools": {}}, {"tools": [None, 1, []]}])
def test_a_result_that_is_no_list_of_definitions_is_passed_by(
    result: dict[str, Any], inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    inventory.listed(connection(), "tools/list", result, None)
    assert recorded.events == []


def test_members_of_the_wrong_type_are_left_out(inventory: _inventory.Inventory, recorded: Recorded) -> None:
    wrong = {"name": 1, "description": [], "arguments": [3, {"name": "x", "required": "yes"}], "uri": {}}
    inventory.listed(connection(), "prompts/list", {"prompts": [wrong]}, None)
    (event,) = recorded.events
    assert event.element.name is event.element.description is event.element.uri is None
    assert [(one.name, one.required) for one in event.element.arguments] == [(None, None), ("x", None)]


def test_what_is_remembered_is_bounded(
    inventory: _inventory.Inventory, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_inventory, "_MAX_ELEMENTS", 2)
    monkeypatch.setattr(_inventory, "_MAX_DIGESTS", 2)
    for server in ("one", "two"):
        for name in ("a", "b", "c" * 1000):
            for text in ("x", "y", "z"):
                inventory.listed(connection(server=server), "tools/list", tools(name, description=text), None)
    assert len(recorded.events) == 18
    assert [(key[1], key[3]) for key in inventory._known] == [("two", "b"), ("two", "c" * 256)]
    assert {len(digests) for digests in inventory._known.values()} == {2}


class Holder:
    """As the SDKs' tool managers, of any ways to treat a duplicate."""

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        self._tools: dict[str, Any] = {}

    def add_tool(self, tool: Any) -> Any:
        if self.keep and tool.name in self._tools:
            return self._tools[tool.name]
        self._tools[tool.name] = tool
        return tool


class Tool(SimpleNamespace):
    __hash__ = None  # type: ignore[assignment]  # as pydantic's models that define equality


def test_a_duplicate_that_is_ignored_is_no_event_and_one_that_replaces_is(
    inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    catalog = Catalog(recorded, inventory, lambda: "1")  # type: ignore[arg-type]
    add = catalog.adds("tool")(Holder.add_tool)
    for keep, told in ((True, ["a"]), (False, ["a", "a", "a"])):
        recorded.events.clear()
        holder, first, second = Holder(keep=keep), Tool(name="a", description="1"), Tool(name="a", description="2")
        for tool in (first, first, second, first):
            assert add(holder, tool) in (first, tool)
        assert recorded.names() == told
    events: list[McpServerAdd] = recorded.events
    assert [event.element.description for event in events] == ["1", "2", "1"]


def test_a_constructor_that_fails_fails_as_ever_and_the_next_registration_is_recorded(
    inventory: _inventory.Inventory, recorded: Recorded
) -> None:
    class Server:
        name = "made"

        def __init__(self, problem: str = "") -> None:
            self._tool_manager = Holder(keep=True)
            add(self._tool_manager, Tool(name="given"))
            if problem:
                raise ValueError(problem)

    catalog = Catalog(recorded, inventory, lambda: "1")  # type: ignore[arg-type]
    add = catalog.adds("tool")(Holder.add_tool)
    make = catalog.official_init(Server.__init__)
    with pytest.raises(ValueError, match="bad luck"):
        make(object.__new__(Server), "bad luck")
    assert recorded.events == []
    server = object.__new__(Server)
    make(server)
    add(server._tool_manager, Tool(name="later"))
    assert [(event.element.name, event.server_name) for event in recorded.events] == [
        ("given", "made"),
        ("later", "made"),
    ]
