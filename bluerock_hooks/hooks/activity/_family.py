"""What the families of activity have in common."""

from __future__ import annotations

from .._attribution import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...events import Span
    from .. import Recording
    from ._repeats import Repeats

    Handler = Callable[[str, tuple[Any, ...]], None]


class Family:
    """Handlers of audit events, which only do something within a request or, ``everywhere``, always."""

    __slots__ = ("_recording", "_repeats", "everywhere")

    def __init__(self, recording: Recording, repeats: Repeats) -> None:
        self._recording = recording
        self._repeats = repeats
        self.everywhere = False

    def handlers(self) -> dict[str, Handler]:
        """Audit event -> handler."""
        raise NotImplementedError

    def _wanted(self) -> tuple[bool, Span | None]:
        span = current()
        return span is not None or self.everywhere, span
