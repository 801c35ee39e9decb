"""Trees as text: one line a node, with its offset in a margin, and as JSON."""

from __future__ import annotations

import os
import shlex

from .. import _clock
from ..reader import member
from ._text import LONGEST_VALUE, elided, value_text
from ._touches import host
from ._trees import CallNode, Node, ProcessNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ._calls import Call, Program, Side
    from ._text import Canvas, Piece
    from ._touches import Touches

MARGIN = 12  # cells; the root's time, or an offset
_WORD = 8
_ALIKE = 4  # leaves of a kind that stand for themselves; more become one line
_SHOWN = 3  # names in such a line
_TOP = 10  # names of a kind outside of requests, in JSON


class Row:
    """One line of a tree, and what hangs below it."""

    __slots__ = ("at", "below", "late", "pieces", "word")

    def __init__(self, at: int, word: str, pieces: list[Piece], node: Node | None = None) -> None:
        self.at = at
        self.word = word
        self.pieces = pieces
        self.below = node
        self.late = node.late if node is not None else False


class TreeWriter:
    """Draws trees on a canvas. ``full``: nothing is summed up."""

    def __init__(self, canvas: Canvas, *, full: bool, date: bool) -> None:
        self._canvas = canvas
        self._full = full
        self._date = date
        self._trees = 0

    def write(self, root: CallNode) -> None:
        """A request with everything below it."""
        if self._trees:
            self._canvas.line([])
        self._trees += 1
        stamp = _clock.utc_text(root.at * 1000)
        day, clock = stamp[:10], stamp[11:23]
        head: list[Piece] = [*([("dim", day)] if self._date else []), ("dim", clock), *_request(root.call)]
        where = _where(root.call)
        if self._canvas.fits([*head, *where]):
            self._canvas.line([*head, *where])
        else:
            self._canvas.line(head)
            self._canvas.line([("", " " * MARGIN), *where])
        self._below(root, root.at, "")

    def _below(self, node: Node, origin: int, stem: str) -> None:
        rows = list(self._rows(node))
        tee, corner, bar, gap = self._canvas.glyphs
        for number, row in enumerate(rows, 1):
            last = number == len(rows)
            offset = f"{offset_text(row.at - origin):>{MARGIN}}"
            marks: list[Piece] = [("bad", "late")] if row.late else []
            self._canvas.line(
                [("dim", offset), ("dim", stem + (corner if last else tee)), ("name", f"{row.word:<{_WORD}}"),
                 *marks, *row.pieces]
            )  # fmt: skip
            if row.below is not None:
                self._below(row.below, origin, stem + (gap if last else bar))

    def _rows(self, node: Node) -> Iterator[Row]:
        if isinstance(node, CallNode):
            kept = _arguments(node)
            if kept:
                yield Row(node.at, "with", [("text", value_text(kept))])
        children = node.in_order()
        answer = _answer(node) if isinstance(node, CallNode) and node.answer is not None else []
        if isinstance(node, CallNode) and answer:
            end = node.call.main.end or node.at
            late = [child for child in children if child.at > end]
            yield from self._of(children[: len(children) - len(late)])
            yield Row(end, "answer", answer)
            yield from self._of(late)
        else:
            yield from self._of(children)

    def _of(self, nodes: list[Node]) -> Iterator[Row]:
        return map(_row, nodes) if self._full else _summed(nodes)


class OutsideWriter:
    """What belongs to no request, summed up, a program at a time."""

    def __init__(self, canvas: Canvas, *, date: bool) -> None:
        self._canvas = canvas
        self._date = date
        self._began = False

    def write(self, program: Program, touches: Touches) -> None:
        """A program and what it touched."""
        if not self._began:
            self._canvas.line([])
            self._canvas.line([("strong", "outside of requests")])
        self._began = True
        stamp = _clock.utc_text(program.first * 1000)
        argv = program.info.get("argv")
        words = _words(argv)
        day: list[Piece] = [("dim", stamp[:10])] if self._date else []
        self._canvas.line([*day, ("dim", stamp[11:23]), ("text", words), ("dim", f"[{program.pid}]")])
        rows = touches.as_json(_TOP).items()
        tee, corner, _, _ = self._canvas.glyphs
        for number, (label, found) in enumerate(rows, 1):
            self._canvas.line(
                [("", " " * MARGIN), ("dim", corner if number == len(rows) else tee), ("name", f"{label:<15}"),
                 ("strong", f"{found['count']:>5}"), ("text", listed(list(found["top"]), found["distinct"]))]
            )  # fmt: skip


