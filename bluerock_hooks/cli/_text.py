"""An event as one readable line."""

from __future__ import annotations

import json
import shlex
import sys

from ..reader import member
from ._terminal import coloured, render, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from ..reader import StoredEvent
    from ._ocsf import OcsfWriter
    from ._terminal import Piece

    Gist = Callable[[dict[str, Any]], list[Piece]]

LONGEST_VALUE = 200  # characters of a payload; --json has all of it
_GOOD = ("ok", "applied")


def value_text(value: object) -> str:
    """A payload value, short: JSON without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


class LineWriter:
    """Prints events to ``stream``: as readable lines, or raw as stored."""

    def __init__(self, stream: TextIO, *, date: bool = False, raw: bool = False) -> None:
        self._stream = stream
        self._date = date
        self._raw = raw
        self._terminal = stream.isatty()
        self._colour = coloured(stream)

    def write(self, event: StoredEvent) -> None:
        """One line."""
        if not self._raw:
            parts = pieces(event, date=self._date)
            self._stream.write(render(parts, width=width_of(self._stream), colour=self._colour) + "\n")
        elif self._terminal:
            self._stream.write(_plain_json(event.line) + "\n")
        else:
            self._stream.flush()
            self._stream.buffer.write(event.line + b"\n")

    def flush(self) -> None:
        """Hand over what is written so far."""
        self._stream.flush()

    close = flush


def writer(form: str, *, date: bool) -> LineWriter | OcsfWriter:
    """To this process's stdout, in one of ``_selection.FORMS``."""
    if form == "ocsf":
        from ._ocsf import OcsfWriter

        return OcsfWriter(sys.stdout)
    return LineWriter(sys.stdout, date=date, raw=form == "json")


def _plain_json(line: bytes) -> str:
    # The same JSON value: what a terminal would obey becomes \\uXXXX, which JSON reads as the character itself.
    text = line.decode("utf-8")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def pieces(event: StoredEvent, *, date: bool = False) -> list[Piece]:
    """Time, pid, name and the gist of an event."""
    day, _, clock = event.ts.partition("T")
    time = f"{clock[:8]}.{(clock[9:12] or '0'):0<3}"
    gist = GISTS.get(event.name, _other)
    return [
        ("dim", f"{day} {time}" if date else time),
        ("dim", f"{event.pid:>7}"),
        ("name", f"{event.name:<16}"),
        *gist(event.event),
        *_cause(event.event),
    ]


def _word(value: object, style: str = "") -> list[Piece]:
    """A member as it is, or nothing where it is unknown."""
    if value is None:
        return []
    return [(style, value if isinstance(value, str) else value_text(value))]


def _outcome(value: object) -> list[Piece]:
    return _word(value, "good" if value in _GOOD else "bad")


def _duration(value: object) -> list[Piece]:
    if not isinstance(value, (int, float)):
        return []
    return _word(f"{value / 1000:.2f}s" if value >= 1000 else f"{value:.1f}ms", "dim")


def _request_id(value: object) -> list[Piece]:
    return [] if value is None else [("", f"#{value}" if isinstance(value, (int, str)) else "#?")]


def _labelled(label: str, value: object) -> list[Piece]:
    return [] if value is None else [("", f"{label}={value if isinstance(value, str) else value_text(value)}")]


def _message(event: dict[str, Any]) -> list[Piece]:
    """``server <- request tools/call add #3 {"a":1}``: the arrow points to the side that sees the message arrive."""
    what = event.get("event")
    side, _, rest = what.partition("_") if isinstance(what, str) else ("?", "", "?")
    verb, _, kind = rest.partition("_")
    message = event.get("message")
    method = event.get("method") or member(message, "method") or member(event, "context", "mcp", "method")
    found = _word(f"{side} {'<-' if verb == 'received' else '->'} {kind}")
    found += _word(method, "strong")
    tool = member(event, "context", "mcp", "tool")
    found += _word(tool, "strong")
    found += _request_id(event.get("id"))
    found += _outcome(event.get("outcome"))
    found += _word("late" if event.get("late") is True else None, "bad")
    found += _duration(event.get("duration_ms"))
    return found + (_answer(event, message) if kind == "response" else _parameters(message, tool))


def _parameters(message: object, tool: object) -> list[Piece]:
    params = member(message, "params")
    if not isinstance(params, dict):
        return _word(params)
    kept: object = params.get("arguments")
    if kept is None:
        kept = {name: value for name, value in params.items() if name != "_meta" and value != tool}
    return [("", value_text(kept))] if kept else []


