"""What every event has: the envelope, the request it belongs to, and how its text members are redacted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

Known = Annotated[str, msgspec.Meta(extra={"redact": "known"})]
Url = Annotated[str, msgspec.Meta(extra={"redact": "url"})]
Argv = Annotated[list[str], msgspec.Meta(extra={"redact": "argv"})]
Message = Annotated[dict[str, Any], msgspec.Meta(extra={"redact": "message"})]

RequestId = Annotated[int | str, msgspec.Meta(extra={"redact": "known"})]

_encode = msgspec.json.Encoder().encode


class Meta(msgspec.Struct, omit_defaults=True, gc=False):
    """What the event is and who recorded it; ``component_id`` with ``source_event_id`` is unique for ever."""

    name: str
    type: str
    origin: str
    schema: str
    sensor_id: int
    source_event_id: int
    """Counts the events of this process from 1; a gap is a dropped event."""
    component_id: str
    """Random UUID of this process."""


class Process(msgspec.Struct, gc=False):
    """The process that recorded the event."""

    pid: int


class Request(msgspec.Struct, omit_defaults=True, gc=False):
    """The MCP request an event belongs to: the one it is part of, or the one whose handling caused it."""

    method: Known | None = None
    tool: Known | None = None
    """Name of the tool or prompt, or URI of the resource. Redacted when it was learned."""
    request_id: RequestId | None = None
    session_id: Known | None = None
    span_id: Known | None = None
    """Random id of this request on this side; its response carries the same."""
    parent_span_id: Known | None = None
    """The request that was being served when this one was sent."""


class Span(msgspec.Struct, gc=False):
    """A request and, later, its response: what events belong to while it is open."""

    method: str | None
    tool: str | None
    request_id: int | str | None
    session_id: str | None
    span_id: str
    parent_span_id: str | None
    started: int
    """Monotonic nanoseconds."""
    encoded: bytes = b""
    """``request`` as JSON, where it was at hand."""
    cancelled: bool = False
    ended: bool = False
    """The handler has returned: what still happens on its behalf is late."""
    trace: str | None = None
    """The ``traceparent`` that the request came with."""

    @property
    def request(self) -> Request:
        """What events of this span carry as ``context.mcp``."""
        return Request(self.method, self.tool, self.request_id, self.session_id, self.span_id, self.parent_span_id)

    def context(self) -> Any:
        """``request``, encoded."""
        return msgspec.Raw(self.encoded or _encode(self.request))


class Context(msgspec.Struct, omit_defaults=True, gc=False):
    """Where the event happened."""

    process: Process
    mcp: Request | None = None


class Event(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """What every event has. ``meta`` and ``context`` are filled in when it is recorded."""

    NAME: ClassVar[str] = ""
    TYPE: ClassVar[str] = "event"

    meta: Meta | None = None
    context: Context | None = None

    def lighten(self) -> bool:
        """Leave out what made the event too large; False where it has nothing of the kind."""
        return False


class CutEvent(Event, kw_only=True):
    """What is kept of an event above ``BLUEROCK_MAX_EVENT_BYTES``, of any kind but ``python_mcp_event``."""

    oversize: int
    """Bytes that it had."""
    digest: Known
    """Keyed hash of them; the key is of this process."""


class Line(msgspec.Struct, gc=False):
    """One line of the spool."""

    ts: datetime
    """UTC, microseconds."""
    event: Event
