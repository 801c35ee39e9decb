"""The sensor on itself: its life in a process, its patches, its losses and failures."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from ._base import Argv, Event, Known


class HookOutcome(msgspec.Struct, omit_defaults=True):
    """What became of one patch row."""

    target: Known
    """``module:attribute``."""
    outcome: Literal["applied", "absent", "failed", "unused"]
    feature: Known | None = None
    """What is not seen without it."""
    required: bool = False
    """Without it the sensor misses events that it promises."""
    detail: str | None = None


class Ancestor(msgspec.Struct, omit_defaults=True):
    """A parent process, named by pid and start tick."""

    pid: int
    start: int
    thread: int | None = None
    """Where it has several: kernel id of the thread that started the process before it in the list."""


class StartupFile(msgspec.Struct, omit_defaults=True):
    """A file with code that ran in this interpreter before its program."""

    file: Known
    """A ``.pth`` or ``.start`` file, or the module ``sitecustomize`` or ``usercustomize``."""
    sha256: Known
    lines: list[str] | None = None
    """The lines that were executed, the first 16, each cut to 300 characters."""
    pkg: Known | None = None
    """Distribution whose RECORD names the file; left out for one that nobody admits to."""
    version: Known | None = None


class SensorStartup(Event, kw_only=True):
    """The sensor started in a process: once a process, forked children included, before any other event."""

    NAME: ClassVar[str] = "sensor_startup"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    version: Known
    """Of bluerock-hooks."""
    argv: Argv | None = None
    """The interpreter's original arguments, redacted."""
    executable: Known | None = None
    python: Known | None = None
    platform: Known | None = None
    cwd: Known | None = None
    ppid: int | None = None
    start: int | None = None
    """Start tick of this process since boot."""
    ancestors: list[Ancestor] | None = None
    """Nearest first."""
    forked: bool | None = None
    """True where the process came by fork from one that had a sensor."""
    activation: Known | None = None
    """What started the sensor: ``pth``, ``start`` (a PEP 829 file) or ``call``."""
    spool: Known | None = None
    ring: Known | None = None
    """``mmap``, or ``write`` where each event is written on its own."""
    settings: dict[str, Any] | None = None
    """Settings that differ from their defaults."""
    problems: list[str] | None = None
    """Configuration problems, one sentence each."""
    startup: list[StartupFile] | None = None
    """What runs in this interpreter before its program, in that order."""


class SensorHooks(Event, kw_only=True):
    """The patches of one module were tried: which applied, which found nothing to patch."""

    NAME: ClassVar[str] = "sensor_hooks"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    module: Known
    sdk: Known | None = None
    """Generation of the MCP SDK: ``1`` or ``2``."""
    hooks: list[HookOutcome] = []


class SensorShutdown(Event, kw_only=True):
    """The interpreter ended cleanly. A process without this event was killed, or is alive."""

    NAME: ClassVar[str] = "sensor_shutdown"
    TYPE: ClassVar[str] = "sensor_lifecycle"

    events: int
    """Events recorded, this one included."""
    emitted: int | None = None
    """Events that were to be recorded: ``events`` and ``dropped``."""
    written: int | None = None
    """Of ``events``, those that were in a segment when this one was made; the others were in the ring."""
    dropped: int
    lost: dict[Known, int] | None = None
    """The dropped ones by reason, and under ``retention`` events of any process that this one deleted as too old."""
    bytes: int
    errors: int
    """Exceptions of ours that the guard swallowed."""
    unread: int | None = None
    """Files that were not read at the end, because ``BLUEROCK_EXIT_HASH_BYTES`` were: their events say so."""
    duration_ms: float


class Owner(msgspec.Struct, omit_defaults=True):
    """A process, named by pid and start tick."""

    pid: int
    """Of the process."""
    start: int
    """Its start tick since boot, as in its ``sensor_startup``."""


class EventsDropped(Event, kw_only=True):
    """Events were lost since the last such record; ``source_event_id`` gaps show which."""

    NAME: ClassVar[str] = "python_events_dropped"

    dropped: int
    bytes: int
    reason: Known | None = None
    """``ring_full``, ``oversize``, ``spool``, ``error``, ``damage``, ``recovery`` or ``retention``."""
    total: int | None = None
    """How many this process lost for this reason since it began."""
    of: Owner | None = None
    """The killed process that had lost them, where its ring was recovered by this one."""


class InternalException(Event, kw_only=True):
    """Code of ours failed; the host did not notice."""

    NAME: ClassVar[str] = "python_internal_exception"

    place: Known
    message: str
    count: int
