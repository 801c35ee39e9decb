"""From any event to its line: one line of JSON within the limit, with msgspec, without it, and completed."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bluerock_hooks import _guard, _plain, events
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.drain import Completion
from bluerock_hooks.encode import Encoder
from bluerock_hooks.redact import Redactor

from ._drawing import Bytes

LIMIT = 4096
envelope = Envelope()
encoder = Encoder(envelope, Redactor(), LIMIT, lambda: b"k" * 32, lambda _line: None)
completion = Completion()
_more: dict[str, object] = {}
completion.on("python_import", lambda _event: _more)


def one(data: bytes) -> None:
    source = Bytes(data)
    mode = source.byte()
    before = _guard.caught
    if mode < 96:
        members = source.value()
        message = {"id": source.value(0), "method": source.text(), "params": members, "result": source.value()}
        for payload in (message["params"], message["result"]):
            for encode in (encoder.params, encoder.result):
                encoded = encode(payload)
                assert encoded is None or json.loads(encoded) is not _guard
        kind = "server_received_request"
        _check(encoder.line(events.McpMessage(event=kind, id=_id(source), message=message)))
    elif mode < 192:
        kind = events.KINDS[source.byte() % len(events.KINDS)]
        _check(encoder.line(_event(kind, source)))
    else:
        fields = _named(source.value(3))
        fields = fields if type(fields) is dict else {"value": fields}
        line = envelope.line("python_import", "event", fields)
        _check(line, LIMIT * 1000)
        more = _named(source.value(2))
        _more.clear()
        _more.update(more if type(more) is dict else {"added": more})
        _check(completion.lines([completion.marked("python_import", line)])[0], LIMIT * 1000)
        completion.forget()
        json.loads(_plain.dumps(_named(source.value())))
    assert _guard.caught == before, _guard.places


def _named(value: Any) -> Any:
    """The same with text as names: hooks make no other dicts."""
    if type(value) is dict:
        return {str(name): _named(item) for name, item in value.items()}
    return [_named(item) for item in value] if type(value) in (list, tuple) else value


def _check(line: bytes, limit: int = LIMIT) -> None:
    assert b"\n" not in line
    assert len(line) <= limit
    json.loads(line)


def _id(source: Bytes) -> Any:
    # The SDKs' models take no id that UTF-8 cannot say.
    return source.take(8).hex() if source.byte() % 2 else source.number()


def _event(kind: type[msgspec.Struct], source: Bytes) -> Any:
    """A Struct of this kind with any text in every member that takes text."""
    members: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in ("meta", "context") and (field.required or source.byte() % 2):
            members[field.name] = _sample(msgspec.inspect.type_info(field.type), source)
    return kind(**members)


def _sample(info: Any, source: Bytes) -> Any:
    if isinstance(info, msgspec.inspect.Metadata):
        return "known" if (info.extra or {}).get("redact") == "known" else _sample(info.type, source)
    if isinstance(info, msgspec.inspect.UnionType):
        return _sample(info.types[source.byte() % len(info.types)], source)
    if isinstance(info, msgspec.inspect.LiteralType):
        return info.values[0]
    if isinstance(info, msgspec.inspect.ListType):
        return [_sample(info.item_type, source) for _ in range(source.byte() % 5)]
    if isinstance(info, msgspec.inspect.DictType):
        found = source.value()
        return found if type(found) is dict else {}
    if isinstance(info, msgspec.inspect.StructType):
        return _event(info.cls, source)
    plain = {"IntType": source.number, "FloatType": lambda: source.number() / 3, "BoolType": lambda: True}
    return None if isinstance(info, msgspec.inspect.NoneType) else plain.get(type(info).__name__, source.text)()
