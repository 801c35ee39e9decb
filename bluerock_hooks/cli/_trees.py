"""Trees of what requests caused: the second look at a spool, after ``_calls.Index`` has said what belongs where.

``Forest.add`` takes every event in time order; a tree that nothing can be added to any more is given out, so that only
the requests of one moment are in memory.
"""

from __future__ import annotations

from collections import defaultdict, deque

from ..reader import member
from ._calls import NEVER, Call, Program, Start, component_of
from ._touches import Touches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from typing import Any

    from ..reader import StoredEvent
    from ._calls import Cause
    from ._index import Index

_MOST_DONE = 1000  # trees that wait for an older one which is not
_MOST_MESSAGES = 256  # alike, that wait to be seen by the other side
_BESIDE = frozenset((
    "python_mcp_event", "python_mcp_request_ended", "python_mcp_session_created", "python_mcp_session_terminated",
    "python_package", "python_process_exit", "sensor_hooks", "sensor_shutdown", "sensor_startup",
))  # fmt: skip
"""Events that are no lines of their own: they complete others, or tell of the sensor."""
_COUNTED = ("python_code_", "python_file_", "python_native_", "python_socket_")
"""Events that are told again, with a count, when they have come again."""
_COMPLETED = frozenset(("file", "sha256", "pkg", "version", "record"))
"""Members that the drain adds: a count may come without them."""


class Node:
    """Something that happened; ``fields`` are the event's own members."""

    __slots__ = ("at", "children", "count", "fields", "kind", "last", "late", "received")

    def __init__(self, kind: str, at: int, fields: dict[str, Any]) -> None:
        self.kind = kind
        self.at = at
        self.fields = fields
        self.children: list[Node] = []
        self.count = 1
        self.last: int | None = None
        """When it happened the last time that was told, where ``count`` is more than one."""
        self.late = False
        """It began after the request that caused it had been answered."""
        self.received: int | None = None
        """Of a notification: when the other side saw it."""

    def in_order(self) -> list[Node]:
        """The children by time."""
        return sorted(self.children, key=lambda node: node.at)


class CallNode(Node):
    """A request."""

    __slots__ = ("answer", "call", "params")

    def __init__(self, call: Call) -> None:
        super().__init__("request", call.start, {})
        self.call = call
        self.params: Any = None
        self.answer: Any = None
        """The ``result`` or ``error`` of the answer, as a member of that name."""


class ProcessNode(Node):
    """A process: its start, its end, and the program that ran in it where that has a sensor."""

    __slots__ = ("exit", "program")

    def __init__(self, at: int, fields: dict[str, Any]) -> None:
        super().__init__("process", at, fields)
        self.exit: dict[str, Any] | None = None
        self.program: Program | None = None


