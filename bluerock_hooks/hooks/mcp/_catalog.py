"""What a server is: the event that a server object was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import McpServerInit, ServerInfo
from .._attribution import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import Recording


class Catalog:
    """Replacements for what makes servers."""

    def __init__(self, recording: Recording, generation: Callable[[], str]) -> None:
        self._recording = recording
        self._generation = generation

    def server_init(self, original: Any) -> Callable[..., None]:
        """``Server.__init__`` of the low-level server, under every other server class of both SDKs and fastmcp."""

        def init(self_: Any, *args: Any, **kwargs: Any) -> None:
            original(self_, *args, **kwargs)
            try:
                info = ServerInfo(
                    name=_text(getattr(self_, "name", None)),
                    title=_text(getattr(self_, "title", None)),
                    version=_text(getattr(self_, "version", None)),
                    instructions=_text(getattr(self_, "instructions", None)),
                    sdk=self._generation() or None,
                )
                self._recording.record(McpServerInit(server=info), current())
            except Exception as exc:
                _guard.swallow("mcp.server_init", exc)

        return init


def _text(value: object) -> str | None:
    return value if type(value) is str else None
