"""The dashboards ask for what events have, and find it in the sample that was recorded from the examples."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import _logql
import yaml
from _peers import ROOT

from bluerock_hooks.cli import schema

if TYPE_CHECKING:
    from pathlib import Path

STACK = ROOT / "deploy" / "grafana-loki"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((STACK / "grafana/dashboards").glob("*.json"))}
SAMPLE = STACK / "demo" / "events.ndjson"
CONTRACT = json.loads((ROOT / "deploy/contract.json").read_text())
LABELS = {name.replace(".", "_") for name in (*CONTRACT["labels"], *CONTRACT["metadata"])}
DEFAULTS = {"service": ".+", "host": ".+", "server": ".*", "tool": ".*", "session": ".*", "span": ".+"}

# Nothing was lost while the sample was recorded; the example in the docs is of a run that lost events.
QUIET = {("fleet", "Events dropped")}


class Asked(NamedTuple):
    """A query of a panel, with its variables at what they are at first."""

    board: str
    panel: dict[str, Any]
    expr: str

    @property
    def place(self) -> tuple[str, str]:
        return self.board, self.panel["title"]


def filled(expr: str, **variables: str) -> str:
    values = {"__range": "6h", "__auto": "1m", **DEFAULTS, **variables}
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)


@cache
def asked() -> list[Asked]:
    return [
        Asked(name, panel, filled(target["expr"]))
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
    ]


@cache
def trees() -> list[_logql.Node]:
    return _logql.parse([each.expr for each in asked()])


@cache
def sample() -> list[_logql.Line]:
    return _logql.lines(SAMPLE.read_text().splitlines())


@cache
def results() -> list[Any]:
    """What each query finds in the sample."""
    return [_logql.Query(tree, sample()).result() for tree in trees()]


def test_the_files_are_those_that_the_source_writes() -> None:
    done = subprocess.run([sys.executable, STACK / "dashboards.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_query_is_logql() -> None:
    broken = [each.expr for each, tree in zip(asked(), trees(), strict=True) if tree.errors()]
    assert len(asked()) > 70
    assert not broken


def test_the_parser_refuses_what_is_no_logql() -> None:
    assert [tree.errors() for tree in _logql.parse(['{a="b"}', '{a="b"', 'sum(rate({a="b"}))'])] == [False, True, True]


def test_every_query_asks_for_labels_and_members_that_there_are() -> None:
    for each, tree in zip(asked(), trees(), strict=True):
        taken = dict(_logql.extractions(tree))
        used = {matcher.children[0].text for matcher in tree.all("Matcher")}
        used |= {label.text for group in tree.all("Grouping") for label in group.all("Identifier")}
        used |= {unwrap.children[2].text for unwrap in tree.all("UnwrapExpr")}
        for template in tree.all("LineFormatExpr"):
            used |= set(re.findall(r"{{\.(\w+)}}", template.text))
        used |= shown(each.panel)
        assert used <= LABELS | set(taken), (each.place, used - LABELS - set(taken))
        assert not LABELS & set(taken), (each.place, "Loki would call it _extracted")
        for path in taken.values():
            assert any(has(kind, path) for kind in kinds(tree)), (each.place, path)


def shown(panel: dict[str, Any]) -> set[str]:
    """Labels that the columns and legends of a panel name."""
    names: set[str] = set()
    for step in panel.get("transformations", ()):
        names |= set(step["options"].get("includeByName", ())) - {"Time", "Value #A"}
    for target in panel["targets"]:
        names |= set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
    return names


@cache
def definitions() -> dict[str, Any]:
    return schema.document()["$defs"]


@cache
def names_of_kinds() -> dict[str, str]:
    """Definition of each event name."""
    arms = schema.document()["properties"]["event"]["anyOf"]
    return {
        arm["properties"]["meta"]["properties"]["name"]["const"]: arm["$ref"].rpartition("/")[2]
        for arm in arms
        if "properties" in arm
    }


def kinds(tree: _logql.Node) -> list[str]:
    """Definitions of the events that a query selects; each alternative of the name has to exist."""
    known = names_of_kinds()
    wanted = [
        _logql.string(matcher.children[2])
        for matcher in tree.all("Matcher")
        if matcher.children[0].text == "event_name"
    ]
    for pattern in "|".join(wanted).split("|") if wanted else ():
        assert any(re.fullmatch(pattern, name) for name in known), pattern
    return [made for name, made in known.items() if all(re.fullmatch(pattern, name) for pattern in wanted)]


def has(kind: str, path: str) -> bool:
    """Does an event of this definition have such a member?"""
    assert path.startswith("event.")
    part: dict[str, Any] = definitions()[kind]
    for name in re.findall(r"[^.\[\]]+", path.removeprefix("event.")):
        if name.isdigit():
            part = part.get("items", {})
        elif part.get("type") == "object" and "properties" not in part:
            return True  # a message: whatever the protocol has
        else:
            part = part.get("properties", {}).get(name, {})
        while "$ref" in part:
            part = definitions()[part["$ref"].rpartition("/")[2]]
        if not part:
            return False
    return True


def test_every_query_finds_something_in_the_sample() -> None:
    dropped = [line for line in (ROOT / "docs/examples.ndjson").read_text().splitlines() if "events_dropped" in line]
    for each, tree, result in zip(asked(), trees(), results(), strict=True):
        if each.place in QUIET:
            assert not result, f"{each.place} is not quiet any more"
            assert _logql.Query(tree, _logql.lines(dropped)).result(), each
        else:
            assert result, each


def test_a_query_for_what_is_not_there_finds_nothing() -> None:
    for tree in _logql.parse(
        ['{event_name="python_mcp_event"} | gen_ai_tool_name="nobody"', '{event_name="bluerock"}']
    ):
        assert not _logql.Query(tree, sample()).result()


def test_figures_are_those_that_the_sample_has() -> None:
    """Counted once more without LogQL."""
    events = [json.loads(line)["event"] for line in SAMPLE.read_text().splitlines()]
    calls = [e for e in events if e.get("event") == "server_send_response" and e["method"] == "tools/call"]
    figures = {
        ("fleet", "Tool calls"): len(calls),
        ("fleet", "Failed calls"): sum(e["outcome"] == "tool_error" for e in calls),
        ("fleet", "Servers"): len({e["server_name"] for e in calls}),
        ("activity", "Processes started"): sum(e["meta"]["name"] == "python_process_spawn" for e in events),
        ("supply-chain", "Differ from RECORD"): sum(e.get("record") == "mismatch" for e in events),
        ("supply-chain", "Changed tools"): sum("replaces" in e for e in events),
    }
    for each, result in zip(asked(), results(), strict=True):
        if each.place in figures:
            assert result == {(): figures.pop(each.place)}, each.place
    assert not figures


def test_those_for_a_fleet_ask_the_same_without_the_label(tmp_path: Path) -> None:
    subprocess.run([sys.executable, STACK / "dashboards.py", "--fleet", tmp_path], check=True)
    boards = [json.loads((tmp_path / f"{name}.json").read_text()) for name in BOARDS]
    fleet = [filled(target["expr"]) for board in boards for panel in board["panels"] for target in panel["targets"]]
    for tree, result in zip(_logql.parse(fleet), results(), strict=True):
        selectors = [matcher.children[0].text for each in tree.all("Selector") for matcher in each.all("Matcher")]
        assert selectors
        assert "host_name" not in selectors
        assert _logql.Query(tree, sample()).result() == result


def test_a_span_selects_one_call() -> None:
    """The link from a call to what ran inside."""
    expr = next(each.expr for each in asked() if each.place == ("call", "Processes"))
    spans = {
        line.labels["bluerock_span_id"]
        for line in sample()
        if line.labels["event_name"] == "python_process_spawn" and "bluerock_span_id" in line.labels
    }
    assert len(spans) > 4
    chosen = sorted(spans)[0]
    (tree,) = _logql.parse([expr.replace('bluerock_span_id=~".+"', f'bluerock_span_id=~"{chosen}"')])
    found = _logql.Query(tree, sample()).result()
    assert isinstance(found, dict)
    assert 0 < sum(found.values()) < 4


def test_uids_are_said_and_links_lead_somewhere() -> None:
    uids = {board["uid"]: board for board in BOARDS.values()}
    assert len(uids) == len(BOARDS)
    (source,) = yaml.safe_load((STACK / "grafana/provisioning/datasources/loki.yaml").read_text())["datasources"]
    text = json.dumps(list(BOARDS.values())) + json.dumps(source)
    assert set(re.findall(r'"type": "loki", "uid": "([^"]*)"', text)) == {source["uid"]}
    for uid, variables in re.findall(r"/d/([a-z-]+)\?([^\"]*)", text):
        known = {variable["name"] for variable in uids[uid]["templating"]["list"]}
        assert {*re.findall(r"var-(\w+)", variables), *re.findall(r"\${(\w+):queryparam}", variables)} <= known


def test_panels_lie_side_by_side() -> None:
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not taken & cells, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
