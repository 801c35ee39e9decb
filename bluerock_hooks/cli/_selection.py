"""Which spool, and which of its events: the options that reading commands share."""

from __future__ import annotations

import argparse
import os
import re
import time
from fnmatch import fnmatchcase

from .. import _clock, config
from ..errors import SpoolError
from ..reader import member
from ._say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..reader import Problems, StoredEvent
    from ..spool import Spool
    from ._calls import Call

FORMS = ("text", "json", "ocsf")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def add_spool(parser: argparse.ArgumentParser) -> None:
    """``--spool``, of every command that reads."""
    parser.add_argument("--spool", metavar="DIR", help="read this spool instead of the configured one")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The filters of commands about events; given together, all must match."""
    add_spool(parser)
    group = parser.add_argument_group("filters (all given must match; of one given twice, either)")
    group.add_argument(
        "--event",
        action="append",
        metavar="NAME",
        help="name of an event, or of a message event such as server_received_request; may be a glob",
    )
    _add_common(group)


def add_forms(parser: argparse.ArgumentParser) -> None:
    """The forms of ``show`` and ``tail``."""
    form = parser.add_argument_group("form")
    form.add_argument("--format", choices=FORMS, default="text", help="text, json or ocsf (docs/ocsf.md)")
    form.add_argument(
        "--json", dest="format", action="store_const", const="json", help="the stored lines themselves (NDJSON)"
    )
    form.add_argument("--date", action="store_true", help="show the date beside the time (both are UTC)")


def add_call_filters(parser: argparse.ArgumentParser) -> None:
    """The filters of commands about requests; given together, all must match."""
    add_spool(parser)
    group = parser.add_argument_group("filters of requests (all given must match; of one given twice, either)")
    group.add_argument("--server", action="append", metavar="NAME", help="to this server; may be a glob")
    _add_common(group)


def _add_common(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pid", action="append", type=int, metavar="N", help="recorded by this process")
    group.add_argument("--tool", action="append", metavar="NAME", help="of a call of this tool; may be a glob")
    group.add_argument("--method", action="append", metavar="NAME", help="such as tools/call; may be a glob")
    group.add_argument("--session", action="append", metavar="ID", help="session id or connection id")
    group.add_argument(
        "--since",
        type=since,
        metavar="WHEN",
        help="not older than 90s, 10m, 2h, 1d, or a time such as 2026-11-22T10:00",
    )


def since(text: str) -> int:
    """Nanoseconds since the epoch of ``10m`` before now, or of an ISO 8601 time, UTC unless it says otherwise."""
    from datetime import datetime, timezone

    word = text.strip()
    try:
        if word[-1:] in _UNITS and word[:-1]:
            return int(time.time_ns() - float(word[:-1]) * _UNITS[word[-1]] * 1e9)
        word = re.sub(r"[zZ]$", "+00:00", word)
        # 3.10 reads fractions of 3 or 6 digits only.
        moment = datetime.fromisoformat(re.sub(r"\.(\d+)", lambda found: f".{found[1]:0<6.6}", word))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 90s, 10m, 2h, 1d or 2026-11-22T10:00:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1_000_000) * 1000


def open_spool(directory: str | None) -> Spool:
    """The spool to read, as the options and settings say; it need not exist."""
    from ..spool import Spool

    settings = config.load(os.environ)
    path = os.path.abspath(directory) if directory else settings.spool_dir
    if not path:
        raise SpoolError(
            "there is no home directory to look for a spool in", "give --spool DIR or set BLUEROCK_SPOOL_DIR"
        )
    return Spool(path, settings.segment_bytes, settings.spool_bytes)


def existing_spool(directory: str | None) -> Spool:
    """The spool to read; SpoolError where nobody has recorded yet."""
    spool = open_spool(directory)
    if not os.path.isdir(spool.path):
        raise SpoolError(f"nothing is recorded yet: there is no {spool.path}", "`bluerock-hooks run SCRIPT` records")
    return spool


class CallSelection:
    """The filters of a command about requests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._pids: list[int] | None = options.pid
        self._tools: list[str] | None = options.tool
        self._methods: list[str] | None = options.method
        self._sessions: list[str] | None = options.session
        self._servers: list[str] | None = options.server
        self.since_ns: int = options.since or 0
        self.since = _since_text(self.since_ns)
        given = (self._pids, self._tools, self._methods, self._sessions, self._servers, options.since)
        self.filters: bool = any(each is not None for each in given)

    def matches(self, call: Call) -> bool:
        """Does every filter let it pass?"""
        sides = list(call.sides())
        return (
            (self._pids is None or any(side.pid in self._pids for side in sides))
            and _any(self._tools, (call.tool,))
            and _any(self._methods, (call.method,))
            and _any(self._servers, (call.server,))
            and _any(self._sessions, (call.session, *(side.connection for side in sides)))
        )


class Selection:
    """The filters of one command line. ``plain``: for people, who did not ask for each of a thousand imports."""

    def __init__(self, options: argparse.Namespace, *, plain: bool = False) -> None:
        self._plain = plain
        self._events: list[str] | None = options.event
        self._pids: list[int] | None = options.pid
        self._tools: list[str] | None = options.tool
        self._methods: list[str] | None = options.method
        self._sessions: list[str] | None = options.session
        self.since_ns: int = options.since or 0
        self._since = _since_text(self.since_ns)

    def matches(self, stored: StoredEvent) -> bool:
        """Does every filter let it pass?"""
        if self._plain and self._events is None and _routine(stored):
            return False
        event = stored.event
        request = member(event, "context", "mcp")
        return (
            stored.ts >= self._since
            and (self._pids is None or stored.pid in self._pids)
            and _any(self._events, (stored.name, stored.name.removeprefix("python_"), event.get("event")))
            and _any(self._tools, (member(request, "tool"),))
            and _any(
                self._methods, (event.get("method"), member(event, "message", "method"), member(request, "method"))
            )
            and _any(
                self._sessions, (event.get("session_id"), event.get("connection_id"), member(request, "session_id"))
            )
        )


_REMARKABLE = ("pyc", "kept", "shadows_stdlib")


def _routine(stored: StoredEvent) -> bool:
    """An import with which all is well: `imports` sums them up."""
    if stored.name in ("python_package", "python_import_stdlib"):
        return True
    event = stored.event
    return (
        stored.name == "python_import"
        and event.get("record") != "mismatch"
        and member(event, "context", "mcp") is None
        and not any(name in event for name in _REMARKABLE)
    )


def _since_text(since_ns: int) -> str:
    """As ``StoredEvent.ts``; empty, which is before all of them, for 0."""
    return _clock.utc_text(max(since_ns, 0)).rstrip("Z") if since_ns else ""


def _any(patterns: list[str] | None, values: tuple[Any, ...]) -> bool:
    if patterns is None:
        return True
    return any(isinstance(value, str) and fnmatchcase(value, pattern) for value in values for pattern in patterns)


def report(problems: Problems) -> None:
    """What could not be read, on stderr."""
    from ._terminal import visible

    for sentence in problems.sentences():
        say(visible(sentence))