def offset_text(microseconds: int) -> str:
    """``+1.2ms``, ``+3.45s``, ``+2m03s``."""
    sign, ms = ("-" if microseconds < 0 else "+"), abs(microseconds) / 1000
    if ms < 1000:
        return f"{sign}{ms:.1f}ms"
    if ms < 60_000:
        return f"{sign}{ms / 1000:.2f}s"
    minutes, seconds = divmod(int(ms / 1000), 60)
    return f"{sign}{minutes}m{seconds:02d}s"


def took(ms: object) -> str:
    """A duration, as offsets are written."""
    return offset_text(int(ms * 1000))[1:] if isinstance(ms, (int, float)) else ""


# -- requests


def _request(call: Call) -> list[Piece]:
    """``tools/call add ok 3.1ms (3.9ms at the client)``."""
    found: list[Piece] = [("name", call.method)]
    if call.tool is not None:
        found.append(("strong", call.tool))
    outcome = call.outcome
    found.append(("good" if outcome == "ok" else "bad", outcome or "unanswered"))
    if call.duration_ms is not None:
        found.append(("", took(call.duration_ms)))
    if call.sender is not None and call.receiver is not None and call.sender.duration_ms is not None:
        found.append(("dim", f"({took(call.sender.duration_ms)} at the {'client' if call.by_client else 'server'})"))
    return found


def _where(call: Call) -> list[Piece]:
    """Id, transport, who to whom."""
    found: list[Piece] = [("dim", f"#{call.id}")]
    if call.transport is not None:
        found.append(("dim", call.transport))
    client, server = (call.sender, call.receiver) if call.by_client else (call.receiver, call.sender)
    ends = (_party(call.client or "client", client), _party(call.server or "server", server))
    found.append(("dim", f"{ends[0]} {'->' if call.by_client else '<-'} {ends[1]}"))
    return found


def _party(name: str, side: Side | None) -> str:
    return f"{name}[{side.pid}]" if side is not None else name


def _arguments(node: CallNode) -> Any:
    """What a tool, prompt or resource was called with; of other requests nothing is worth a line."""
    if node.call.tool is None or not isinstance(node.params, dict):
        return None
    return node.params.get("arguments")


def _answer(node: CallNode) -> list[Piece]:
    error = member(node.answer, "error")
    if error is not None:
        code = node.call.error_code if node.call.error_code is not None else member(error, "code")
        return [("bad", str(code)), ("text", value_text(member(error, "message")))]
    if node.call.tool is None:
        return []
    result = member(node.answer, "result")
    content = member(result, "content")
    texts = [member(part, "text") for part in content] if isinstance(content, list) else []
    told = texts[0] if len(texts) == 1 and isinstance(texts[0], str) else result
    return [("bad" if node.call.outcome != "ok" else "text", value_text(told))]


# -- other nodes


def _row(node: Node) -> Row:
    if isinstance(node, CallNode):
        return Row(node.at, "call" if node.call.by_client else "asks", [*_request(node.call), *_where(node.call)], node)
    if isinstance(node, ProcessNode):
        return Row(node.at, "process" if node.fields else "python", _process(node), node)
    word, pieces = _LEAVES.get(node.kind, _other)(node)
    if node.count > 1:
        pieces = [*pieces, ("strong", f"x{node.count}")]
    return Row(node.at, word, pieces, node)


def _process(node: ProcessNode) -> list[Piece]:
    """Command line, how it ended, and pid; what is left out was not seen."""
    fields, program = node.fields, node.program
    argv = fields.get("argv") or (program.info.get("argv") if program is not None else None)
    found: list[Piece] = []
    if isinstance(argv, list):
        found.append(("text", _words(argv)))
    elif "api" in fields:
        found.append(("text", str(fields["api"])))
    pid = fields.get("pid") or (program.pid if program is not None else None)
    if pid is not None:
        found.append(("dim", f"[{pid}]"))
    return [*found, *_end(node)]


def _end(node: ProcessNode) -> list[Piece]:
    if "error" in node.fields:
        return [("bad", f"did not start: {node.fields['error']}")]
    if node.exit is not None:
        code, signal = node.exit.get("returncode"), node.exit.get("signal")
        said = f"exit {code}" if signal is None else f"ended by {signal}"
        return [("good" if code == 0 else "bad", said), ("dim", took(node.exit.get("duration_ms")))]
    if _is_lost(node):
        return [("bad", "no end seen")]
    return []


def _is_lost(node: ProcessNode) -> bool:
    """A program of Python that neither said that it ends nor was seen to."""
    return node.program is not None and not node.program.ended


def _words(argv: object) -> str:
    text = shlex.join(map(str, argv)) if isinstance(argv, list) else "?"
    return elided(text, LONGEST_VALUE, 1, "...")


