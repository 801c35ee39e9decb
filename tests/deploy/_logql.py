"""A small LogQL: parsed by the grammar that Grafana uses, evaluated here over a list of events.

An approximation, for machines without Loki: what it knows it evaluates at one moment over the whole range, and what it
does not know it refuses. It says whether a query finds what is there; steps, limits and costs of Loki it does not know.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _contract
import _node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARSER = "@grafana/lezer-logql@0.4.2"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]


@dataclass
class Node:
    """A node of the parser's tree."""

    name: str
    text: str
    broken: bool
    children: list[Node] = field(default_factory=list)

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Node:
        return cls(tree["name"], tree["text"], tree["broken"], [cls.of(child) for child in tree["children"]])

    def all(self, name: str) -> Iterator[Node]:
        """Every node of this name below, this one included, in order."""
        if self.name == name:
            yield self
        for child in self.children:
            yield from child.all(name)

    def first(self, *names: str) -> Node | None:
        """The first child of one of these names."""
        return next((child for child in self.children if child.name in names), None)

    def errors(self) -> bool:
        return self.broken or any(child.errors() for child in self.children)


@dataclass
class Line:
    """A line as Loki has it."""

    seconds: float
    labels: dict[str, str]
    text: str


def parse(expressions: list[str]) -> list[Node]:
    """The trees of all; ``errors()`` says which are no LogQL."""
    modules = _node.modules(PARSER)
    command = ["node", str(Path(__file__).with_suffix(".mjs")), f"{modules}/x.js"]
    done = subprocess.run(command, input=json.dumps(expressions), capture_output=True, text=True, check=True)
    return [Node.of(tree) for tree in json.loads(done.stdout)]


def lines(stored: Iterable[str], host: str = "host", service: str = "service") -> list[Line]:
    """What a collector makes of events, as Loki names it."""
    found = []
    for text in stored:
        beside = {**_contract.labels(text, host, service), **_contract.metadata(text)}
        named = {
            name.replace(".", "_"): value if isinstance(value, str) else json.dumps(value)
            for name, value in beside.items()
        }
        found.append(Line(_contract.time_ns(text) / 1e9, named, text))
    return found


def string(node: Node) -> str:
    """What a literal means."""
    return node.text[1:-1] if node.text[0] == "`" else str(json.loads(node.text))


def extractions(node: Node) -> Iterator[tuple[str, str]]:
    """Label and path of what ``| json`` takes out of the line."""
    for each in node.all("LabelExtractionExpression"):
        value = each.first("String")
        assert value is not None, f"{each.text}: say which member"
        yield each.children[0].text, string(value)


