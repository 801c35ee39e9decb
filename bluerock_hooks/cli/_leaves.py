"""What a node of a tree says of itself, in pieces."""

from __future__ import annotations

import shlex

from ..reader import member
from ._terminal import elided
from ._text import LONGEST_VALUE, value_text
from ._touches import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ._calls import Call, Side
    from ._terminal import Piece
    from ._trees import CallNode, Node, ProcessNode

    Leaf = tuple[str, list[Piece]]  # a word for its kind, and the rest


_LONGEST_MS = 1e12  # thirty years; a longer one is no duration


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
    """A duration, as offsets are written; nothing where it is none."""
    return offset_text(int(ms * 1000))[1:] if isinstance(ms, (int, float)) and 0 <= ms < _LONGEST_MS else ""


def request(call: Call) -> list[Piece]:
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


def where(call: Call) -> list[Piece]:
    """Id, transport, who to whom."""
    found: list[Piece] = [("dim", f"#{call.id}")]
    if call.transport is not None:
        found.append(("dim", call.transport))
    client, server = (call.sender, call.receiver) if call.by_client else (call.receiver, call.sender)
    if client is not None and server is not None and client.pid == server.pid:
        client = None  # a process is named once
    ends = (_party(call.client or "client", client), _party(call.server or "server", server))
    found.append(("dim", f"{ends[0]} {'->' if call.by_client else '<-'} {ends[1]}"))
    return found


def _party(name: str, side: Side | None) -> str:
    return f"{name}[{side.pid}]" if side is not None else name


def arguments(node: CallNode) -> Any:
    """What a tool, prompt or resource was called with; of other requests nothing is worth a line."""
    if node.call.tool is None or not isinstance(node.params, dict):
        return None
    return node.params.get("arguments")


def answer(node: CallNode) -> list[Piece]:
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


def leaf(node: Node) -> Leaf:
    """A word for what it is, and the rest."""
    known = None if "oversize" in node.fields else _LEAVES.get(node.kind)
    return (known or _other)(node)


def process(node: ProcessNode) -> list[Piece]:
    """Command line, how it ended, and pid; what is left out was not seen."""
    fields, program = node.fields, node.program
    argv = fields.get("argv") or (program.info.get("argv") if program is not None else None)
    found: list[Piece] = []
    if isinstance(argv, list):
        found.append(("text", words(argv)))
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


def words(argv: object) -> str:
    text = shlex.join(map(str, argv)) if isinstance(argv, list) else "?"
    return elided(text, LONGEST_VALUE, 1, "...")


def _import(node: Node) -> Leaf:
    return "import", [("text", str(node.fields.get("fullname") or node.fields.get("file"))), *_origin(node.fields)]


def _library(node: Node) -> Leaf:
    return "library", [("path", str(node.fields.get("file") or node.fields.get("path"))), *_origin(node.fields)]


def _origin(fields: dict[str, Any]) -> list[Piece]:
    """The distribution that a file belongs to, and what is odd."""
    found: list[Piece] = []
    if fields.get("pkg") is not None:
        found.append(("dim", f"{fields['pkg']} {fields.get('version', '')}".rstrip()))
    return [*found, *[("bad", sign) for sign in signs(fields)]]


def signs(fields: dict[str, Any]) -> Iterator[str]:
    """What makes code that was loaded worth a look."""
    if fields.get("record") == "mismatch":
        yield "differs from RECORD"
    if fields.get("pyc") == "stale":
        yield "stale bytecode"
    if fields.get("shadows_stdlib") is True:
        yield "shadows the standard library"


def _socket(word: str) -> Callable[[Node], tuple[str, list[Piece]]]:
    def row(node: Node) -> Leaf:
        protocol = node.fields.get("protocol")
        return word, [("text", host(node.fields)), *([("dim", str(protocol))] if protocol is not None else [])]

    return row


def _file(node: Node) -> Leaf:
    return str(node.fields.get("mode")), [("path", str(node.fields.get("path")))]


def _rename(node: Node) -> Leaf:
    return "rename", [("path", str(node.fields.get("path"))), ("", "to"), ("path", str(node.fields.get("target")))]


def _code(node: Node) -> Leaf:
    fields = node.fields
    found: list[Piece] = [("text", str(fields.get("operation")))]
    if fields.get("subject") is not None:
        found.append(("text", str(fields["subject"])))
    caller, size = fields.get("caller"), fields.get("size")
    found += [("dim", f"at {caller}")] if caller is not None else []
    return "code", [*found, *([("dim", f"size {size}")] if size is not None else [])]


def _notification(node: Node) -> Leaf:
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


def _connect(node: Node) -> Leaf:
    server = node.fields.get("server")
    command, args = member(server, "command"), member(server, "args")
    words = [command, *args] if isinstance(args, list) else [command]
    target = shlex.join(map(str, words)) if command is not None else member(server, "url")
    return "client", [("", str(member(server, "type"))), *([("text", str(target))] if target is not None else [])]


def _element(node: Node) -> Leaf:
    element = node.fields.get("element")
    name = member(element, "name") or member(element, "uri")
    changed: list[Piece] = [("bad", "changed")] if node.fields.get("replaces") is not None else []
    return "learned", [("", str(member(element, "type"))), ("text", str(name)), *changed]


def _lost(node: Node) -> Leaf:
    return "lost", [("bad", f"{node.fields.get('dropped')} events ({node.fields.get('reason')})")]


def _other(node: Node) -> Leaf:
    """Any kind: its members by name."""
    said = " ".join(
        f"{name}={value if isinstance(value, str) else value_text(value)}" for name, value in node.fields.items()
    )
    return node.kind, [("text", said)]


_LEAVES: dict[str, Callable[[Node], Leaf]] = {
    "code_exec": _code,
    "events_dropped": _lost,
    "file_open": _file,
    "file_remove": lambda node: ("remove", [("path", str(node.fields.get("path")))]),
    "file_rename": _rename,
    "import": _import,
    "import_stdlib": lambda node: ("import", [("text", f"{node.fields.get('count')} modules of the standard library")]),
    "mcp_client_connect": _connect,
    "mcp_server_add": _element,
    "native_load": _library,
    "notification": _notification,
    "process_exec": lambda node: ("becomes", [("text", words(node.fields.get("argv")))]),
    "socket_bind": _socket("bind"),
    "socket_connect": _socket("connect"),
    "socket_resolve": _socket("resolve"),
    "socket_send": _socket("send"),
}
