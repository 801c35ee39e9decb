"""What the program does beside MCP: the hooks of processes and low-level activity put together, in any process.

They need no wrapt and no msgspec. What did not apply is recorded; that all applied, as it does everywhere, is not.
"""

from __future__ import annotations

from . import _after_import
from ._rows import Rows
from .process import Processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from ..config import Settings
    from . import Recording
    from ._audit import Audit
    from ._rows import Outcome


class HostHooks:
    """``install()`` when the sensor starts, ``quiet()`` when the interpreter ends, ``undo()`` to put all back."""

    def __init__(self, recording: Recording, settings: Settings, audit: Audit) -> None:
        self._recording = recording
        self._audit = audit
        self._processes = Processes(recording) if settings.process else None
        self.patches = Rows(self._processes.rows() if self._processes is not None else (), self._report)
        self._after = _after_import.AfterImport(self.patches.modules, self.patches.imported)

    def install(self) -> None:
        """Patch what is loaded, wait for the rest, and listen."""
        if self._processes is not None:
            self._processes.listen(self._audit)
            self._after.install()

    def quiet(self) -> None:
        """Record nothing any more."""
        if self._processes is not None:
            self._processes.quiet()

    def undo(self) -> None:
        """Put back what was replaced."""
        self._after.remove()
        self.patches.undo()

    def _report(self, module: ModuleType, outcomes: list[Outcome]) -> None:
        missed = [
            {
                "target": outcome.patch.target,
                "outcome": outcome.state,
                "feature": outcome.patch.sees,
                "required": outcome.patch.required,
                "detail": outcome.detail,
            }
            for outcome in outcomes
            if outcome.state != "applied"
        ]
        if missed:
            self._recording.note("sensor_hooks", {"module": module.__name__, "hooks": missed})
