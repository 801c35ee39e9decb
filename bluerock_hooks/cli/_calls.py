"""What is kept of each request, of each program (a process with a sensor) and of each start of a process: the little
that joins them. ``_index`` fills it.
"""

from __future__ import annotations

import sys

from ..reader import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    ProcessKey = tuple[int, int]  # pid, start tick

NEVER = 1 << 62  # microseconds; later than anything


class Side:
    """A request as one side saw it."""

    __slots__ = ("component", "connection", "duration_ms", "end", "last", "outcome", "parent", "pid", "span", "start")

    def __init__(self, span: str, component: str, pid: int, connection: str, start: int, parent: str | None) -> None:
        self.span = span
        self.component = component
        self.pid = pid
        self.connection = connection
        self.start = self.last = start
        self.parent = parent
        self.end: int | None = None
        self.outcome: str | None = None
        self.duration_ms: float | None = None


class Call:
    """One request, with the side that sent it and the side that received it as far as they are in the spool."""

    __slots__ = (
        "answer_bytes", "by_client", "client", "digest", "error_code", "id", "method", "params_bytes", "receiver",
        "resumes", "sender", "server", "session", "tool", "transport",
    )  # fmt: skip

    def __init__(self, method: str, tool: str | None, request_id: object) -> None:
        self.method = method
        self.tool = tool
        self.id = request_id
        self.by_client = True
        self.digest = 0
        """Of its arguments as recorded."""
        self.resumes: Call | None = None
        """The request that asked for the input which this one brings."""
        self.sender: Side | None = None
        self.receiver: Side | None = None
        self.server: str | None = None
        self.client: str | None = None
        self.session: str | None = None
        self.transport: str | None = None
        self.error_code: int | None = None
        self.params_bytes = self.answer_bytes = 0

    def sides(self) -> Iterator[Side]:
        """The sender's first."""
        if self.sender is not None:
            yield self.sender
        if self.receiver is not None:
            yield self.receiver

    @property
    def main(self) -> Side:
        """The side that did the work, else the one that is known."""
        return next(reversed(list(self.sides())))

    @property
    def start(self) -> int:
        """When it was seen first."""
        return min(side.start for side in self.sides())

    @property
    def outcome(self) -> str | None:
        """What the sender got; None while nobody has an answer."""
        return next((side.outcome for side in self.sides() if side.outcome is not None), None)

    @property
    def duration_ms(self) -> float | None:
        """At the side that did the work, where that is known."""
        return next((side.duration_ms for side in reversed(list(self.sides())) if side.duration_ms is not None), None)

    def takes(self, other: Call) -> None:
        """Become what both together are; ``other`` is the receiver's view."""
        self.receiver = other.receiver
        for name in ("server", "client", "session"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(other, name))
        if self.transport == "memory":
            self.id = other.id  # within a process 2026-07-28 has an id at the receiver only


class Program:
    """A process with a sensor. After an exec there is another of the same process."""

    __slots__ = ("ancestors", "component", "ended", "first", "info", "last", "pid", "start")

    def __init__(self, component: str, pid: int, first: int) -> None:
        self.component = component
        self.pid = pid
        self.first = self.last = first
        self.start: int | None = None
        self.ancestors: tuple[tuple[ProcessKey, object], ...] = ()
        """Nearest first, each with the thread of it that made the one before."""
        self.info: dict[str, Any] = {}
        self.ended = False

    def descends_from(self, pid: int) -> bool:
        """Is it that process, or started by it through whatever chain?"""
        return self.pid == pid or any(key[0] == pid for key, _ in self.ancestors)


class Start:
    """A ``python_process_spawn``."""

    __slots__ = ("api", "at", "component", "end", "key", "span", "spawn_id", "thread")

    def __init__(self, spawn_id: str, component: str, span: str | None, api: str, at: int) -> None:
        self.spawn_id = spawn_id
        self.component = component
        self.span = span
        self.api = api
        self.at = at
        self.end = NEVER
        self.key: ProcessKey | None = None
        self.thread: object = None
        """Where there is no key: the thread that waits for it."""


Cause = Call | Start | Program


def text_or_none(value: object) -> str | None:
    """A text as it is; equal ones are one object, for most come thousands of times."""
    return sys.intern(value) if isinstance(value, str) else None


def component_of(event: dict[str, Any]) -> str:
    """Of the process that recorded it; empty where the line does not say."""
    return text_or_none(member(event, "meta", "component_id")) or ""
