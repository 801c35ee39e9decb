"""One start of a process, from the call that starts it until its status is asked for."""

from __future__ import annotations

from ... import _clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...events import Span
    from ._facts import Given

_since_boot_ns = _clock.since_boot_ns


class Launch:
    """A process that is being started, or runs.

    The code around a start runs with cold caches, before and after another program had the processor: it is kept small.
    """

    given: Given | None = None
    """What it was started with."""
    id = ""
    pid = 0
    until = 0
    """When its process was there, nanoseconds after boot."""
    thread = 0
    process = ""
    """Pid and start tick, as the event of the start told them."""
    told = False
    """The event of its start has been recorded."""
    ended: int | None = None
    """The wait status, where somebody asked for it before the event of the start."""
    known_children: frozenset[bytes] | None = None
    """Children of this thread just before a fork."""

    def __init__(self, api: str, span: Span | None, outer: Launch | None) -> None:
        self.api = api
        self.span = span
        self.outer = outer
        """What was going on in this thread already, such as ``os.spawnv`` around its ``os.fork``."""
        self.since = _since_boot_ns()
