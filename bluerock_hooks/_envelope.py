"""Who records: the identity every event of this process carries, and lines for events that cannot wait for msgspec."""

from __future__ import annotations

from itertools import count

from . import _clock, _plain, _stdlib
from ._shape import closing, dashed, opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIRST_ID = 0x1000_0000  # eight hex digits, without a format to fill them up: that costs twice as much


class Envelope:
    """Identity of this process: pid, a random component id, and the two counters that make ids of it.

    ``next_id()`` numbers events from 1, ``new_id()`` gives 16 hex digits for a request or connection. Both are one
    C call, so threads need no lock.
    """

    __slots__ = ("_close", "_id", "_next", "_opening", "component_id", "next_id", "pid")

    next_id: Callable[[], int]

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Become the identity of the process that calls: at start-up, and in every forked child."""
        self.pid = _stdlib.getpid()
        self.component_id = _uuid4()
        self.next_id = count(1).__next__
        self._opening: dict[str, str] = {}
        self._close = closing(self.component_id, self.pid)
        self._id = _stdlib.urandom(4).hex()
        self._next = count(_FIRST_ID).__next__

    def new_id(self) -> str:
        """An id that no other request or connection of any process has, but for chance: 16 hex digits."""
        return f"{self._id}{hex(self._next())[2:]}"

    def line(self, name: str, kind: str, fields: Mapping[str, object], request: str | None = None) -> bytes:
        """One event of plain values as a line without its newline; ``None`` members are left out.

        ``request``: the MCP request that the event belongs to, as JSON.
        """
        mcp = "" if request is None else f',"mcp":{request}'
        members = _plain.members(fields)
        comma = "," if members else ""
        ts = _clock.utc_text(_stdlib.time_ns())
        text = f'{{"ts":"{ts}{self._open(name, kind)}{self.next_id()}{self._close}{mcp}}}{comma}{members}}}}}'
        return text.encode()

    def around(self, name: str) -> tuple[str, str]:
        """What stands between the time and the number of an event ``name``, and between that and the request."""
        return self._open(name, "event"), self._close

    def _open(self, name: str, kind: str) -> str:
        known = self._opening.get(name)
        if known is None:
            known = self._opening[name] = opening(name, kind)
        return known


def loss_fields(
    reason: str, events: int, size: int, total: int = 0, owner: tuple[int, int] | None = None
) -> dict[str, object]:
    """The members of a ``python_events_dropped``."""
    of = None if owner is None else {"pid": owner[0], "start": owner[1]}
    return {"dropped": events, "bytes": size, "reason": reason, "total": total or None, "of": of}


def _uuid4() -> str:
    # The uuid module looks for libuuid and reads /etc: not in somebody else's start-up.
    raw = bytearray(_stdlib.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return dashed(raw.hex())