def _import(node: Node) -> tuple[str, list[Piece]]:
    fields = node.fields
    found: list[Piece] = [("text", str(fields.get("fullname") or fields.get("file")))]
    if fields.get("pkg") is not None:
        found.append(("dim", f"{fields['pkg']} {fields.get('version', '')}".rstrip()))
    return "import", [*found, *[("bad", sign) for sign in _signs(fields)]]


def _signs(fields: dict[str, Any]) -> Iterator[str]:
    """What makes an import worth a look."""
    if fields.get("record") == "mismatch":
        yield "differs from RECORD"
    if fields.get("pyc") == "stale":
        yield "stale bytecode"
    if fields.get("shadows_stdlib") is True:
        yield "shadows the standard library"


def _socket(word: str) -> Callable[[Node], tuple[str, list[Piece]]]:
    def row(node: Node) -> tuple[str, list[Piece]]:
        protocol = node.fields.get("protocol")
        return word, [("text", host(node.fields)), *([("dim", str(protocol))] if protocol is not None else [])]

    return row


def _file(node: Node) -> tuple[str, list[Piece]]:
    return str(node.fields.get("mode")), [("path", str(node.fields.get("path")))]


def _rename(node: Node) -> tuple[str, list[Piece]]:
    return "rename", [("path", str(node.fields.get("path"))), ("", "to"), ("path", str(node.fields.get("target")))]


def _code(node: Node) -> tuple[str, list[Piece]]:
    fields = node.fields
    found: list[Piece] = [("text", str(fields.get("operation")))]
    if fields.get("subject") is not None:
        found.append(("text", str(fields["subject"])))
    caller, size = fields.get("caller"), fields.get("size")
    found += [("dim", f"at {caller}")] if caller is not None else []
    return "code", [*found, *([("dim", f"size {size}")] if size is not None else [])]


def _notification(node: Node) -> tuple[str, list[Piece]]:
    method, params = str(node.fields.get("method")), node.fields.get("params")
    away = [("dim", f"seen {took((node.received - node.at) / 1000)} later")] if node.received is not None else []
    if method == "notifications/progress":
        done, total, said = (member(params, name) for name in ("progress", "total", "message"))
        text = f"{done} of {total}" if total is not None else str(done)
        return "progress", [("text", text if said is None else f"{text} {said}"), *away]
    if method == "notifications/message":
        level, data = member(params, "level"), member(params, "data")
        return "log", [("", str(level)), ("text", data if isinstance(data, str) else value_text(data)), *away]
    kept = {key: value for key, value in params.items() if key != "_meta"} if isinstance(params, dict) else params
    text = value_text(kept) if kept else ""
    return "notify", [("", method.removeprefix("notifications/")), ("text", text), *away]


def _connect(node: Node) -> tuple[str, list[Piece]]:
    server = node.fields.get("server")
    command, args = member(server, "command"), member(server, "args")
    words = [command, *args] if isinstance(args, list) else [command]
    target = shlex.join(map(str, words)) if command is not None else member(server, "url")
    return "client", [("", str(member(server, "type"))), *([("text", str(target))] if target is not None else [])]


def _element(node: Node) -> tuple[str, list[Piece]]:
    element = node.fields.get("element")
    name = member(element, "name") or member(element, "uri")
    changed: list[Piece] = [("bad", "changed")] if node.fields.get("replaces") is not None else []
    return "learned", [("", str(member(element, "type"))), ("text", str(name)), *changed]


def _lost(node: Node) -> tuple[str, list[Piece]]:
    return "lost", [("bad", f"{node.fields.get('dropped')} events ({node.fields.get('reason')})")]


def _other(node: Node) -> tuple[str, list[Piece]]:
    """Any kind: its members by name."""
    said = " ".join(
        f"{name}={value if isinstance(value, str) else value_text(value)}" for name, value in node.fields.items()
    )
    return node.kind, [("text", said)]


_LEAVES: dict[str, Callable[[Node], tuple[str, list[Piece]]]] = {
    "code_exec": _code,
    "events_dropped": _lost,
    "file_open": _file,
    "file_remove": lambda node: ("remove", [("path", str(node.fields.get("path")))]),
    "file_rename": _rename,
    "import": _import,
    "import_stdlib": lambda node: ("import", [("text", f"{node.fields.get('count')} modules of the standard library")]),
    "mcp_client_connect": _connect,
    "mcp_server_add": _element,
    "native_load": lambda node: ("library", [("path", str(node.fields.get("path")))]),
    "notification": _notification,
    "process_exec": lambda node: ("becomes", [("text", _words(node.fields.get("argv")))]),
    "socket_bind": _socket("bind"),
    "socket_connect": _socket("connect"),
    "socket_resolve": _socket("resolve"),
    "socket_send": _socket("send"),
}


# -- many of a kind, in one line


