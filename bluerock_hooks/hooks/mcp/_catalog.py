"""What a server is and has: the events that a server object was made, and that an element was registered with it."""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ... import _guard
from ...events import McpServerInit, ServerInfo
from .._attribution import current, leave
from ._definitions import converted, keyed, name_of, official

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...events import ElementType
    from .. import Recording
    from ._definitions import Described
    from ._inventory import Inventory

    Describe = Callable[[Any], Described]
    Tables = dict[str, tuple[tuple[str, Describe], ...]]  # attribute of a holder -> its tables, and what is in them

_FRAMEWORK = "fastmcp"

_OFFICIAL: Tables = {
    "_tool_manager": (("_tools", official("tool")),),
    "_resource_manager": (("_resources", official("resource")), ("_templates", official("template"))),
    "_prompt_manager": (("_prompts", official("prompt")),),
}
_FASTMCP: Tables = {
    "_tool_manager": (("_tools", keyed),),
    "_resource_manager": (("_resources", keyed), ("_templates", keyed)),
    "_prompt_manager": (("_prompts", keyed),),
    "_local_provider": (("_components", converted),),
}

# A server's constructor is running: what it registers is recorded when it has returned.
_MAKING: ContextVar[bool] = ContextVar("bluerock_making", default=False)


class Catalog:
    """Replacements for what makes servers and registers elements.

    Every server class keeps its elements with holders of its own (a tool manager, a local provider), which are what is
    watched. A holder does not know its server: that is learned when the server's constructor has returned. What the
    constructor was given is read off the holders then, because not all of it passes a method.
    """

    def __init__(self, recording: Recording, inventory: Inventory, generation: Callable[[], str]) -> None:
        self._recording = recording
        self._inventory = inventory
        self._generation = generation
        self._holders: weakref.WeakKeyDictionary[Any, _Holder] = weakref.WeakKeyDictionary()

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
                    framework=_framework(type(self_)),
                )
                self._recording.record(McpServerInit(server=info), current())
            except Exception as exc:
                _guard.swallow("mcp.server_init", exc)

        return init

    def official_init(self, original: Any) -> Callable[..., None]:
        """The constructor of a server class of the SDKs above the low-level server."""
        return self._constructed(original, _OFFICIAL)

    def fastmcp_init(self, original: Any) -> Callable[..., None]:
        """The constructor of fastmcp's server class."""
        return self._constructed(original, _FASTMCP)

    def adds(self, kind: ElementType) -> Callable[[Any], Callable[..., Any]]:
        """For a method of a holder of the SDKs that registers an element."""
        return lambda original: self._added(original, official(kind))

    def adds_keyed(self, original: Any) -> Callable[..., Any]:
        """A method of a holder of fastmcp 2."""
        return self._added(original, keyed)

    def adds_converted(self, original: Any) -> Callable[..., Any]:
        """A method of a holder of fastmcp 3 and later."""
        return self._added(original, converted)

    def _constructed(self, original: Any, tables: Tables) -> Callable[..., None]:
        """In place of the constructor of a server class that keeps its elements in ``tables``."""

        def init(self_: Any, *args: Any, **kwargs: Any) -> None:
            token = _MAKING.set(True)
            try:
                original(self_, *args, **kwargs)
            finally:
                leave(token)
            try:
                for holder, component, describe in self._contents(self_, tables):
                    self._add(holder, component, describe)
            except Exception as exc:
                _guard.swallow("mcp.constructed", exc)

        return init

    def _added(self, original: Any, describe: Describe) -> Callable[..., Any]:
        """In place of a holder's method that registers an element and returns what is registered now."""

        def add(self_: Any, *args: Any, **kwargs: Any) -> Any:
            component = original(self_, *args, **kwargs)
            try:
                if not _MAKING.get():
                    self._add(self_, component, describe)
            except Exception as exc:
                _guard.swallow("mcp.added", exc)
            return component

        return add

    def _contents(self, server: Any, tables: Tables) -> Iterator[tuple[Any, Any, Describe]]:
        for attribute, names in tables.items():
            holder = getattr(server, attribute, None)
            if holder is not None:
                self._holder(holder).server = weakref.ref(server)
                for name, describe in names:
                    for component in list(getattr(holder, name, {}).values()):
                        yield holder, component, describe

    def _add(self, holder: Any, component: Any, describe: Describe) -> None:
        known = self._holder(holder)
        described = describe(component)
        if described is None:
            return
        kind, definition = described
        # A holder that ignores duplicates returns what it has: the very object that was recorded.
        key = kind, getattr(component, "key", None) or name_of(kind, definition)
        if known.components.get(key) is not component:
            name = _text(getattr(known.server(), "name", None))
            self._inventory.registered(name and self._recording.clean(name), kind, definition)
            known.components[key] = component

    def _holder(self, holder: Any) -> _Holder:
        known = self._holders.get(holder)
        if known is None:
            known = self._holders[holder] = _Holder()
        return known


class _Holder:
    """What is known of one holder: its server, and which object is registered under which name."""

    __slots__ = ("components", "server")

    def __init__(self) -> None:
        self.server: Callable[[], Any] = lambda: None
        self.components: weakref.WeakValueDictionary[tuple[ElementType, Any], Any] = weakref.WeakValueDictionary()


def _framework(server: type) -> str | None:
    if not any(base.__module__.partition(".")[0] == _FRAMEWORK for base in server.__mro__):
        return None
    version = _text(getattr(sys.modules.get(_FRAMEWORK), "__version__", None))
    return f"{_FRAMEWORK} {version}" if version else _FRAMEWORK


def _text(value: object) -> str | None:
    return value if type(value) is str and value else None  # 2.x says "" for a version that nobody gave
