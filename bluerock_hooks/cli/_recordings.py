"""Examines the spool for ``doctor``: the directory, what is in it, and what recent processes said of themselves."""

from __future__ import annotations

import os
import stat
from collections import Counter

from .. import _clock
from ..reader import Snapshot, member
from ..ring import owner_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..config import Settings
    from ..reader import StoredEvent
    from ..ring import RingContents
    from ..spool import Spool
    from ._findings import Findings

    Live = dict[int, RingContents]  # rings of running processes

RECENT = 10  # processes that are looked at one by one, beside those that run
_LEAST_FREE = 64 << 20  # bytes; a few rings and a segment
_OWN_DIRECTORY = "set BLUEROCK_SPOOL_DIR to a directory of your own"

# Events that tell of the sensor itself; the others, most of a spool, are not even decoded.
_OWN = (
    b'"sensor_startup"',
    b'"sensor_hooks"',
    b'"sensor_shutdown"',
    b'"python_events_dropped"',
    b'"python_internal_exception"',
)


def examine(findings: Findings, settings: Settings, spool: Spool | None) -> None:
    """The spool and the recent processes; reads only."""
    if spool is None:
        findings.facts["spool"] = {"path": ""}
        return  # the configuration's problem says why
    facts: dict[str, Any] = {"path": spool.path, "exists": os.path.isdir(spool.path)}
    findings.facts["spool"] = facts
    findings.facts["processes"] = []
    if not os.path.lexists(spool.path):
        _absent(findings, spool.path)
        return
    usable = _directory(findings, facts, spool.path)
    if os.path.lexists(spool.rings_path):
        usable = _accepted(findings, spool.rings_path) and usable
    if not usable:
        return
    snapshot = Snapshot(spool)
    live = _contents(findings, facts, snapshot, settings)
    findings.facts["processes"] = [row.as_json(findings, live) for row in _processes(snapshot, live)]
    facts["unreadable"] = snapshot.problems.sentences()
    for sentence in facts["unreadable"]:
        findings.note(sentence)


def _absent(findings: Findings, path: str) -> None:
    findings.note(f"{path} does not exist yet: the first program that runs with the sensor makes it")
    parent = path
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.access(parent, os.W_OK | os.X_OK):
        findings.problem(
            f"{path} cannot be made: {parent} is not writable", "set BLUEROCK_SPOOL_DIR to a directory that is"
        )


def _directory(findings: Findings, facts: dict[str, Any], path: str) -> bool:
    """Is the spool what the sensor accepts? Space is looked at too."""
    try:
        found = os.lstat(path)
        space = os.statvfs(path)
    except OSError as exc:
        findings.problem(f"{path}: {exc.strerror}", _OWN_DIRECTORY)
        return False
    free = space.f_bavail * space.f_frsize
    facts.update(owner=found.st_uid, mode=f"{stat.S_IMODE(found.st_mode):04o}", free_bytes=free)
    if free < _LEAST_FREE:
        findings.problem(
            f"{path} has {size_text(free)} free, too little for rings and segments", "make space, or move the spool"
        )
    return _accepted(findings, path)


