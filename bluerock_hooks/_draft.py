"""Drafts: events that are spelled out on their way from the ring to the segment.

Some events come between two programs, when the caches hold neither us nor the host: to write one there as text costs
several times what it costs in a batch. So the ring gets numbers, of which the drain makes a line, or whoever reads the
ring of another process. A draft begins with a byte that no line begins with, and needs nothing else to be understood;
little endian::

    byte  0   DRAFT, form, 0, 0     which event it is
          4   pid                   the process that recorded it
          8   component id          16 bytes
         24   size of the request
         28   pid                   the process that it is about
         32   number of the start   64 bits
         40   time                  64 bits, nanoseconds since the epoch
         48   start tick            64 bits; 0 where it is not known
         56   number of the event   64 bits
         64   duration              64 bits, microseconds, of an end
         72   the request, and members, each behind a comma: JSON

What stands where a record of the ring has its position is far from any, or as good as never one
(``ring._layout.salvage``).
"""

from __future__ import annotations

from ._clock import utc_text
from ._shape import closing, dashed, opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DRAFT", "FORMS", "identity", "packer", "spelled"]

DRAFT = 1
"""The first byte of a draft."""
FORMS = ("python_process_spawn", "python_process_exit")
_EXIT = 1
_SIZE = 72
_EIGHT_DIGITS = 1 << 32
_MOST = 64
_known: dict[bytes, tuple[str, str, str]] = {}
"""By identity, what lines have around what differs."""


def identity(name: str, pid: int, component: str) -> bytes:
    """The first 24 bytes of all drafts of an event ``name`` in a process with this component id."""
    return (
        bytes((DRAFT, FORMS.index(name), 0, 0)) + pid.to_bytes(4, "little") + bytes.fromhex(component.replace("-", ""))
    )


def packer() -> Callable[..., bytes]:
    """``pack(identity, ...)`` gives all of a draft but the texts, of what follows there. Loads a module of C."""
    from _struct import Struct

    return Struct("<24sIIQQQQQ").pack


def spelled(draft: bytes) -> bytes:
    """The line of a draft. ValueError where it is none."""
    if len(draft) < _SIZE:
        raise ValueError("no draft")
    before, after, start_id = _known.get(draft[:24]) or _around(draft)
    both, number, ns, start, event, us = memoryview(draft)[24:_SIZE].cast("Q").tolist()
    size, pid = both & 0xFFFF_FFFF, both >> 32
    if size:
        after = f'{after},"mcp":{draft[_SIZE : _SIZE + size].decode()}'
    about = draft[_SIZE + size :].decode()
    if pid:
        about = f'{about},"pid":{pid}'
    if start:
        about = f'{about},"start":{start}'
    if draft[1] == _EXIT:
        about = f'{about},"duration_ms":{us // 1000}.{str(1000 + us % 1000)[1:]}'
    digits = hex(_EIGHT_DIGITS + number)[3:]
    return f'{{"ts":"{utc_text(ns)}{before}{event}{after}{start_id}{digits}"{about}}}}}'.encode()


def _around(draft: bytes) -> tuple[str, str, str]:
    if draft[0] != DRAFT or draft[1] >= len(FORMS):
        raise ValueError("no draft")
    component, pid = draft[8:24].hex(), int.from_bytes(draft[4:8], "little")
    if len(_known) >= _MOST:
        _known.clear()
    known = opening(FORMS[draft[1]], "event"), closing(dashed(component), pid), f'}},"spawn_id":"{component[:8]}'
    _known[draft[:24]] = known
    return known