class Forest:
    """The trees of ``roots``. ``complete``: the index has seen every event, so the end of each tree is known."""

    def __init__(self, index: Index, roots: list[Call], *, complete: bool) -> None:
        self._index = index
        self._roots = deque(sorted(roots, key=lambda call: call.start))
        self._done: dict[int, CallNode] = {}
        self._passed: set[int] = set()
        self._wanted = {id(call) for call in roots}
        self._root_of: dict[int | str, Call | None] = {}
        self._last = self._ends() if complete else {}
        self._ending = deque(sorted(roots, key=lambda call: self._last.get(id(call), NEVER)))
        self._nodes: dict[Hashable, Node] = {}
        self._held: dict[int, list[Hashable]] = defaultdict(list)
        self._notes: dict[Hashable, deque[Node]] = {}
        self._sent: dict[Hashable, Call] = {}
        self.apart: dict[str, Touches] = {}
        """By component: what belongs to no request."""

    def add(self, stored: StoredEvent) -> Iterator[CallNode]:
        """Put an event where it belongs; gives the trees that were finished before it."""
        at = self._index.clock(stored.ts)
        while self._ending and self._last.get(id(self._ending[0]), NEVER) < at:
            root = self._ending.popleft()
            self._done[id(root)] = self._finish(root)
        yield from self._ready(_MOST_DONE)
        self._place(stored, at)

    def rest(self) -> Iterator[CallNode]:
        """What is left when there are no more events."""
        self._done |= {id(root): self._finish(root) for root in self._ending}
        self._ending.clear()
        yield from self._ready(0)

    def _ready(self, most: int) -> Iterator[CallNode]:
        """Trees that are done, oldest first. One that goes on for long comes later: ``most`` others wait for it."""
        for key in self._passed & self._done.keys():
            self._passed.remove(key)
            yield self._done.pop(key)
        while self._roots and (id(self._roots[0]) in self._done or len(self._done) > most):
            key = id(self._roots.popleft())
            if key in self._done:
                yield self._done.pop(key)
            else:
                self._passed.add(key)

    def needles(self) -> tuple[bytes, ...]:
        """Texts of which each line that matters has one. A notification that is received names no request."""
        index, found = self._index, {"server_received_notification", "client_received_notification"}
        for call in index.distinct():
            if self._root(call) is not None:
                found |= {side.span for side in call.sides()}
        for program in index.programs.values():
            if self._root(program) is not None:
                found.add(program.component)
        return tuple(text.encode() for text in sorted(found) if text)

    # -- what belongs where

    def _root(self, cause: Cause | None) -> Call | None:
        """The root that it belongs to, the nearest one."""
        if cause is None:
            return None
        key = cause.component if isinstance(cause, Program) else id(cause)
        if key not in self._root_of:
            chain = (each for each in self._index.chain(cause) if isinstance(each, Call) and id(each) in self._wanted)
            self._root_of[key] = next(chain, None)
        return self._root_of[key]

    def _ends(self) -> dict[int, int]:
        """When something happened last in each tree."""
        ends: dict[int, int] = {}
        for call in self._index.distinct():
            root = self._root(call)
            if root is not None:
                ends[id(root)] = max(ends.get(id(root), 0), *(side.last for side in call.sides()))
        for program in self._index.programs.values():
            root = self._root(program)
            if root is not None:
                ends[id(root)] = max(ends.get(id(root), 0), program.last)
        return ends

    def _finish(self, root: Call) -> CallNode:
        node, last = self._call(root), self._last.get(id(root), NEVER)
        for key in self._held.pop(id(root), ()):
            self._nodes.pop(key, None)
            self._sent.pop(key, None)
            waiting = self._notes.get(key, deque())
            while waiting and waiting[0].at <= last:  # those of other trees may be the same to the letter
                waiting.popleft()
            if not waiting:
                self._notes.pop(key, None)
        return node

    def _keep(self, key: Hashable, cause: Cause, node: Node, parent: Node | None) -> None:
        self._hold(cause, key, self._nodes, node)
        if parent is not None:
            parent.children.append(node)

    def _hold(self, cause: Cause, key: Hashable, table: dict[Hashable, Any], value: object) -> None:
        """Remember for as long as the tree can grow."""
        table[key] = value
        root = self._root(cause)
        if root is not None:
            self._held[id(root)].append(key)

    # -- nodes of causes, made when they are first needed

    def _node(self, cause: Cause | None) -> Node | None:
        if isinstance(cause, Call):
            return self._call(cause)
        if isinstance(cause, Start):
            return self._start(cause)
        return self._program(cause) if cause is not None else None

    def _call(self, call: Call) -> CallNode:
        node = self._nodes.get(id(call))
        if not isinstance(node, CallNode):
            node = CallNode(call)
            parent = None if id(call) in self._wanted else self._node(self._index.cause_of_call(call))
            self._keep(id(call), call, node, parent)
        return node

    def _start(self, start: Start) -> ProcessNode:
        node = self._nodes.get(start.spawn_id)
        if not isinstance(node, ProcessNode):
            node = ProcessNode(start.at, {})
            self._keep(start.spawn_id, start, node, self._node(self._index.cause_of_start(start)))
        return node

    def _program(self, program: Program) -> ProcessNode:
        """Of the start itself where that is this very process, else below what stands between: a shell, a wrapper."""
        node = self._nodes.get(program.component)
        if isinstance(node, ProcessNode):
            return node
        cause = self._index.cause_of_program(program)
        above = self._node(cause)
        own = isinstance(cause, Start) and cause.key == (program.pid, program.start)
        if own and isinstance(above, ProcessNode) and above.program is None:
            node, above = above, None
        else:
            node = ProcessNode(program.first, {})
        node.program = program
        self._keep(program.component, program, node, above)
        return node

    # -- events

    def _place(self, stored: StoredEvent, at: int) -> None:
        event, name = stored.event, stored.name
        span = member(event, "context", "mcp", "span_id")
        call = self._index.calls.get(span) if isinstance(span, str) else None
        program = self._index.programs.get(component_of(event))
        if name == "python_mcp_event":
            self._message(event, call, at)
        if call is None and (program is None or self._index.cause_of_program(program) is None):
            self.apart.setdefault(component_of(event), Touches()).add(event)
        cause = call if call is not None else program
        if cause is None or self._root(cause) is None:
            return
        if name == "python_process_spawn":
            self._spawned(event, at, call)
        elif name == "python_process_exit":
            self._exited(event)
        elif name not in _BESIDE:
            self._leaf(event, name, at, cause)
        else:
            self._node(cause)

    def _leaf(self, event: dict[str, Any], name: str, at: int, cause: Call | Program) -> None:
        fields = own_members(event)
        count = fields.pop("count", None) if name.startswith(_COUNTED) else None
        subject = [item for item in fields.items() if item[0] not in _COMPLETED]
        key = (component_of(event), id(cause), name, repr(subject))
        node = self._nodes.get(key) if isinstance(count, int) else None
        if node is None:
            node = Node(name.removeprefix("python_"), at, fields)
            node.late = self._late(event, cause, at)
            self._keep(key, cause, node, self._node(cause))
        if isinstance(count, int):
            node.count, node.last = count, at

    def _spawned(self, event: dict[str, Any], at: int, call: Call | None) -> None:
        start = self._index.starts.get(str(event.get("spawn_id")))
        if start is not None:
            node = self._start(start)
            node.fields = own_members(event)
            node.late = call is not None and self._late(event, call, at)

    def _exited(self, event: dict[str, Any]) -> None:
        start = self._index.starts.get(str(event.get("spawn_id")))
        if start is not None and self._root(start) is not None:
            self._start(start).exit = own_members(event)

    def _message(self, event: dict[str, Any], call: Call | None, at: int) -> None:
        what, message = str(event.get("event")), event.get("message")
        if what.endswith("_notification"):
            self._notification(event, call, at, sent="_send_" in what)
        elif call is not None and self._root(call) is not None:
            node = self._call(call)
            if what.endswith("_request"):
                node.params = member(message, "params")
                if "_send_" in what:
                    self._hold(call, (str(event.get("connection_id")), str(event.get("id"))), self._sent, call)
            elif isinstance(message, dict):
                node.answer = {name: message[name] for name in ("result", "error") if name in message}

    def _notification(self, event: dict[str, Any], call: Call | None, at: int, *, sent: bool) -> None:
        connection, message = str(event.get("connection_id")), event.get("message")
        named = self._by_token(connection, message)
        owner = call if call is not None else named
        if not sent:
            # Over HTTP of 2026-07-28 the server has a connection for each request, the client one for all.
            receiver = named.receiver if named is not None else None
            away = receiver.connection if receiver is not None else self._index.joiner.peers.get(connection)
            waiting = self._notes.get((away, repr(message)))
            if waiting:
                waiting.popleft().received = at
                return
        if owner is None or self._root(owner) is None:
            return
        fields = {"event": event.get("event"), "method": event.get("method"), "params": member(message, "params")}
        node = Node("notification", at, fields)
        node.late = self._late(event, owner, at)
        self._call(owner).children.append(node)
        if sent:
            key = (connection, repr(message))
            self._hold(owner, key, self._notes, self._notes.get(key) or deque(maxlen=_MOST_MESSAGES))
            self._notes[key].append(node)

    def _by_token(self, connection: str, message: object) -> Call | None:
        """The request of this connection that a progress notification names: the SDKs use its id as the token."""
        token = member(message, "params", "progressToken")
        if token is None:
            return None
        return self._sent.get((connection, str(token)))

    def _late(self, event: dict[str, Any], cause: Cause, at: int) -> bool:
        """Did it come after the request had ended, on the side that it belongs to?"""
        call = next((each for each in self._index.chain(cause) if isinstance(each, Call)), None)
        if call is None:
            return False
        span = member(event, "context", "mcp", "span_id")
        end = next((side for side in call.sides() if side.span == span), call.main).end
        return end is not None and at > end


def own_members(event: dict[str, Any]) -> dict[str, Any]:
    """An event without its envelope."""
    return {name: value for name, value in event.items() if name not in ("meta", "context")}
