"""Sums over requests: how many, how they ended, how long they took, what they touched."""

from __future__ import annotations

import json
from collections import Counter

from ..reader import member
from ._accounts import Accounts
from ._calls import Call, component_of
from ._index import Index
from ._touches import Touches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..reader import StoredEvent
    from ._selection import CallSelection

    Group = tuple[str, str, str]  # server, method, tool; empty where there is none
    Place = tuple[str, str, str | None]  # connection, method, tool

GOOD = ("ok", "input_required")
TOP = 10  # names of a kind, in JSON


class Total:
    """Of some requests."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.durations: list[float] = []
        self.params_bytes = 0
        self.answer_bytes = 0
        self.touches = Touches()

    def add(self, call: Call) -> None:
        """Count a request."""
        self.outcomes[call.outcome or "unanswered"] += 1
        if call.duration_ms is not None:
            self.durations.append(call.duration_ms)
        self.params_bytes += call.params_bytes
        self.answer_bytes += call.answer_bytes

    @property
    def calls(self) -> int:
        """How many."""
        return sum(self.outcomes.values())

    @property
    def errors(self) -> int:
        """How many ended badly; one without an answer yet has not."""
        return self.calls - self.outcomes["unanswered"] - sum(self.outcomes[name] for name in GOOD)

    @property
    def error_rate(self) -> float | None:
        """Errors among those that have ended."""
        ended = self.calls - self.outcomes["unanswered"]
        return self.errors / ended if ended else None

    def percentile(self, share: int) -> float | None:
        """The duration that ``share`` percent did not exceed, in milliseconds: that of a real request."""
        if not self.durations:
            return None
        ordered = sorted(self.durations)
        return ordered[max(0, -(-len(ordered) * share // 100) - 1)]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        rate = self.error_rate
        times = {f"p{share}_ms": self.percentile(share) for share in (50, 95, 99)}
        return {
            "calls": self.calls,
            "errors": self.errors,
            "error_rate": round(rate, 4) if rate is not None else None,
            "outcomes": dict(self.outcomes.most_common()),
            **times,
            "max_ms": max(self.durations, default=None),
            "params_bytes": self.params_bytes,
            "results_bytes": self.answer_bytes,
            "touched": self.touches.as_json(TOP),
        }


class Totals:
    """``take`` every event after the index has, then ``sums``."""

    def __init__(self) -> None:
        self.index = Index()
        self.accounts = Accounts()
        self._by_place: dict[Place, Touches] = {}
        self._by_program: dict[str, Touches] = {}

    def take(self, stored: StoredEvent) -> None:
        """Count an event."""
        self.accounts.add(stored, self.index)
        event = stored.event
        span = member(event, "context", "mcp", "span_id")
        call = self.index.calls.get(span) if isinstance(span, str) else None
        if stored.name == "python_mcp_event":
            _measure(event, call)
        elif call is not None:
            connection = next((side.connection for side in call.sides() if side.span == span), "")
            self._by_place.setdefault((connection, call.method, call.tool), Touches()).add(event)
        else:
            self._by_program.setdefault(component_of(event), Touches()).add(event)

    def sums(self, selection: CallSelection) -> tuple[dict[Group, Total], dict[str, Total]]:
        """By server and tool or method, and by server. What programs did counts for the request that started them."""
        tools: dict[Group, Total] = {}
        places: dict[Place, Group] = {}
        for call in self.index.distinct():
            if selection.matches(call):
                group = group_of(call)
                tools.setdefault(group, Total()).add(call)
                places |= {(side.connection, call.method, call.tool): group for side in call.sides()}
        for place, touches in self._by_place.items():
            if place in places:
                tools[places[place]].touches.merge(touches)
        for component, touches in self._by_program.items():
            causes = self.index.chain(self.index.programs[component])
            call_ = next((cause for cause in causes if isinstance(cause, Call)), None)
            if call_ is not None and selection.matches(call_):
                tools[group_of(call_)].touches.merge(touches)
        return tools, _by_server(tools.items())


def group_of(call: Call) -> Group:
    """Where it is counted."""
    return call.server or "", call.method, call.tool or ""


def _by_server(tools: Iterable[tuple[Group, Total]]) -> dict[str, Total]:
    servers: dict[str, Total] = {}
    for (server, _, _), total in tools:
        whole = servers.setdefault(server, Total())
        whole.outcomes.update(total.outcomes)
        whole.durations += total.durations
        whole.params_bytes += total.params_bytes
        whole.answer_bytes += total.answer_bytes
        whole.touches.merge(total.touches)
    return servers


def _measure(event: dict[str, Any], call: Call | None) -> None:
    """Size of what a request and its answer carried, as recorded, once however many sides saw it."""
    if call is None:
        return
    message, what = event.get("message"), str(event.get("event"))
    if what.endswith("_request") and not call.params_bytes:
        call.params_bytes = _size(member(message, "params"))
    elif what.endswith("_response") and not call.answer_bytes:
        found = member(message, "result")
        call.answer_bytes = _size(found if found is not None else member(message, "error"))


def _size(value: object) -> int:
    return 0 if value is None else len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
