"""One start of a process, from the call that starts it until its status is asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...events import Span
    from ._facts import Given


class Launch:
    """A process that is being started, or runs.

    The code around a start runs with cold caches, before and after another program had the processor: it is kept small.
    """

    api: str
    said: bytes
    """The same, as a member."""
    caller = 0
    """Ident of the thread that starts it, where something may come between."""
    span: Span | None
    outer: Launch | None = None
    """What was going on in this thread already, such as ``os.spawnv`` around its ``os.fork``."""
    since: int
    """Nanoseconds after boot."""
    given: Given | None = None
    """What it was started with."""
    number = 0
    """Of the starts of this process, from 1."""
    pid = 0
    start = 0
    """Its start tick, where that is known."""
    thread = 0
    told = False
    """The event of its start has been recorded."""
    ended: int | None = None
    """The wait status, where somebody asked for it before the event of the start."""
    known_children: frozenset[bytes] | None = None
    """Children of this thread just before a fork."""