def _answer(event: dict[str, Any], message: object) -> list[Piece]:
    error = member(message, "error")
    if error is not None:
        return [
            *_word(event.get("error_code", member(error, "code")), "bad"),
            *_word(value_text(member(error, "message"))),
        ]
    result = member(message, "result")
    content = member(result, "content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if texts and len(texts) == len(content):
            return [("", value_text(texts[0] if len(texts) == 1 else texts))]
    return [] if result is None else [("", value_text(result))]


def _startup(event: dict[str, Any]) -> list[Piece]:
    argv = event.get("argv")
    found = _word(shlex.join(map(str, argv)) if isinstance(argv, list) else argv, "strong")
    found += _labelled("python", event.get("python")) + _labelled("version", event.get("version"))
    found += _word("forked" if event.get("forked") is True else None)
    problems = event.get("problems")
    return found + (_word("; ".join(map(str, problems)), "bad") if isinstance(problems, list) and problems else [])


def _hooks(event: dict[str, Any]) -> list[Piece]:
    rows = [row for row in event.get("hooks") or [] if isinstance(row, dict)] if _is_list(event.get("hooks")) else []
    applied = sum(row.get("outcome") == "applied" for row in rows)
    found = _word(event.get("module"), "strong")
    found += _word(f"{applied} of {len(rows)} hooks applied", "good" if applied == len(rows) else "")
    for outcome in ("absent", "failed", "unused"):
        targets = [str(row.get("target")) for row in rows if row.get("outcome") == outcome]
        needed = any(row.get("required") is True for row in rows if row.get("outcome") == outcome)
        found += _word(f"{outcome}: {', '.join(targets)}" if targets else None, "bad" if needed else "dim")
    return found


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _shutdown(event: dict[str, Any]) -> list[Piece]:
    found = _labelled("events", event.get("events"))
    for label in ("dropped", "errors"):
        found += [("bad" if event.get(label) else "", text) for _, text in _labelled(label, event.get(label))]
    return found + _duration(event.get("duration_ms"))


def _server(event: dict[str, Any]) -> list[Piece]:
    server = event.get("server")
    found = _word(member(server, "name"), "strong") + _word(member(server, "version"))
    instructions = member(server, "instructions")
    return found + ([] if instructions is None else _word(value_text(instructions)))


def _element(event: dict[str, Any]) -> list[Piece]:
    """``server registered tool add of=example-server "Add two numbers."``; what replaces another is marked."""
    element = event.get("element")
    found = _word(event.get("source")) + _word(event.get("learned")) + _word(member(element, "type"))
    found += _word(member(element, "name"), "strong") + _word(member(element, "uri"))
    found += _labelled("of", event.get("server_name"))
    found += _word("changed" if event.get("replaces") is not None else None, "bad")
    description = member(element, "description")
    return found + ([] if description is None else _word(value_text(description)))


def _ended(event: dict[str, Any]) -> list[Piece]:
    """A request's end without an answer; the arrow points to the side that was to answer."""
    away = event.get("side") == event.get("source")
    found = _word(f"{event.get('side')} {'->' if away else '<-'} request") + _word(event.get("method"), "strong")
    found += _word(member(event, "context", "mcp", "tool"), "strong") + _request_id(event.get("id"))
    found += _outcome(event.get("outcome")) + _duration(event.get("duration_ms"))
    reason = event.get("reason")
    return found + ([] if reason is None else _word(value_text(reason)))


def _rejected(event: dict[str, Any]) -> list[Piece]:
    """``POST 404 message ping #3``: an HTTP request that a server's transport refused."""
    found = _word(event.get("verb")) + _word(event.get("status"), "bad")
    found += _word(event.get("body")) + _word(event.get("method"), "strong") + _request_id(event.get("id"))
    found += _labelled("messages", event.get("messages")) + _labelled("size", event.get("size"))
    found += _labelled("code", event.get("error_code")) + _labelled("session", event.get("session_id"))
    reason = event.get("reason")
    return found + ([] if reason is None else _word(value_text(reason)))


def _session(event: dict[str, Any]) -> list[Piece]:
    found = _word(event.get("source")) + _word(event.get("transport"))
    found += _word(event.get("session_id") or event.get("connection_id"), "strong") + _labelled(
        "peer", event.get("peer")
    )
    return found + _labelled("unanswered", event.get("unanswered")) + _duration(event.get("duration_ms"))


def _import(event: dict[str, Any]) -> list[Piece]:
    """``mcp.server 2.3.0 match``; what is wrong with a module, and its file then."""
    found = _word(event.get("fullname"), "strong") + _word(event.get("how")) + _word(event.get("version"))
    verdict = event.get("record")
    found += _word(verdict, "bad" if verdict == "mismatch" else "good" if verdict == "match" else "dim")
    wrong = [name for name in ("pyc", "shadows_stdlib") if event.get(name)]
    wrong += ["not kept"] if event.get("kept") is False else []
    found += _word(" ".join(wrong) or None, "bad")
    return found + _word(event.get("file"), "dim")


def _connect(event: dict[str, Any]) -> list[Piece]:
    server = event.get("server")
    command, args = member(server, "command"), member(server, "args")
    line = [command, *args] if isinstance(args, list) else [command]
    found = _word(member(server, "type"))
    found += _word(shlex.join(map(str, line)) if command is not None else None, "strong")
    found += _word(member(server, "url"), "strong") + _labelled("pid", member(server, "pid"))
    return found + _word("authenticated" if member(server, "auth") is True else None)


def _trouble(event: dict[str, Any]) -> list[Piece]:
    return [("bad", text) for _, text in _other(event)]


def _other(event: dict[str, Any]) -> list[Piece]:
    """Any kind: its members by name."""
    found: list[Piece] = []
    for name, value in event.items():
        if name not in ("meta", "context"):
            found += _labelled(name, value)
    return found


_OF_A_REQUEST = ("python_mcp_event", "python_mcp_rejected", "python_mcp_request_ended")


def _cause(event: dict[str, Any]) -> list[Piece]:
    """The request that an event was caused by; of a message it is the message itself and said already."""
    request = member(event, "context", "mcp")
    if not isinstance(request, dict) or member(event, "meta", "name") in _OF_A_REQUEST:
        return []
    words = [request.get("method"), request.get("tool")]
    return _word("in " + " ".join(str(word) for word in words if word is not None) if any(words) else None, "dim")


GISTS: dict[str, Gist] = {
    "python_events_dropped": _trouble,
    "python_import": _import,
    "python_internal_exception": _trouble,
    "python_mcp_client_connect": _connect,
    "python_mcp_event": _message,
    "python_mcp_rejected": _rejected,
    "python_mcp_request_ended": _ended,
    "python_mcp_server_add": _element,
    "python_mcp_server_init": _server,
    "python_mcp_session_created": _session,
    "python_mcp_session_terminated": _session,
    "sensor_hooks": _hooks,
    "sensor_shutdown": _shutdown,
    "sensor_startup": _startup,
}
