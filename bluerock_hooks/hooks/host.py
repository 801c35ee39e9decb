"""What the program does beside MCP: the hooks of processes and low-level activity put together, in any process.

They need no wrapt and no msgspec. What did not apply is recorded; that all applied, as it does everywhere, is not.
"""

from __future__ import annotations

from ._rows import Rows
from .process import Processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ..config import Settings
    from . import Recording
    from ._audit import Audit
    from ._finder import Finder
    from ._rows import Outcome
    from .activity import Activity


class HostHooks:
    """``install()`` when the sensor starts, ``close()`` when the interpreter ends, ``undo()`` to put all back."""

    def __init__(self, recording: Recording, settings: Settings, audit: Audit, finder: Finder) -> None:
        self._recording = recording
        self._audit = audit
        self._processes = Processes(recording) if settings.process else None
        self._settings = settings
        self._activity: list[Activity] = []
        """The first is the one: two threads may have come at once."""
        self.patches = Rows(self._processes.rows() if self._processes is not None else (), self._report)
        self._finder = finder

    def install(self, serves: Callable[[], bool]) -> None:
        """Patch what is loaded, wait for the rest, and listen.

        ``serves()``: was this process started on behalf of a request? What it does is told then, until it turns out to
        speak MCP itself.
        """
        if self._processes is not None:
            self._processes.listen(self._audit)
            self._finder.after(self.patches.modules, self.patches.imported)
        self._listen("all", everywhere=True)
        if "tool" in self._scopes and serves():
            self._listen("tool", everywhere=True)

    def expect_requests(self) -> None:
        """There may be requests from now on: listen to what is recorded within them."""
        self._listen("tool", everywhere=False)

    def close(self) -> None:
        """Tell what is left to tell, and record nothing any more."""
        if self._activity:
            self._activity[0].close()
        if self._processes is not None:
            self._processes.quiet()

    def undo(self) -> None:
        """Put back what was replaced."""
        self._finder.forget(self.patches.imported)
        self.patches.undo()

    @property
    def _scopes(self) -> tuple[str, ...]:
        settings = self._settings
        return settings.network, settings.files, settings.native, settings.code

    def _listen(self, scope: str, *, everywhere: bool) -> None:
        if scope not in self._scopes:
            return
        if not self._activity:
            from .activity import Activity  # most processes never need it

            self._activity.append(Activity(self._recording, self._settings))
        self._activity[0].listen(self._audit, scope, everywhere=everywhere)

    def _report(self, module: ModuleType, outcomes: list[Outcome]) -> None:
        missed = [outcome.fields() for outcome in outcomes if outcome.state != "applied"]
        if missed:
            self._recording.note("sensor_hooks", {"module": module.__name__, "hooks": missed})
