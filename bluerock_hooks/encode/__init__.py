"""From an event to its line: envelope, redaction, JSON; every event passes here before a byte reaches a file."""

from __future__ import annotations

import types
import typing
from _blake2 import blake2b
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from .. import _guard
from .._shape import ORIGIN, SCHEMA, SENSOR_ID
from ..events import Context, CutEvent, Event, Line, McpMessage, Meta, Process, Request, Span
from ..redact import settled
from ._form import Filler, Hole, cut, time_hole

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._envelope import Envelope
    from ..redact import Redactor
    from ._form import Fill

    Cleaner = Callable[[Any], Any]
    Payload = Callable[[Any], bytes | None]
    Plan = tuple[tuple[str, Cleaner], ...]

_now = datetime.now
_utc = timezone.utc
_PREFIX = 1024  # characters that are kept of an event over the limit
_CONSTANT = 2048  # bytes of a form
_BESIDE = 10 << 10  # bytes of the longest line of a form beside its payload: form, context, and a long id three times


class Encoder:
    """Stamps, redacts and encodes events of one process.

    ``limit`` is the size in bytes above which an event is replaced by its size, keyed hash and prefix; ``digest_key``
    gives the key of that hash (a plain hash of a short secret is a dictionary away from the secret). ``emit`` takes the
    lines that forms give.
    """

    def __init__(
        self,
        envelope: Envelope,
        redactor: Redactor,
        limit: int,
        digest_key: Callable[[], bytes],
        emit: Callable[[bytes], object],
    ) -> None:
        self._envelope = envelope
        self._redactor = redactor
        self._limit = limit
        self._filler = Filler(envelope, emit)
        self._digest_key = digest_key
        self._encode = msgspec.json.Encoder().encode
        self.params = self._payload(redactor.params, redactor.quick_params)
        """``params`` of a message as JSON that may be recorded; None where only ``line`` can tell what is kept."""
        self.result = self._payload(redactor.result, redactor.quick_results)
        self._plans: dict[type, Plan] = {}
        self._process = Process(envelope.pid)

    def new_process(self) -> None:
        """In a forked child, when the envelope is its own."""
        self._process = Process(self._envelope.pid)

    def line(self, event: Event, span: Span | None = None) -> bytes:
        """``event`` as one line without its newline; ``span`` is what the event belongs to.

        The event is spent: its members are replaced by what may be kept of them.
        """
        envelope = self._envelope
        event.meta = Meta(event.NAME, event.TYPE, ORIGIN, SCHEMA, SENSOR_ID, envelope.next_id(), envelope.component_id)
        event.context = Context(self._process, None if span is None else span.context())
        if type(event) is McpMessage:  # most events are; no other member of it is text
            if type(event.message) is dict:
                event.message = self._redactor.message(event.message)
        else:
            self._clean(event)
        try:
            data = self._encode(Line(_now(_utc), event))
        except Exception as exc:
            # What redaction passed cannot be written as JSON: say so rather than lose the message.
            _guard.swallow("encode", exc)
            if isinstance(event, McpMessage) and type(event.message) is dict:
                event.message = _without_payload(event.message)
            data = self._encode(Line(_now(_utc), event))
        return data if len(data) <= self._limit else self._oversize(event, data)

    # -- the quick way, for messages

    def _payload(self, keep: Callable[[Any], Any], quick: bool) -> Payload:
        encode, room = self._encode, self._limit - _BESIDE

        def payload(value: object) -> bytes | None:
            try:
                if quick and type(value) is dict and settled(value):
                    data = encode(value)
                else:
                    kept = keep(value)
                    if kept is None:
                        return None
                    data = encode(kept)
            except OverflowError as exc:  # a number of more than 64 bits
                _guard.give_back(exc)
                return None
            except Exception as exc:
                _guard.swallow("encode", exc)
                return None
            return data if len(data) <= room else None

        return payload

    def context(self, request: Request) -> bytes:
        """``request`` as a format; its request id (JSON) and span id, and its parent's if there is one, are ``%b``."""
        rid, span, parent = Hole(), Hole(b'"%b"'), Hole(b'"%b"')
        holes = [rid, span]
        request.request_id, request.span_id = rid.raw, span.raw
        if request.parent_span_id is not None:
            request.parent_span_id = parent.raw
            holes.append(parent)
        return cut(self._encode(request), *holes)

    def form(self, event: McpMessage) -> Fill | None:
        """A function that records requests or responses like ``event``; None where there can be none.

        It takes JSON: the context, the request id, the payload, and of responses (events with an outcome) the duration.
        ``event`` is spent.
        """
        method = event.method
        if method is not None and self._redactor.text(method) != method:
            return None
        time, number, context, rid, inner, payload, duration = (time_hole(), Hole(b"%d"), *(Hole() for _ in range(5)))
        holes = [time, number, context, rid, inner, payload]
        component = self._envelope.component_id
        event.meta = Meta(event.NAME, event.TYPE, ORIGIN, SCHEMA, SENSOR_ID, number.raw, component)
        event.context = Context(self._process, context.raw)
        event.id = rid.raw
        if event.outcome is None:
            event.message = {"id": inner.raw, "method": method, "params": payload.raw}
        else:
            event.message = {"id": inner.raw, "result": payload.raw}
            event.duration_ms = duration.raw
            holes.append(duration)
        form = cut(self._encode(Line(time.raw, event)), *holes)
        return self._filler.filler(form) if len(form) < _CONSTANT else None

    def _clean(self, struct: msgspec.Struct) -> msgspec.Struct:
        kind = type(struct)
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._make_plan(kind)
        for name, clean in plan:
            value = getattr(struct, name)
            if value is not None:
                kept = clean(value)
                if kept is not value:
                    setattr(struct, name, kept)
        return struct

    def _make_plan(self, kind: type) -> Plan:
        """Which members of ``kind`` need which redaction: read off the annotations once."""
        hints = typing.get_type_hints(kind, include_extras=True)
        plan = []
        for field in kind.__struct_fields__:  # type: ignore[attr-defined]
            if field in ("meta", "context"):
                continue
            cleaner = self._cleaner(hints[field])
            if cleaner is not None:
                plan.append((field, cleaner))
        return tuple(plan)

    def _cleaner(self, hint: Any) -> Cleaner | None:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            return self._named_cleaner(_label(hint)) if _label(hint) else self._cleaner(typing.get_args(hint)[0])
        if origin in (typing.Union, types.UnionType):
            cleaners = [self._cleaner(arm) for arm in typing.get_args(hint) if arm is not type(None)]
            known = [cleaner for cleaner in cleaners if cleaner is not None]
            return known[0] if known else None
        if origin is list:
            inner = self._cleaner(typing.get_args(hint)[0])
            return None if inner is None else lambda items: [inner(item) for item in items]
        if origin is dict:
            return self._redactor.params
        if hint is str:
            return self._redactor.text
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self._clean
        return None

    def _named_cleaner(self, label: str) -> Cleaner | None:
        redactor = self._redactor
        return {
            "known": None,
            "url": redactor.url,
            "argv": redactor.argv,
            "message": redactor.message,
        }[label]

    def _oversize(self, event: Event, data: bytes) -> bytes:
        if isinstance(event, McpMessage) and event.message is not None:
            written = self._encode(event.message)
            members = msgspec.json.decode(written)
            # Hashed without its id: the same payload, sent again, has the same hash.
            payload = {key: value for key, value in members.items() if key != "id"}
            kept = {key: value for key, value in members.items() if key in ("id", "method")}
            prefix = written[:_PREFIX].decode("utf-8", "ignore")
            event.message = {**kept, **self._stub(len(data), self._encode(payload)), "prefix": prefix}
            return self._encode(Line(_now(_utc), event))
        if event.lighten():
            data = self._encode(Line(_now(_utc), event))
            if len(data) <= self._limit:
                return data
        # What is left is cut to the envelope, which is bounded.
        bare = CutEvent(meta=event.meta, context=event.context, **self._stub(len(data), data))
        return self._encode(Line(_now(_utc), bare))

    def _stub(self, size: int, payload: bytes) -> dict[str, Any]:
        digest = blake2b(payload, digest_size=16, key=self._digest_key())
        return {"oversize": size, "digest": digest.hexdigest()}


def _label(hint: Any) -> str:
    for note in hint.__metadata__:
        if isinstance(note, msgspec.Meta) and note.extra:
            return str(note.extra.get("redact", ""))
    return ""


def _without_payload(message: dict[str, Any]) -> dict[str, Any]:
    method = message.get("method")
    known = {"method": method} if type(method) is str and method.isascii() else {}
    return {**known, "unreadable": True}
