"""Low-level activity: what the program does to sockets, files and code, told by audit events.

By default it is recorded while a request is served, and elsewhere its audit events are not even asked for. Each family
of events has a scope in the settings: ``off``, ``tool`` or ``all``.
"""

from __future__ import annotations

from .. import _attribution
from ._code import Code
from ._files import Files
from ._ignore import matcher
from ._native import Native
from ._repeats import Repeats
from ._sockets import Sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...config import Settings
    from .. import Recording
    from .._audit import Audit
    from ._family import Family

__all__ = ["Activity"]


class Activity:
    """``listen(audit)`` at the start, for what is recorded everywhere, and again when there may be requests."""

    def __init__(self, recording: Recording, settings: Settings) -> None:
        self._repeats = Repeats(recording)
        callers = matcher(settings.ignore_callers)
        self._families: list[tuple[str, Family]] = [
            (settings.network, Sockets(recording, self._repeats)),
            (settings.files, Files(recording, self._repeats, matcher(settings.ignore_files), callers)),
            (settings.native, Native(recording, self._repeats)),
            (settings.code, Code(recording, self._repeats, callers)),
        ]

    def listen(self, audit: Audit, scope: str, *, everywhere: bool) -> None:
        """Ask for the audit events of the families that the settings give this ``scope``.

        ``everywhere``: also outside of requests, until this is called again.
        """
        _attribution.when_over(self._repeats.over)
        for wanted, family in self._families:
            if wanted == scope:
                family.everywhere = everywhere
                for event, handler in family.handlers().items():
                    audit.on(event, handler)

    def close(self) -> None:
        """Tell what was counted: the process ends."""
        self._repeats.close()
