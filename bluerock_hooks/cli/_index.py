"""Requests, programs and started processes of a spool, joined: who called whom, and what started what.

``Index`` is fed with events in time order. Nothing here decides what is shown.
"""

from __future__ import annotations

from ..reader import member
from ._calls import Call, Program, Side, Start, component_of, text_or_none
from ._joining import Joiner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..reader import Snapshot, StoredEvent
    from ._calls import Cause, ProcessKey
    from ._selection import CallSelection

_KIN = (b'"sensor_startup"', b'"python_mcp_session_created"', b'"python_process_spawn"')
STRUCTURE = (
    *_KIN,
    b'"python_mcp_event"',
    b'"python_mcp_request_ended"',
    b'"python_process_exit"',
    b'"sensor_shutdown"',
)
"""Texts of the lines that ``Index`` needs; others only tell it when something happened last."""

_DEEP = 64  # what causes what is no longer followed; only a forged spool is so deep


class Clock:
    """``stored.ts`` as microseconds since the epoch; the minute it lies in is looked up, for most are the same."""

    def __init__(self) -> None:
        self._minutes: dict[str, int] = {}

    def __call__(self, ts: str) -> int:
        """0 where the text is no time."""
        try:
            minute = self._minutes.get(ts[:16])
            if minute is None:
                minute = self._minutes[ts[:16]] = _minute(ts[:16])
            return minute + int(ts[17:19]) * 1_000_000 + int(f"{ts[20:26]:0<6}")
        except ValueError:
            return 0


def _minute(text: str) -> int:
    from datetime import datetime, timezone

    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()) * 1_000_000