class Query:
    """One expression over these lines, ``now`` being the time of the last."""

    def __init__(self, tree: Node, stored: list[Line]) -> None:
        self._tree = tree
        self._lines = stored
        self._now = max(line.seconds for line in stored)

    def result(self) -> Vector | list[Line]:
        """Samples by their labels, or lines."""
        found = next(self._tree.all("Expr")).children[0]
        if found.name == "LogExpr":
            return self._pipeline(found, self._lines)
        return self._metric(found)

    # -- metrics

    def _metric(self, node: Node) -> Vector:
        if node.name in ("MetricExpr", "Expr"):
            return self._metric(next(child for child in node.children if child.name != "ParenL"))
        if node.name == "VectorAggregationExpr":
            return self._aggregated(node)
        if node.name == "RangeAggregationExpr":
            return self._over_range(node)
        if node.name == "BinOpExpr":
            return self._both(node)
        if node.name == "LiteralExpr":
            return {(): float(node.text)}
        raise NotImplementedError(node.name)

    def _aggregated(self, node: Node) -> Vector:
        inner = self._metric(next(child for child in node.children if child.name == "MetricExpr"))
        operation = node.children[0].children[0].name
        if operation == "Topk":
            most = int(next(node.all("Number")).text)
            return dict(sorted(inner.items(), key=lambda item: -item[1])[:most])
        kept = _grouping(node)
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in inner.items():
            groups[_only(dict(labels), kept)].append(value)
        fold = {"Sum": sum, "Count": len}[operation]
        return {labels: float(fold(values)) for labels, values in groups.items()}

    def _over_range(self, node: Node) -> Vector:
        operation = node.children[0].children[0].name
        inside = node.first("LogRangeExpr")
        assert inside is not None
        unwrap = next((each.children[2].text for each in inside.all("UnwrapExpr")), None)
        # Grouped by all labels, as Loki does where nothing else is said.
        kept = _grouping(node) if node.first("Grouping") else None
        groups: dict[Labels, list[float]] = defaultdict(list)
        for line in self._pipeline(inside, self._within(inside)):
            if unwrap is None:
                groups[_only(line.labels, kept)].append(1.0)
            elif line.labels.get(unwrap):
                rest = {name: value for name, value in line.labels.items() if name != unwrap}
                groups[_only(rest, kept)].append(float(line.labels[unwrap]))
        if operation == "QuantileOverTime":
            share = float(next(node.all("Number")).text)
            return {labels: _quantile(values, share) for labels, values in groups.items()}
        assert operation in ("CountOverTime", "SumOverTime"), operation
        return {labels: sum(values) for labels, values in groups.items()}

    def _within(self, node: Node) -> list[Line]:
        """The lines of the range."""
        seconds = [int(each.text[:-1]) * _UNITS[each.text[-1]] for each in node.all("Duration")]
        end = self._now - sum(seconds[1:])
        return [line for line in self._lines if end - seconds[0] < line.seconds <= end]

    def _both(self, node: Node) -> Vector:
        left, operation, right = node.children[0], node.children[1].name, node.children[-1]
        one, other = self._metric(left), self._metric(right)
        if operation == "Unless":
            return {labels: value for labels, value in one.items() if labels not in other}
        if operation == "Gtr" and list(other) == [()]:
            return {labels: value for labels, value in one.items() if value > other[()]}
        raise NotImplementedError(operation)

    # -- lines

    def _pipeline(self, node: Node, given: list[Line]) -> list[Line]:
        selector = node.first("Selector")
        assert selector is not None
        found = [
            Line(line.seconds, dict(line.labels), line.text)
            for line in given
            if all(_matches(matcher, line.labels) for matcher in selector.all("Matcher"))
        ]
        for stage in node.all("PipelineStage"):
            found = [line for line in found if _stage(stage.children[1], line)]
        return found


def _stage(node: Node, line: Line) -> bool:
    """Change the line; whether it stays."""
    if node.name == "JsonExpressionParser":
        stored = json.loads(line.text)
        for label, path in extractions(node):
            value = _member(stored, path)
            if value is not None:
                line.labels[label] = value
        return True
    if node.name == "LabelFilter":
        return _filtered(node, line.labels)
    if node.name == "LineFormatExpr":
        line.text = re.sub(r"{{\.(\w+)}}", lambda found: line.labels.get(found[1], ""), string(node.children[1]))
        return True
    raise NotImplementedError(node.name)


def _filtered(node: Node, labels: dict[str, str]) -> bool:
    if node.name == "Matcher":
        return _matches(node, labels)
    parts = [child for child in node.children if child.name in ("LabelFilter", "Matcher")]
    outcomes = [_filtered(part, labels) for part in parts]
    return any(outcomes) if node.first("Or") else all(outcomes)


def _matches(matcher: Node, labels: dict[str, str]) -> bool:
    name, operation, value = matcher.children
    have, want = labels.get(name.text, ""), string(value)
    if operation.name in ("Re", "Nre"):
        return bool(re.fullmatch(want, have, re.DOTALL)) == (operation.name == "Re")
    return (have == want) == {"Eq": True, "Neq": False}[operation.name]


def _member(stored: Any, path: str) -> str | None:
    """The text that ``| json`` makes of a member, None where there is none."""
    for name in re.findall(r"[^.\[\]]+", path):
        if isinstance(stored, list):
            stored = stored[int(name)] if int(name) < len(stored) else None
        else:
            stored = stored.get(name) if isinstance(stored, dict) else None
    if stored is None or isinstance(stored, str):
        return stored
    return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)


def _grouping(node: Node) -> set[str]:
    group = node.first("Grouping")
    return {each.text for each in group.all("Identifier")} if group else set()


def _only(labels: dict[str, str], kept: set[str] | None) -> Labels:
    return tuple(sorted((name, value) for name, value in labels.items() if value and (kept is None or name in kept)))


def _quantile(values: list[float], share: float) -> float:
    ordered, place = sorted(values), share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
