"""Redaction: payloads on their way into an event lose their secrets and whatever is too long.

It runs before anything reaches the ring, so that a core dump of the process's mapping holds nothing that a log may not
hold. First a string is cut, then what is left is searched; a token that the cut halves goes with the cut.

Two tiers. ``settled`` answers "small, and nothing here to change" for the everyday payload in about a microsecond, and
the host's own object is encoded as it is. Everything else is walked by ``_walk``, which asks ``_scrub`` about text
and ``_patterns`` about names, builds a copy only where something changes, and never changes its input.
"""

from __future__ import annotations

import re
from itertools import islice

from .. import _guard
from ._clean import ROOM, SHORT, SMALL, admit, clean, settled
from ._patterns import KEEP, MARK, PLAIN, URL_NAMES, WEAK, name_verdict
from ._walk import Walk, foreign, is_same

__all__ = ["Redactor", "settled"]

UNREADABLE = "[unreadable]"

_MEMBERS = frozenset(("jsonrpc", "id", "method", "params", "result", "error", "code", "message", "data"))

_DELIMITER = re.compile(r"([?&;#])")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


class Redactor:
    """Redacts by policy; one for the process, used from any thread. What needs no change is returned as it is.

    ``payloads`` and ``results``: ``redacted`` (secrets out, cut), ``full`` (secrets out, cut at ``limit`` only),
    ``shape`` (names, types and sizes), ``none``. ``max_text`` characters a string, ``max_items`` members a container,
    ``max_depth`` containers below the outermost, ``limit`` characters altogether.
    """

    __slots__ = (
        "_full",
        "_limits",
        "_params",
        "_results",
        "quick_params",
        "quick_results",
    )

    def __init__(
        self,
        payloads: str = "redacted",
        results: str = "redacted",
        max_text: int = 2048,
        max_items: int = 64,
        max_depth: int = 6,
        limit: int = 65536,
    ) -> None:
        self._params = payloads
        self._results = results
        self._limits = (max_text, max_items, max_depth, limit)
        self._full = (limit, limit, 64, limit)
        roomy = max_text >= SHORT and max_items >= SMALL and max_depth >= ROOM and limit >= 65536
        self.quick_params = roomy and payloads in ("redacted", "full")
        """May ``params`` that are ``settled`` be recorded as they are?"""
        self.quick_results = roomy and results in ("redacted", "full")

    def params(self, value: object) -> object:
        """The ``params`` of a message, or any of their members, by the ``payloads`` policy."""
        return self._apply(self._params, value)

    def result(self, value: object) -> object:
        """The ``result`` of a message by the ``results`` policy."""
        return self._apply(self._results, value)

    def _apply(self, policy: str, value: object) -> object:
        try:
            if policy == "none":
                return None
            if policy == "shape":
                return Walk(self._limits).shape(value, 0)
            return Walk(self._full if policy == "full" else self._limits).value(value, 0, PLAIN)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return UNREADABLE

    def message(self, message: dict[str, object]) -> dict[str, object]:
        """A JSON-RPC message: ``params``, ``result``, ``error`` by policy; members of policy ``none`` are left out."""
        try:
            return self._message(message)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return {"unreadable": True}

    def _message(self, message: dict[str, object]) -> dict[str, object]:
        if type(message) is not dict:
            return {"unreadable": True}
        out: dict[str, object] = {}
        same = True
        for key, item in islice(message.items(), self._limits[1]):
            name, found = (key, KEEP) if type(key) is str and key in _MEMBERS else Walk(self._limits).key(key)
            new: object
            if name == "params":
                new = self.params(item)
            elif name == "result":
                new = self.result(item)
            elif name == "error":
                new = self._error(item)
            elif type(item) is int and found == KEEP and -(2**63) <= item < 2**64:
                new = item
            else:
                new = self._member(item, found)
            if new is None and item is not None:
                same = False
                continue
            same = same and new is item and name is key
            out[name] = new
        return message if same and len(out) == len(message) else out

    def _error(self, error: object) -> object:
        """``code`` and ``message`` are no results: the message stays as text whatever the policy."""
        if type(error) is not dict:
            return self._apply(self._results, error)
        out: dict[str, object] = {}
        for key, item in islice(error.items(), self._limits[1]):
            name, found = (key, PLAIN) if type(key) is str and key in _MEMBERS else Walk(self._limits).key(key)
            new = self.result(item) if name == "data" else self._member(item, found)
            if new is not None or item is None:
                out[name] = new
        same = (
            len(out) == len(error) and all(map(is_same, out, error)) and all(map(is_same, out.values(), error.values()))
        )
        return error if same else out

    def _member(self, item: object, found: int) -> object:
        """A member beside the payload, under a name with the verdict ``found``."""
        try:
            if type(item) is str and len(item) <= SHORT and found <= KEEP and item in clean:
                return item
            return Walk(self._limits).value(item, self._limits[2], found)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return UNREADABLE

    def text(self, s: str) -> str:
        """Free text: a name, a description, a problem."""
        try:
            if type(s) is not str:
                return foreign(s)
            if len(s) <= SHORT <= self._limits[0] and (s in clean or admit(s)):
                return s
            return Walk(self._limits).string(s, True)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return UNREADABLE

    def url(self, s: str) -> str:
        """A URL without its userinfo; values of secret-naming parameters of query and fragment redacted."""
        try:
            if type(s) is not str:
                return foreign(s)
            return Walk(self._limits).string(_url(s[: self._limits[0] + 1024]), True)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return UNREADABLE

    def argv(self, args: list[str] | tuple[str, ...]) -> list[str]:
        """The arguments of a program, the program first: values of secret-taking flags go, the rest is text."""
        try:
            if type(args) is not list and type(args) is not tuple:
                return [foreign(args)]
            return Walk(self._limits).arguments(args)
        except Exception as exc:
            _guard.swallow("redact", exc)
            return [UNREADABLE]


def _url(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    if not colon:
        scheme, rest = "", text
    stop = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority = rest[:stop]
    port = authority.rpartition(":")
    path = rest[stop:]
    if "@" in authority:
        authority = authority.rpartition("@")[2]
    elif port[1] and not port[2].isdigit() and "]" not in port[2]:
        # A password with a slash in it.
        end = min((at for at in map(path.find, "?#") if at >= 0), default=len(path))
        _, at_sign, after = path[:end].rpartition("@")
        if at_sign:
            authority, path = "", after + path[end:]
    parts = _DELIMITER.split(path)
    for index in range(2, len(parts), 2):
        name, equals, word = parts[index].partition("=")
        plain = _PERCENT.sub(lambda m: chr(int(m[1], 16)), name[:SHORT])
        if equals and word and names_secret(plain):
            parts[index] = f"{name}={MARK}"
    return f"{scheme}{colon}{authority}{''.join(parts)}"


def names_secret(parameter: str) -> bool:
    """Is the value of this query parameter or header a secret, by its name?"""
    return name_verdict(parameter) >= WEAK or parameter.replace("-", "").lower() in URL_NAMES
