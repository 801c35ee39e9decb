"""MCP: the patch rows of both SDK generations, and what else an instrumented client must pass on.

There are two generations of the official SDK, told apart by the modules they have, never by version strings;
fastmcp replaces neither's protocol layer.

A program that imports the SDK, as many do for its types or through another library, has not used it yet. So this loads
no more than the table of rows; the first call of what they replace loads the rest.
"""

from __future__ import annotations

import sys

from ... import _guard, _stdlib, config
from .._rows import Rows
from ._table import rows
from ._versions import generation, missing, unreached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from .. import Recording
    from .._finder import Finder
    from .._rows import Outcome, Wrap
    from ._wrappers import Wrappers

__all__ = ["McpHooks"]


class McpHooks:
    """The MCP family of hooks in this process: ``install()`` and ``undo()``."""

    def __init__(self, recording: Recording, finder: Finder, *, propagate: bool = False) -> None:
        self._recording = recording
        self._propagate = propagate
        self._examined = False
        self._loaded: list[Wrappers] = []
        """The first is the one: two threads may have come at once."""
        self._loading: set[int] = set()
        self.patches = Rows(rows(self._later), self._report)
        self._finder = finder

    def install(self) -> None:
        """Patch what is imported already, and wait for the rest."""
        self._finder.after(self.patches.modules, self.patches.imported)
        try:
            self.patches.rebind()
        except Exception as exc:
            _guard.swallow("rebind", exc)

    def undo(self) -> None:
        """Put the SDK back as it was."""
        self._finder.forget(self.patches.imported)
        self.patches.undo()

    # -- at the first call

    def _later(self, choose: Callable[[Wrappers], Wrap]) -> Wrap:
        """A row's ``wrap`` that loads what it is chosen from."""

        def wrap(original: Any) -> Callable[..., Any]:
            return choose(self._wrappers())(original)

        return wrap

    def _wrappers(self) -> Wrappers:
        if not self._loaded:
            me = _stdlib.get_ident()
            if me in self._loading:  # a signal handler, a finaliser: in the middle of the same on this thread
                raise RuntimeError("a hooked call within the first one")
            self._loading.add(me)
            try:
                self._load()
            finally:
                self._loading.discard(me)
        return self._loaded[0]

    def _load(self) -> None:
        """No lock, which a forked child could find taken: what two threads do here is done by one or by both."""
        try:
            from ._wrappers import Wrappers

            self._recording.prepare()
        except ImportError as exc:  # 3.12+ refuses msgspec in isolated sub-interpreters: MCP is not seen there
            self.undo()
            row = {"target": exc.name or "bluerock_hooks", "outcome": "failed", "feature": "MCP", "required": True}
            self._recording.note("sensor_hooks", {"module": "mcp", "hooks": [row]})
            raise
        self._loaded.append(Wrappers(self._recording, self._nothing_seen, propagate=self._propagate))
        self.patches.renew()

    # -- what became of the rows

    def _report(self, module: ModuleType, outcomes: list[Outcome]) -> None:
        if module.__name__ == "mcp.client.stdio":
            inherit_variables(module)
        known = generation()
        if not self._examined and "mcp" in sys.modules:
            self._examined = True
            self._record("mcp", missing(self.patches.rows))
        # A row of the other generation is not missing here. In an SDK we do not know, every row counts.
        counting = [each for each in outcomes if each.state != "absent" or not known or known in each.patch.sdk]
        self._record(module.__name__, counting)

    def _nothing_seen(self) -> None:
        """A transport was used, and no connection was ever made in this process that our taps saw."""
        applied = {outcome.patch for outcome in self.patches.outcomes if outcome.state == "applied"}
        self._record("mcp", unreached(applied))

    def _record(self, module: str, outcomes: list[Outcome]) -> None:
        if outcomes:
            hooks = [outcome.fields() for outcome in outcomes]
            self._recording.note("sensor_hooks", {"module": module, "sdk": generation() or None, "hooks": hooks})


def inherit_variables(module: ModuleType) -> None:
    """Let stdio servers inherit our variables: the SDK gives its children six of the parent's and no others."""
    inherited = getattr(module, "DEFAULT_INHERITED_ENV_VARS", None)
    if isinstance(inherited, list):
        inherited.extend(name for name in config.VARIABLES if name not in inherited)
