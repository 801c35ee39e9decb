"""What the sensor tells the drain, and is told by it."""

from __future__ import annotations

from .. import _guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._accounts import Losses

    Notices = Callable[[str, int, int], list[bytes]]


class Outside:
    """What the drain has from the sensor. None of it may raise; if it does, that is counted and that is all."""

    __slots__ = ("_noticed", "_told_errors", "notice", "notices", "preamble")

    def __init__(
        self,
        preamble: Callable[[], list[bytes]] | None,
        notice: Callable[[str], None] | None,
        notices: Notices | None,
    ) -> None:
        self.preamble = preamble
        self.notice = notice
        self.notices = notices
        self._noticed: set[str] = set()
        self._told_errors = 0

    def first_lines(self) -> list[bytes]:
        """The lines every process begins with."""
        try:
            return self.preamble() if self.preamble else []
        except Exception as exc:
            _guard.swallow("drain.preamble", exc)
            return []

    def tell(self, kind: str, text: str) -> None:
        """One sentence to the operator, once of each kind."""
        if kind in self._noticed or self.notice is None:
            return
        self._noticed.add(kind)
        try:
            self.notice(text)
        except Exception as exc:
            _guard.swallow("drain.notice", exc)

    def loss_lines(self, losses: Losses) -> tuple[dict[str, tuple[int, int]], list[bytes]]:
        """What is to be told of losses, by reason, and the lines that tell it."""
        told: dict[str, tuple[int, int]] = {}
        lines: list[bytes] = []
        if self.notices is None:
            return told, lines
        try:
            for reason, (events, size) in list(losses.pending.items()):
                lines += self.notices(reason, events, size)
                told[reason] = events, size
            if _guard.caught != self._told_errors:
                self._told_errors = _guard.caught
                lines += self.notices("", 0, 0)
        except Exception as exc:
            _guard.swallow("drain.notices", exc)
        return told, lines