def _accepted(findings: Findings, path: str) -> bool:
    """Is it a directory, no link, ours, closed to others?"""
    found = os.lstat(path)
    mode = stat.S_IMODE(found.st_mode)
    known = len(findings.problems)
    if not stat.S_ISDIR(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a directory"
        findings.problem(f"{path} is {what}, which the sensor refuses", _OWN_DIRECTORY)
    elif found.st_uid != os.geteuid():
        findings.problem(
            f"{path} belongs to user {found.st_uid}, this is user {os.geteuid()}; the sensor refuses it", _OWN_DIRECTORY
        )
    elif mode & 0o022:
        findings.problem(f"{path} is writable by others (mode {mode:04o}); the sensor refuses it", f"chmod 700 {path}")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        findings.problem(f"{path} is not readable and writable (mode {mode:04o})", f"chmod 700 {path}")
    return len(findings.problems) == known


def _contents(findings: Findings, facts: dict[str, Any], snapshot: Snapshot, settings: Settings) -> Live:
    """Segments and rings, in sum."""
    live: Live = {}
    segments = [segment for group in snapshot.segments.values() for segment in group]
    rings = []
    for ring in snapshot.rings.values():
        state = owner_state(ring)
        rings.append({"pid": ring.pid, "owner": state, "events": len(ring.records), "lost": ring.lost})
        if state == "alive":
            live[ring.pid] = ring
    total = sum(segment.size for segment in segments)
    facts.update(segments=len(segments), segment_bytes=total, retention_bytes=settings.spool_bytes, rings=rings)
    waiting = [row for row in rings if row["owner"] == "dead"]
    if waiting:
        findings.note(
            f"{len(waiting)} rings of ended processes wait; `bluerock-hooks recover` moves them into segments"
        )
    return live


class _ProcessRow:
    """What one process's sensor said of itself."""

    def __init__(self, first: StoredEvent) -> None:
        self.pid = first.pid
        self.since = first.ts
        self.startup: dict[str, Any] = {}
        self.shutdown: dict[str, Any] | None = None
        self.hooks: list[dict[str, Any]] = []
        self.lost: Counter[str] = Counter()
        self.failures: list[str] = []
        self.told_errors = 0

    def take(self, stored: StoredEvent) -> None:
        """Add one of its events."""
        event = stored.event
        if stored.name == "sensor_startup":
            self.startup = event
        elif stored.name == "sensor_shutdown":
            self.shutdown = event
        elif stored.name == "sensor_hooks":
            self.hooks.append(event)
        elif stored.name == "python_events_dropped" and isinstance(event.get("dropped"), int):
            self.lost[str(event.get("reason") or "unknown")] += event["dropped"]
        elif stored.name == "python_internal_exception":
            self.failures.append(f"{event.get('place')}: {event.get('message')} ({event.get('count')} times)")
            self.told_errors += event["count"] if isinstance(event.get("count"), int) else 1

    @property
    def state(self) -> str:
        """``running``, ``ended``, or ``killed`` where it ended without saying so."""
        start = self.startup.get("start")
        if self.shutdown is not None:
            return "ended"
        return "running" if start and _clock.process_ticks(self.pid)[1] == start else "killed"

    def accounts(self, live: Live) -> dict[str, Any]:
        """What became of its events: of a running process from its ring, of one that ended from what it said last.

        Of one that was killed only what it had told.
        """
        ring = live.get(self.pid)
        if ring is not None and self.shutdown is None and self.startup.get("start") in (None, ring.start):
            lost, waiting = ring.lost_by, len(ring.records)
            emitted = ring.written + waiting + sum(lost.values())
            known: dict[str, Any] = {"emitted": emitted, "written": ring.written, "waiting": waiting}
            known["errors"] = ring.errors
        else:
            end = self.shutdown or {}
            lost = {reason: count for reason, count in self.lost.items() if reason != "retention"}
            known = {"emitted": end.get("emitted"), "written": end.get("events"), "waiting": None}
            known["errors"] = end.get("errors") or self.told_errors
        return {**known, "dropped": sum(lost.values()), "dropped_by": dict(lost)}

    def as_json(self, findings: Findings, live: Live) -> dict[str, Any]:
        """The row; what is wrong with it becomes a problem."""
        accounts = self.accounts(live)
        outcomes = [row for event in self.hooks for row in event.get("hooks") or () if isinstance(row, dict)]
        missed = [row for row in outcomes if row.get("outcome") != "applied"]
        for row in missed:
            if row.get("outcome") == "failed" or row.get("required") is True:
                what = f"process {self.pid}: hook {row.get('target')} is {row.get('outcome')}"
                remedy = f"{row.get('feature') or 'something'} is not seen in {self._sdk() or 'this SDK'}: report it"
                findings.problem(what, remedy)
        protocol = [row for row in outcomes if str(row.get("target")).startswith(("mcp.", "fastmcp."))]
        if protocol and not any(row.get("required") is True and row not in missed for row in protocol):
            what = f"process {self.pid}: MCP was imported and no hook that sees its messages applied"
            findings.problem(what, f"{self._sdk() or 'this SDK'} may be too new or too old: report it with its version")
        if accounts["dropped"]:
            what = f"process {self.pid} lost {accounts['dropped']} events ({', '.join(sorted(accounts['dropped_by']))})"
            findings.problem(what, "raise BLUEROCK_RING_BYTES, or look at the disk of the spool")
        for sentence in self.failures:
            findings.problem(
                f"process {self.pid}: code of ours failed at {sentence}", "report it; the program is unaffected"
            )
        return {
            "pid": self.pid,
            "state": self.state,
            "since": self.since + "Z",
            "argv": self.startup.get("argv"),
            "python": self.startup.get("python"),
            "version": self.startup.get("version"),
            "sdk": self._sdk(),
            "hooks_applied": len(outcomes) - len(missed),
            "hooks": len(outcomes),
            "missed": [{name: row.get(name) for name in ("target", "outcome", "required", "detail")} for row in missed],
            **accounts,
        }

    def _sdk(self) -> str:
        return ", ".join(sorted({f"MCP SDK {event['sdk']}" for event in self.hooks if event.get("sdk")}))


def _processes(snapshot: Snapshot, live: Live) -> list[_ProcessRow]:
    """The latest processes and all that run, oldest first."""
    rows: dict[object, _ProcessRow] = {}
    for stored in snapshot.events(containing=_OWN):
        owner = stored.event.get("of")  # whose losses a recovery tells
        if isinstance(owner, dict):
            for each in rows.values():
                if each.startup.get("start") == owner.get("start") and each.pid == owner.get("pid"):
                    each.take(stored)
            continue
        component = member(stored.event, "meta", "component_id")
        row = rows.get(component)
        if row is None:
            row = rows[component] = _ProcessRow(stored)
        row.take(stored)
        if len(rows) > 4 * RECENT + len(live):  # of those that ended long ago only the latest matter
            kept = _recent(rows.values(), 2 * RECENT, live)
            rows = {key: each for key, each in rows.items() if each in kept}
    return _recent(rows.values(), RECENT, live)


def _recent(rows: Iterable[_ProcessRow], count: int, live: Live) -> list[_ProcessRow]:
    ordered = sorted(rows, key=lambda row: row.since)
    return [row for row in ordered[:-count] if row.pid in live] + ordered[-count:]


def size_text(size: int) -> str:
    """Bytes in the largest unit that leaves a number above 1: ``16.0 MiB``."""
    power = max(0, min(4, (size.bit_length() - 1) // 10))
    return f"{size / (1 << 10 * power):.1f} {('', 'KiB', 'MiB', 'GiB', 'TiB')[power]}" if power else f"{size} bytes"
