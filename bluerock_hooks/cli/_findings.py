"""What ``doctor`` finds: facts to print, problems with what to do about each, and notes that are neither."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Findings:
    """Filled by the examinations, printed by ``doctor``. A problem is what keeps events from being recorded."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.problems: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def problem(self, what: str, remedy: str) -> None:
        """Something is wrong; ``remedy`` is what to do."""
        if (what, remedy) not in self.problems:
            self.problems.append((what, remedy))

    def note(self, what: str) -> None:
        """Worth knowing, nothing to mend."""
        if what not in self.notes:
            self.notes.append(what)

    def as_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        return {
            "healthy": not self.problems,
            "problems": [{"problem": what, "remedy": remedy} for what, remedy in self.problems],
            "notes": self.notes,
            **self.facts,
        }
