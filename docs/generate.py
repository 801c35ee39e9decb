"""Writes ``docs/events.md`` and ``docs/events.schema.json`` from the Structs in ``bluerock_hooks/events``.

A test fails where they are out of date.

Usage::

    python docs/generate.py                      # writes both
    python docs/generate.py --check              # exit status 1 where one would change
    python docs/generate.py --examples SPOOL     # first takes new examples from a recorded spool
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from bluerock_hooks import events
from bluerock_hooks.cli import schema

HERE = Path(__file__).resolve().parent
PAGE = HERE / "events.md"
SCHEMA = HERE / "events.schema.json"
EXAMPLES = HERE / "examples.ndjson"

INTRODUCTION = """\
# Events

One line of NDJSON an event, whole lines only. This page is made by `docs/generate.py` from the Structs of
`bluerock_hooks/events`; [events.schema.json](events.schema.json), which `bluerock-hooks schema` prints, says the same
as JSON Schema. The examples are lines of real runs.

```json
{"ts": "2026-11-22T10:00:00.123456Z", "event": {"meta": {...}, "context": {...}, ...}}
```

What is unknown is left out, never written as null. The schema grows (a new member has a default) and never renames;
`meta.schema` says its version. `meta.component_id` with `meta.source_event_id` names an event uniquely and for ever, so
that what a collector sends twice can be deduplicated; a gap in `source_event_id` is an event that was dropped.

