"""Sockets that are connected, bound or sent from, and host names that are looked up."""

from __future__ import annotations

import sys

from .. import _caller
from .._text import text
from ._family import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._family import Handler

_FAMILIES = {1: "unix", 2: "inet", 10: "inet6"}
_TYPES = {1: "stream", 2: "dgram", 3: "raw"}
_INTERNET = {1: "tcp", 2: "udp", 3: "raw"}
_EVENTS = {
    "socket.connect": "python_socket_connect",
    "socket.bind": "python_socket_bind",
    "socket.sendto": "python_socket_send",
    "socket.sendmsg": "python_socket_send",
}


class Sockets(Family):
    """Of a socket only the members that its C type holds are read: no property of a subclass runs."""

    __slots__ = ()

    def handlers(self) -> dict[str, Handler]:
        """Audit event -> handler."""
        lookups = ("socket.getaddrinfo", "socket.gethostbyname")
        return {**dict.fromkeys(_EVENTS, self._addressed), **dict.fromkeys(lookups, self._looked_up)}

    def _addressed(self, event: str, args: tuple[Any, ...]) -> None:
        wanted, span = self._wanted()
        sock, address = args
        if not wanted or address is None or _caller.raiser() is None:
            return
        family, protocol = _kind(sock)
        place = _place(address)
        key = (event, family, protocol, *place.values())
        new = self._repeats.first(span, _EVENTS[event], key, (event,))
        if new is None:
            return
        level, entry = new
        if level:
            place = {"host": "*"}
        for name in ("host", "path"):
            if name in place:
                place[name] = self._recording.word(str(place[name]))
        self._repeats.tell(span, entry, {**place, "family": family, "protocol": protocol})

    def _looked_up(self, event: str, args: tuple[Any, ...]) -> None:
        wanted, span = self._wanted()
        host = args[0]
        if not wanted or host is None or _caller.raiser() is None:
            return
        host, port = text(host), args[1] if event == "socket.getaddrinfo" else None
        if ":" in host or host.replace(".", "").isdigit():
            return  # an address, not a name
        port = text(port) if type(port) in (str, bytes) else port if type(port) is int else None
        new = self._repeats.first(span, "python_socket_resolve", ("resolve", host, port), ("resolve",))
        if new is not None:
            level, entry = new
            fields: dict[str, object] = {"host": "*"} if level else {"host": self._recording.word(host), "port": port}
            self._repeats.tell(span, entry, fields)


def _kind(sock: Any) -> tuple[str | None, str | None]:
    """Family and protocol by name."""
    base = getattr(sys.modules.get("_socket"), "socket", None)
    if base is None or not isinstance(sock, base):
        return None, None
    members = vars(base)
    number, kind = members["family"].__get__(sock), members["type"].__get__(sock)
    family = _FAMILIES.get(number, str(number))
    return family, (_INTERNET if number in (2, 10) else _TYPES).get(kind, str(kind))


def _place(address: object) -> dict[str, object]:
    """``host`` and ``port``, or ``path``; empty for an address of another kind."""
    if type(address) is tuple and len(address) >= 2 and type(address[0]) is str and type(address[1]) is int:
        return {"host": text(address[0]), "port": address[1]}
    if type(address) is str or type(address) is bytes:
        path = text(address)
        return {"path": "@" + path[1:] if path[:1] == "\0" else path}
    return {}