def _summed(nodes: list[Node]) -> Iterator[Row]:
    """A row a node; where a kind comes often between two calls or processes, one row for all of it."""
    run: list[Node] = []
    for node in nodes:
        if isinstance(node, (CallNode, ProcessNode)):
            yield from _run(run)
            run = []
            yield _row(node)
        else:
            run.append(node)
    yield from _run(run)


def _run(nodes: list[Node]) -> Iterator[Row]:
    groups: dict[tuple[str, object, bool], list[Node]] = {}
    for node in nodes:
        groups.setdefault(_alike(node), []).append(node)
    for node in nodes:
        group = groups[_alike(node)]
        if len(group) <= _ALIKE or (node.kind == "import" and any(_signs(node.fields))):
            yield _row(node)
        elif node is group[0]:
            yield _sum(group)


def _alike(node: Node) -> tuple[str, object, bool]:
    if node.kind == "import" and any(_signs(node.fields)):
        return "import of note", None, node.late
    return node.kind, node.fields.get("mode") or node.fields.get("method"), node.late


def _sum(group: list[Node]) -> Row:
    first = group[0]
    times = sum(node.count for node in group)
    row = _row(first)
    if first.kind == "import":
        packages = list(dict.fromkeys(str(node.fields.get("pkg") or node.fields.get("fullname")) for node in group))
        row.pieces = [("strong", f"{len(group)} modules"), ("text", f"of {listed(packages)}")]
    elif first.kind.startswith("file_"):
        row.pieces = [("strong", f"{len(group)} files"), *_place(group)]
    else:
        subjects = list(dict.fromkeys(" ".join(text for _, text in _row(node).pieces[:1]) for node in group))
        row.pieces = [("strong", f"{len(group)} of them"), ("text", listed(subjects))]
    if times > len(group):
        row.pieces = [*row.pieces, ("strong", f"x{times}")]
    return row


def listed(names: list[str], total: int | None = None) -> str:
    more = (len(names) if total is None else total) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _place(group: list[Node]) -> list[Piece]:
    """The directory that all of them are below, else the first of them."""
    paths = [str(node.fields.get("path")) for node in group]
    try:
        common = os.path.commonpath(paths)
    except ValueError:  # relative and absolute ones
        common = ""
    return [("", "below"), ("path", common)] if len(common) > 1 else [("text", listed(paths))]


# -- JSON


def as_json(node: Node, origin: int) -> dict[str, Any]:
    """A node for programs: its kind, its offset, the event's own members, and ``children``; unknown is left out."""
    found: dict[str, Any] = {"kind": node.kind, "at_ms": (node.at - origin) / 1000, **node.fields}
    if node.count > 1:
        found["count"] = node.count
    if node.count > 1 and node.last is not None:
        found["last_at_ms"] = (node.last - origin) / 1000
    if node.late:
        found["late"] = True
    if node.received is not None:
        found["received_at_ms"] = (node.received - origin) / 1000
    if isinstance(node, CallNode):
        found.update(_call_json(node, origin))
    elif isinstance(node, ProcessNode):
        found.update(_process_json(node))
    if node.children:
        found["children"] = [as_json(child, origin) for child in node.in_order()]
    return found


def _call_json(node: CallNode, origin: int) -> dict[str, Any]:
    call = node.call
    found = {
        "ts": _clock.utc_text(call.start * 1000), "method": call.method, "tool": call.tool, "id": call.id,
        "outcome": call.outcome, "duration_ms": call.duration_ms, "error_code": call.error_code,
        "transport": call.transport, "session_id": call.session, "server_name": call.server,
        "client_name": call.client, "sender": _side_json(call.sender, origin),
        "receiver": _side_json(call.receiver, origin), "params": node.params, "answer": node.answer,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _side_json(side: Side | None, origin: int) -> dict[str, Any] | None:
    if side is None:
        return None
    found = {
        "pid": side.pid, "span_id": side.span, "connection_id": side.connection,
        "at_ms": (side.start - origin) / 1000, "duration_ms": side.duration_ms, "outcome": side.outcome,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _process_json(node: ProcessNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if node.exit is not None:
        found["exit"] = {name: node.exit[name] for name in ("returncode", "signal", "duration_ms") if name in node.exit}
    if node.program is not None:
        program = node.program
        found["sensor"] = {"pid": program.pid, "component_id": program.component, **program.info,
                           "ended": program.ended}  # fmt: skip
    return found


def outside_json(program: Program, touches: Touches) -> dict[str, Any]:
    """What a program did that belongs to no request: counts, and the names that came up most."""
    return {
        "kind": "outside", "ts": _clock.utc_text(program.first * 1000), "pid": program.pid,
        "component_id": program.component, **program.info, "ended": program.ended, "touched": touches.as_json(_TOP),
    }  # fmt: skip