class Index:
    """Give ``take`` every event, then ask."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: dict[str, Call] = {}
        """By span id, of both sides."""
        self.programs: dict[str, Program] = {}
        self.starts: dict[str, Start] = {}
        self.joiner = Joiner(self.programs)
        self._by_key: dict[ProcessKey, Program] = {}
        self._started: dict[ProcessKey, Start] = {}
        self._shells: dict[str, list[Start]] = {}
        self._asking: dict[tuple[str, str], Call] = {}
        """Requests that asked for input, by component and digest of their state."""
        self._causes: dict[str, Cause | None] = {}
        self._takers = {
            "python_mcp_event": self._message,
            "python_mcp_request_ended": self._ended,
            "python_mcp_session_created": self._session,
            "python_process_spawn": self._spawn,
            "python_process_exit": self._exit,
            "sensor_startup": self._startup,
            "sensor_shutdown": self._shutdown,
        }

    def read(
        self, snapshot: Snapshot, selection: CallSelection, containing: tuple[bytes, ...]
    ) -> Iterator[StoredEvent]:
        """Take the events that are not too old, and give each on; of older ones only what says who started whom."""
        if selection.since:
            for stored in snapshot.events(containing=_KIN):
                if stored.ts < selection.since:
                    self.take(stored)
        for stored in snapshot.events(selection.since_ns, containing):
            if stored.ts >= selection.since:
                self.take(stored)
                yield stored

    def take(self, stored: StoredEvent) -> None:
        """Note what joins."""
        event, at = stored.event, self.clock(stored.ts)
        component = component_of(event)
        program = self.programs.get(component)
        if program is None:
            program = self.programs[component] = Program(component, stored.pid, at)
        program.last = at
        taker = self._takers.get(stored.name)
        if taker is not None:
            taker(event, program, at)
        span = member(event, "context", "mcp", "span_id")
        call = self.calls.get(span) if isinstance(span, str) else None
        if call is not None:
            for side in call.sides():
                if side.span == span:
                    side.last = at

    # -- what is known

    def distinct(self) -> list[Call]:
        """Every request once, by time."""
        return sorted({id(call): call for call in self.calls.values()}.values(), key=lambda call: call.start)

    def cause_of_call(self, call: Call) -> Call | Program | None:
        """The request that this one goes on with, or that was being served when it was sent.

        Else the program that sent it, if that was started by a request.
        """
        if call.resumes is not None:
            return call.resumes
        for side in call.sides():
            parent = self.calls.get(side.parent) if side.parent is not None else None
            if parent is not None and parent is not call:
                return parent
        program = self.programs[next(call.sides()).component]
        return program if self.cause_of_program(program) is not None else None

    def cause_of_program(self, program: Program) -> Start | Program | None:
        """What started it on behalf of a request: its ``python_process_spawn``, or a program that was started so."""
        found = self._cause(program, 0)
        return found if isinstance(found, (Start, Program)) else None

    def cause_of_start(self, start: Start) -> Call | Program | None:
        """The request that it belongs to, or the program, started by one, that did it."""
        if start.span is not None:
            return self.calls.get(start.span)
        program = self.programs.get(start.component)
        return program if program is not None and self.cause_of_program(program) is not None else None

    def chain(self, cause: Cause | None) -> Iterator[Cause]:
        """The cause, its cause, and so on."""
        for _ in range(_DEEP):
            if cause is None:
                return
            yield cause
            if isinstance(cause, Call):
                cause = self.cause_of_call(cause)
            elif isinstance(cause, Start):
                cause = self.cause_of_start(cause)
            else:
                cause = self.cause_of_program(cause)

    def _cause(self, program: Program, depth: int) -> Cause | None:
        if program.component not in self._causes:
            self._causes[program.component] = None  # while it is looked for: a forged spool may run in a circle
            self._causes[program.component] = self._look(program, depth)
        return self._causes[program.component]

    def _look(self, program: Program, depth: int) -> Cause | None:
        if program.start is None or depth > _DEEP:
            return None
        for key, thread in (((program.pid, program.start), None), *program.ancestors):
            start = self._started.get(key)
            if start is not None and start.component != program.component:
                return start if self._is_of_a_call(start, depth) else None
            parent = self._by_key.get(key)
            if parent is not None and parent.component != program.component:
                shell = self._shell(parent, program.first, thread)
                if shell is not None:
                    return shell if self._is_of_a_call(shell, depth) else None
                return parent if self._cause(parent, depth + 1) is not None else None
        return None

    def _is_of_a_call(self, start: Start, depth: int) -> bool:
        if start.span is not None:
            return start.span in self.calls
        program = self.programs.get(start.component)
        return program is not None and self._cause(program, depth + 1) is not None

    def _shell(self, parent: Program, at: int, thread: object) -> Start | None:
        """The ``os.system`` of ``parent`` that ran then, whose pid is known to nobody: in that thread, or alone."""
        found = [start for start in self._shells.get(parent.component, ()) if start.at <= at <= start.end]
        if thread is not None:
            found = [start for start in found if start.thread == thread] or [
                start for start in found if start.thread is None
            ]
        return found[0] if len(found) == 1 else None

    # -- events

    def _message(self, event: dict[str, Any], program: Program, at: int) -> None:
        what = event.get("event")
        role, _, rest = what.partition("_") if isinstance(what, str) else ("", "", "")
        verb, _, kind = rest.partition("_")
        request = member(event, "context", "mcp")
        span = member(request, "span_id")
        if not isinstance(span, str):
            return
        if kind == "request":
            self._request(event, request, program, at, (role, verb == "send", span))
        elif kind == "response":
            self._response(event, program, span, at)

    def _request(
        self, event: dict[str, Any], request: dict[str, Any], program: Program, at: int, who: tuple[str, bool, str]
    ) -> None:
        role, sent, span = who
        if span in self.calls:
            return
        method = text_or_none(event.get("method")) or text_or_none(request.get("method")) or "?"
        call = Call(method, text_or_none(request.get("tool")), event.get("id"))
        call.by_client = (role == "client") == sent
        call.digest = hash(repr(member(event, "message", "params", "arguments")))
        self._describe(call, event)
        connection = text_or_none(event.get("connection_id")) or ""
        side = Side(span, program.component, program.pid, connection, at, text_or_none(request.get("parent_span_id")))
        if sent:
            call.sender = side
            self.joiner.sent(call)
        else:
            call.receiver = side
            sender = self.joiner.sender_of(call)
            if sender is not None:
                sender.takes(call)
                call = sender
        resumed = self._asking.get((program.component, str(event.get("state_digest"))))
        if resumed is not call:
            call.resumes = call.resumes or resumed
        self.calls[span] = call

    @staticmethod
    def _describe(call: Call, event: dict[str, Any]) -> None:
        call.server = text_or_none(event.get("server_name")) or call.server
        call.client = text_or_none(event.get("client_name")) or call.client
        call.session = text_or_none(event.get("session_id")) or call.session
        call.transport = text_or_none(event.get("transport")) or call.transport

    def _response(self, event: dict[str, Any], program: Program, span: str, at: int) -> None:
        call = self.calls.get(span)
        side = self._side(call, span)
        if call is None or side is None:
            return
        self._describe(call, event)
        self._end(side, event, at)
        code = event.get("error_code")
        call.error_code = code if isinstance(code, int) else call.error_code
        state = event.get("state_digest")
        if isinstance(state, str):
            self._asking[program.component, state] = call
        if side is call.sender:
            self.joiner.answered(call)

    def _ended(self, event: dict[str, Any], _: Program, at: int) -> None:
        span = member(event, "context", "mcp", "span_id")
        side = self._side(self.calls.get(span), span) if isinstance(span, str) else None
        if side is not None:
            self._end(side, event, at)

    @staticmethod
    def _end(side: Side, event: dict[str, Any], at: int) -> None:
        if event.get("late") is True:
            return  # it had ended by then
        duration, outcome = event.get("duration_ms"), event.get("outcome")
        side.outcome = text_or_none(outcome) or "?"
        if isinstance(duration, (int, float)):
            side.duration_ms = duration
        side.end = at

    @staticmethod
    def _side(call: Call | None, span: str) -> Side | None:
        return next((side for side in call.sides() if side.span == span), None) if call is not None else None

    def _session(self, event: dict[str, Any], _: Program, __: int) -> None:
        self.joiner.session(event)

    def _spawn(self, event: dict[str, Any], program: Program, at: int) -> None:
        span = text_or_none(member(event, "context", "mcp", "span_id"))
        start = Start(str(event.get("spawn_id")), program.component, span, str(event.get("api")), at)
        pid, tick = event.get("pid"), event.get("start")
        if isinstance(pid, int) and isinstance(tick, int):
            start.key = (pid, tick)
            self._started[start.key] = start
        elif "error" not in event:
            start.thread = event.get("thread")
            self._shells.setdefault(program.component, []).append(start)
        self.starts[start.spawn_id] = start

    def _exit(self, event: dict[str, Any], _: Program, at: int) -> None:
        start = self.starts.get(str(event.get("spawn_id")))
        if start is not None:
            start.end = at

    def component(self, pid: object, start: object) -> str | None:
        """Of the program with this pid and start tick, the latest if there were several."""
        program = self._by_key.get((pid, start)) if isinstance(pid, int) and isinstance(start, int) else None
        return None if program is None else program.component

    def _startup(self, event: dict[str, Any], program: Program, _: int) -> None:
        tick, ancestors = event.get("start"), event.get("ancestors")
        program.start = tick if isinstance(tick, int) else None
        program.info = {name: event[name] for name in ("argv", "python", "executable", "forked") if name in event}
        rows = ancestors if isinstance(ancestors, list) else []
        found = [(member(row, "pid"), member(row, "start"), member(row, "thread")) for row in rows]
        program.ancestors = tuple(
            ((pid, at), thread) for pid, at, thread in found if isinstance(pid, int) and isinstance(at, int)
        )
        if program.start is not None:
            self._by_key[program.pid, program.start] = program

    def _shutdown(self, _: dict[str, Any], program: Program, __: int) -> None:
        program.ended = True
