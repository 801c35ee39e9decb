"""Hooks: what watches the host. Each family is a table of patch rows; recording reaches them as an argument."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from msgspec import Raw

    from ..events import Event, Span

    class Recording(Protocol):
        """What a hook needs of the sensor. Neither member ever raises an error of ours."""

        def record(self, event: Event, span: Span | None = None) -> None:
            """Record ``event`` as part of ``span``."""

        def encoded(self, message: dict[str, object]) -> Raw:
            """A message, redacted and encoded, for the ``message`` of more than one event."""

        def connected(self) -> None:
            """A connection is up: from now on events come in numbers."""

        def clean(self, text: str) -> str:
            """``text`` as it may be recorded, for what is kept and used again."""

        @property
        def new_id(self) -> Callable[[], str]:
            """Ids for requests and connections, 16 hex digits."""
