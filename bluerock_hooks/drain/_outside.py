"""What the sensor tells the drain, and is told by it."""

from __future__ import annotations

from .. import _guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ring._recovery import Notices
    from ._accounts import Losses

    Told = dict[str, tuple[int, int]]  # events and bytes by reason


class Outside:
    """What the drain has from the sensor. None of it may raise; if it does, that is counted and that is all."""

    __slots__ = ("_noticed", "_told_errors", "_waiting", "notice", "notices", "preamble")

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
        self._waiting: tuple[Told, list[bytes]] | None = None

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

    def loss_lines(self, losses: Losses) -> tuple[Told, list[bytes]]:
        """What is to be told of losses, by reason, and the lines that tell it: the same ones until they are ``told``.

        A disk that refuses them for an hour would else cost an event number, and an error its only mention, each time.
        """
        if self._waiting is None:
            told, lines = self._new_lines(losses)
            if not lines:
                return told, lines
            self._waiting = told, lines
        return self._waiting

    def told(self) -> None:
        """They are in a segment, or belong to another process."""
        self._waiting = None

    def _new_lines(self, losses: Losses) -> tuple[Told, list[bytes]]:
        told: Told = {}
        lines: list[bytes] = []
        if self.notices is None:
            return told, lines
        try:
            for reason, (events, size) in list(losses.pending.items()):
                lines += self.notices(reason, events, size, total=losses.counts[reason])
                told[reason] = events, size
            if _guard.caught != self._told_errors:
                self._told_errors = _guard.caught
                lines += self.notices("", 0, 0)
        except Exception as exc:
            _guard.swallow("drain.notices", exc)
        return told, lines