Redaction has happened before a line is written: see [settings](settings.md) for how much of parameters and results is
kept.
"""

# Members that need no sentence beside their declaration; the page has one for each all the same.
PLAIN = {
    "Ancestor.pid": "Its pid.",
    "Ancestor.start": "Its start tick since boot; pid and tick together name a process.",
    "ConnectTarget.args": "Its arguments, redacted.",
    "ConnectTarget.command": "On stdio: the program that was started.",
    "ConnectTarget.type": "The transport.",
    "ConnectTarget.url": "On HTTP: the address, without credentials.",
    "Context.mcp": "The request that the event belongs to.",
    "Context.process": "The process that recorded it.",
    "EventsDropped.bytes": "How many bytes they had.",
    "EventsDropped.dropped": "How many events.",
    "HookOutcome.detail": "Why, where it was not applied.",
    "HookOutcome.outcome": "Absent: there is no such attribute, or no such module. Unused: in place, and passed by.",
    "DirectUrl.commit": "The commit that was checked out.",
    "DirectUrl.editable": "True where the project's own directory is used.",
    "DirectUrl.subdirectory": "Of the repository, if it is not its root.",
    "DirectUrl.vcs": "The version control system, such as `git`.",
    "ImportStdlib.count": "How many.",
    "ImportStdlib.modules": "Their names.",
    "InternalException.count": "How often since the last such event.",
    "InternalException.message": "The type, and the text of built-in types.",
    "InternalException.place": "The step that failed.",
    "McpClientConnect.server": "What it connects to.",
    "McpMessage.client_name": "What the client calls itself.",
    "McpMessage.event": "Which side saw it, which way it went, and what it is.",
    "McpMessage.id": "The JSON-RPC id.",
    "McpMessage.server_name": "What the server calls itself.",
    "McpMessage.transport": "What carries the connection.",
    "McpMessage.protocol_version": "The MCP revision that was negotiated.",
    "McpServerAdd.element": "What it has now.",
    "McpServerInit.server": "What it says of itself.",
    "McpRejected.method": "The method of that request.",
    "McpRejected.server_name": "What the server calls itself.",
    "McpRejected.transport": "`http`, or `sse` at the endpoint that clients post their messages to.",
    "McpRequestEnded.connection_id": "Our id of the connection, unique on this side.",
    "McpRequestEnded.id": "The JSON-RPC id.",
    "McpRequestEnded.method": "The method of the request.",
    "McpRequestEnded.session_id": "The protocol's own session id, where there is one.",
    "McpRequestEnded.transport": "What carries the connection.",
    "McpSessionCreated.connection_id": "Our id of the connection, unique on this side.",
    "McpSessionCreated.peer": "The other end, where the transport tells.",
    "McpSessionCreated.session_id": "The protocol's own session id, where there is one.",
    "McpSessionCreated.source": "Our side.",
    "McpSessionCreated.transport": "What carries the connection.",
    "McpSessionTerminated.connection_id": "As in `python_mcp_session_created`.",
    "McpSessionTerminated.duration_ms": "Since it was up.",
    "McpSessionTerminated.peer": "The other end, where the transport tells.",
    "McpSessionTerminated.session_id": "The protocol's own session id, where there is one.",
    "McpSessionTerminated.source": "Our side.",
    "McpSessionTerminated.transport": "What carried the connection.",
    "FileRemove.path": "As the program gave it; `*` as in `python_file_open`.",
    "FileRename.path": "As the program gave it; `*` as in `python_file_open`.",
    "Meta.name": "The kind of event, one of the headings below.",
    "Meta.origin": "Always `bluerock_hooks`.",
    "Meta.schema": "Version of this schema.",
    "Meta.sensor_id": "Always 1.",
    "Meta.type": "The family of kinds.",
    "PythonImport.version": "Of the distribution.",
    "PythonPackage.direct_url": "Where it came from, if not from an index.",
    "PythonPackage.name": "As its metadata spells it.",
    "PythonPackage.version": "Its version.",
    "Process.pid": "Its pid, as it sees itself.",
    "ProcessExec.argv": "Its command line, redacted.",
    "ProcessExec.cwd": "Working directory.",
    "ProcessExec.executable": "The program's file, as its search path finds it.",
    "ProcessExit.api": "What started it.",
    "ProcessExit.pid": "Its pid, where it is known.",
    "ProcessSpawn.cwd": "Its working directory.",
    "ProcessSpawn.pid": "Its pid, where it is known.",
    "PromptArgument.description": "What it is for.",
    "PromptArgument.name": "Its name.",
    "PromptArgument.required": "Whether it must be given.",
    "Request.method": "The JSON-RPC method.",
    "Request.request_id": "The JSON-RPC id.",
    "Request.session_id": "The protocol's own session id, where there is one.",
    "SensorHooks.hooks": "One row a patch.",
    "SensorHooks.module": "The module that was imported.",
    "SensorShutdown.bytes": "Bytes recorded.",
    "SensorShutdown.dropped": "Events that could not be kept.",
    "SensorShutdown.duration_ms": "Since the sensor started.",
    "StartupFile.sha256": "Of the whole file.",
    "StartupFile.version": "Of the distribution.",
    "SensorStartup.cwd": "Working directory.",
    "SensorStartup.executable": "The interpreter's path.",
    "SensorStartup.platform": "`sys.platform`.",
    "SensorStartup.ppid": "Pid of the parent.",
    "SensorStartup.python": "Version of the interpreter.",
    "SensorStartup.spool": "Directory of the spool.",
    "ServerElement.description": "What it tells models about itself.",
    "ServerElement.mime_type": "Of a resource or template: its MIME type.",
    "ServerElement.name": "Its name.",
    "ServerElement.title": "Its name for people.",
    "ServerElement.type": "What it is.",
    "ServerInfo.instructions": "What it tells models about its use.",
    "ServerInfo.name": "Its name.",
    "ServerInfo.title": "Its name for people.",
    "ServerInfo.version": "Its version.",
}


def sentences(cls: type) -> dict[str, str]:
    """The string literal that follows each annotated member, by member."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    found = {}
    for member, follower in itertools.pairwise(body):
        if (
            isinstance(member, ast.AnnAssign)
            and isinstance(member.target, ast.Name)
            and isinstance(follower, ast.Expr)
            and isinstance(follower.value, ast.Constant)
        ):
            text = inspect.cleandoc(str(follower.value.value))
            found[member.target.id] = text.replace("\n", " ").replace("``", "`")
    return found


def all_sentences(cls: type) -> dict[str, str]:
    """Those of the bases too."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            found.update(sentences(base))
    return found


def type_text(kind: msgspec.inspect.Type) -> str:
    """A type as a reader of the JSON sees it."""
    match kind:
        case msgspec.inspect.Metadata():
            return type_text(kind.type)
        case msgspec.inspect.UnionType():
            return " or ".join(type_text(part) for part in kind.types if not isinstance(part, msgspec.inspect.NoneType))
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in kind.values)
        case msgspec.inspect.StructType():
            return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case msgspec.inspect.ListType():
            return f"list of {type_text(kind.item_type)}"
        case msgspec.inspect.DictType():
            return "object"
        case msgspec.inspect.AnyType():
            return "any"
    names = {"StrType": "text", "IntType": "integer", "FloatType": "number", "BoolType": "true or false"}
    return names[type(kind).__name__]


def structs_in(kind: msgspec.inspect.Type) -> list[type]:
    """The Structs that a member's type names."""
    match kind:
        case msgspec.inspect.Metadata():
            return structs_in(kind.type)
        case msgspec.inspect.UnionType():
            return [cls for part in kind.types for cls in structs_in(part)]
        case msgspec.inspect.StructType():
            return [kind.cls]
        case msgspec.inspect.ListType():
            return structs_in(kind.item_type)
    return []


