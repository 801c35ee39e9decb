"""Examines the spool for ``doctor``: the directory, what is in it, and what recent processes said of themselves."""

from __future__ import annotations

import os
import stat

from .. import _clock
from ..reader import Snapshot, member
from ..ring import owner_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Settings
    from ..reader import StoredEvent
    from ..spool import Spool
    from ._findings import Findings

RECENT = 10  # processes that are looked at one by one
_LEAST_FREE = 64 << 20  # bytes; a few rings and a segment

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
    if not _directory(findings, facts, spool.path):
        return
    snapshot = Snapshot(spool)
    _contents(findings, facts, snapshot, settings)
    findings.facts["processes"] = [row.as_json(findings) for row in _processes(snapshot)]
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
    """Is it what the sensor accepts: a directory, no link, ours, closed to others? Space is looked at too."""
    own = "set BLUEROCK_SPOOL_DIR to a directory of your own"
    try:
        found = os.lstat(path)
        space = os.statvfs(path)
    except OSError as exc:
        findings.problem(f"{path}: {exc.strerror}", own)
        return False
    mode = stat.S_IMODE(found.st_mode)
    free = space.f_bavail * space.f_frsize
    facts.update(owner=found.st_uid, mode=f"{mode:04o}", free_bytes=free)
    known = len(findings.problems)
    if not stat.S_ISDIR(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a directory"
        findings.problem(f"{path} is {what}, which the sensor refuses", own)
    elif found.st_uid != os.geteuid():
        findings.problem(
            f"{path} belongs to user {found.st_uid}, this is user {os.geteuid()}; the sensor refuses it", own
        )
    elif mode & 0o022:
        findings.problem(f"{path} is writable by others (mode {mode:04o}); the sensor refuses it", f"chmod 700 {path}")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        findings.problem(f"{path} is not readable and writable (mode {mode:04o})", f"chmod 700 {path}")
    usable = len(findings.problems) == known
    if free < _LEAST_FREE:
        findings.problem(
            f"{path} has {size_text(free)} free, too little for rings and segments", "make space, or move the spool"
        )
    return usable


def _contents(findings: Findings, facts: dict[str, Any], snapshot: Snapshot, settings: Settings) -> None:
    segments = [segment for group in snapshot.segments.values() for segment in group]
    rings = []
    for ring in snapshot.rings.values():
        state = owner_state(ring)
        rings.append({"pid": ring.pid, "owner": state, "events": len(ring.records), "lost": ring.lost})
        if ring.lost and state == "alive":
            remedy = "raise BLUEROCK_RING_BYTES, or look at the disk of the spool"
            findings.problem(f"process {ring.pid} has lost {ring.lost} events so far", remedy)
    total = sum(segment.size for segment in segments)
    facts.update(segments=len(segments), segment_bytes=total, retention_bytes=settings.spool_bytes, rings=rings)
    waiting = [row for row in rings if row["owner"] == "dead"]
    if waiting:
        findings.note(
            f"{len(waiting)} rings of ended processes wait; `bluerock-hooks recover` moves them into segments"
        )


class _ProcessRow:
    """What one process's sensor said of itself."""

    def __init__(self, first: StoredEvent) -> None:
        self.pid = first.pid
        self.since = first.ts
        self.startup: dict[str, Any] = {}
        self.shutdown: dict[str, Any] | None = None
        self.hooks: list[dict[str, Any]] = []
        self.dropped = 0
        self.reasons: set[str] = set()
        self.failures: list[str] = []

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
            if event.get("reason") != "retention":  # what was kept long enough is not lost
                self.dropped += event["dropped"]
                self.reasons.add(str(event.get("reason") or "unknown"))
        elif stored.name == "python_internal_exception":
            self.failures.append(f"{event.get('place')}: {event.get('message')} ({event.get('count')} times)")

    @property
    def state(self) -> str:
        """``running``, ``ended``, or ``killed`` where it ended without saying so."""
        start = self.startup.get("start")
        if self.shutdown is not None:
            return "ended"
        return "running" if start and _clock.process_ticks(self.pid)[1] == start else "killed"

    def as_json(self, findings: Findings) -> dict[str, Any]:
        """The row; what is wrong with it becomes a problem."""
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
        if self.dropped:
            what = f"process {self.pid} lost {self.dropped} events ({', '.join(sorted(self.reasons))})"
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
            "dropped": self.dropped,
            "errors": (self.shutdown or {}).get("errors") or len(self.failures),
        }

    def _sdk(self) -> str:
        return ", ".join(sorted({f"MCP SDK {event['sdk']}" for event in self.hooks if event.get("sdk")}))


def _processes(snapshot: Snapshot) -> list[_ProcessRow]:
    """The latest processes, oldest first."""
    rows: dict[object, _ProcessRow] = {}
    for stored in snapshot.events(containing=_OWN):
        component = member(stored.event, "meta", "component_id")
        row = rows.get(component)
        if row is None:
            row = rows[component] = _ProcessRow(stored)
        row.take(stored)
        if len(rows) > 4 * RECENT:  # of those that ended long ago only the latest matter
            for old in sorted(rows, key=lambda key: rows[key].since)[: -2 * RECENT]:
                del rows[old]
    return sorted(rows.values(), key=lambda row: row.since)[-RECENT:]


def size_text(size: int) -> str:
    """Bytes in the largest unit that leaves a number above 1: ``16.0 MiB``."""
    power = max(0, min(4, (size.bit_length() - 1) // 10))
    return f"{size / (1 << 10 * power):.1f} {('', 'KiB', 'MiB', 'GiB', 'TiB')[power]}" if power else f"{size} bytes"