def fields(cls: type) -> list[msgspec.inspect.Field]:
    """The members of a Struct; of an event, those beyond the envelope."""
    info: Any = msgspec.inspect.type_info(cls)
    envelope = ("meta", "context") if issubclass(cls, events.Event) else ()
    return [field for field in info.fields if field.name not in envelope]


def table(cls: type) -> str:
    """One row a member: name, type, whether it is always there, its sentence."""
    own = all_sentences(cls)
    said = {field.name: own.get(field.name) or PLAIN[f"{cls.__name__}.{field.name}"] for field in fields(cls)}
    rows = ["| field | type | always | meaning |", "| --- | --- | --- | --- |"]
    for field in fields(cls):
        always = "yes" if field.required else ""
        rows.append(f"| `{field.encode_name}` | {type_text(field.type)} | {always} | {said[field.name]} |")
    return "\n".join(rows)


def sentence_of(cls: type) -> str:
    """What the Struct is, from its docstring."""
    return inspect.cleandoc(cls.__doc__ or "").replace("``", "`")


def page() -> str:
    """The whole page."""
    examples = {}
    if EXAMPLES.exists():
        for line in EXAMPLES.read_text().splitlines():
            examples[json.loads(line)["event"]["meta"]["name"]] = line
    parts = [INTRODUCTION, "## Every event has\n"]
    shared: list[type] = [events.Meta, events.Context, events.Process, events.Request, events.CutEvent]
    parts += [section(cls, level=3) for cls in shared]
    nested: list[type] = []
    for kind in sorted(events.KINDS, key=lambda cls: cls.NAME):
        parts.append(f"## {kind.NAME}\n\n{sentence_of(kind)}\n\n`meta.type` is `{kind.TYPE}`.\n\n{table(kind)}\n")
        if kind.NAME in examples:
            pretty = json.dumps(json.loads(examples[kind.NAME]), indent=1)
            parts.append(f"```json\n{pretty}\n```\n")
        queue = [cls for field in fields(kind) for cls in structs_in(field.type)]
        while queue:
            cls = queue.pop(0)
            if cls not in nested:
                nested.append(cls)
                queue += [inner for field in fields(cls) for inner in structs_in(field.type)]
    parts.append("## Parts of events\n")
    parts += [section(cls, level=3) for cls in sorted(nested, key=lambda cls: cls.__name__)]
    return "\n".join(parts)


def section(cls: type, level: int) -> str:
    """Heading, sentence and table of a Struct that is no event."""
    return f"{'#' * level} {cls.__name__}\n\n{sentence_of(cls)}\n\n{table(cls)}\n"


def take_examples(spool: Path) -> None:
    """Keep one line of each event name: of a tool call where there is one, and the one with most members."""
    best = {}
    if EXAMPLES.exists():
        best = {json.loads(line)["event"]["meta"]["name"]: line for line in EXAMPLES.read_text().splitlines()}
    lines = [line for segment in sorted(spool.glob("python-*.ndjson")) for line in segment.read_text().splitlines()]
    fresh = sorted((richness(event), line) for line in lines for event in [json.loads(line)["event"]])
    best.update({json.loads(line)["event"]["meta"]["name"]: line for _, line in fresh})
    EXAMPLES.write_text("".join(best[name] + "\n" for name in sorted(best)))


def richness(event: dict[str, Any]) -> tuple[bool, int]:
    """What makes one event a better example than another of its name."""
    return event.get("method") == "tools/call", len(event)


def main() -> int:
    """Write or check both files."""
    parser = argparse.ArgumentParser(description="Make docs/events.md and docs/events.schema.json.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--examples", type=Path, metavar="SPOOL")
    options = parser.parse_args()
    if options.examples:
        take_examples(options.examples)
    made = {PAGE: page(), SCHEMA: json.dumps(schema.document(), indent=2) + "\n"}
    if options.check:
        return int(any(not path.exists() or path.read_text() != text for path, text in made.items()))
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
