"""The running instance in one process: puts the stages together, and is what the hooks record to."""

from __future__ import annotations

import atexit
import sys

from . import _clock, _guard, _stdlib
from ._envelope import Envelope, loss_fields
from ._notice import Notice
from ._suspects import suspicious
from ._version import __version__
from .digests import Digests
from .drain import Completion
from .errors import BluerockError
from .hooks._audit import Audit
from .hooks._finder import Finder
from .hooks._text import working_directory
from .hooks.host import HostHooks
from .hooks.imports import Imports, inventory, may_hold_secrets
from .notes import Notes
from .recorder import Recorder
from .ring import _forkpage
from .spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Settings
    from .encode import Encoder
    from .events import Event, McpMessage, Request, Span
    from .hooks import Fill, Payload, Tell
    from .hooks.imports._startup import StartupFile
    from .hooks.mcp import McpHooks
    from .redact import Redactor

_MCP = ("mcp", "fastmcp")
_word = _forkpage.word
_MAX_ARGUMENTS = 64
_MAX_ARGUMENT = 2048


class Sensor:
    """One process's sensor: ``start()`` once, ``record()`` ever after, ``close()`` at exit."""

    def __init__(self, settings: Settings, activation: str) -> None:
        self.settings = settings
        self.activation = activation
        self.reason = ""
        self.envelope = Envelope()
        self.notice = Notice(settings.log)
        self.completion = Completion()
        self._finder = Finder()
        self.hooks: McpHooks | None = None
        self.imports: Imports | None = None
        self._encoder: Encoder | None = None
        self._redactor: Redactor | None = None
        self._started = _stdlib.monotonic_ns()
        self._forked = False
        self._refused = False
        self._told: dict[tuple[str, str], int] = {}

    def start(self) -> bool:
        """Open spool and ring, say that we are here, wait for MCP; False, with ``reason``, where none can be had."""
        settings = self.settings
        if settings.problems:
            more = f" (and {len(settings.problems) - 1} more)" if len(settings.problems) > 1 else ""
            self.notice(f"{settings.problems[0]}{more}; `bluerock-hooks doctor` tells all")
        if settings.log:
            _guard.observer = self._log_error
        if not settings.spool_dir:
            self.reason = "there is no directory for events"  # the settings' problem, said above
            return False
        spool = Spool(settings.spool_dir, settings.segment_bytes, settings.spool_bytes)
        try:
            spool.prepare()
        except BluerockError as exc:
            return self._dark(str(exc))
        self.recorder = Recorder(
            spool,
            ring_bytes=settings.ring_bytes,
            mode=settings.ring,
            preamble=self._preamble,
            notice=self.notice,
            notices=self._losses,
            on_new_process=self._new_process,
            completion=self.completion,
        )
        self._notes = Notes(self.envelope, self.recorder, self.completion)
        # First registered, last run: what others do at exit is recorded, and nothing of ours outlives the interpreter.
        atexit.register(self.close)
        self.audit = Audit(self.recorder.inside)
        self.host = HostHooks(self, settings, self.audit, self._finder)
        if settings.imports != "off" or settings.native != "off":
            self._watch_imports()
        if not self.recorder.open():
            self.reason = "no ring could be made"
            return False
        self.host.install(serves=self._serves)
        self._listen()
        if settings.mcp:
            self._finder.before(_MCP, self._install_mcp)
        return True

    # -- what hooks see of us (hooks.Recording)

    @property
    def new_id(self) -> Callable[[], str]:
        """Ids for requests and connections."""
        return self.envelope.new_id

    @property
    def params(self) -> Payload:
        """Redacts and encodes the ``params`` of a message."""
        return self._encoder.params if self._encoder is not None else _none

    @property
    def result(self) -> Payload:
        """Redacts and encodes a ``result``."""
        return self._encoder.result if self._encoder is not None else _none

    def context(self, request: Request) -> bytes:
        """``request`` as a format."""
        return self._encoder.context(request) if self._encoder is not None else b""

    def form(self, event: McpMessage) -> Fill | None:
        """A function that records messages like ``event``."""
        return self._encoder.form(event) if self._encoder is not None else None

    def digest(self, text: str) -> str:
        """A keyed digest of ``text``, 32 hex digits."""
        from _blake2 import blake2b

        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._digest_key()).hexdigest()

    def connected(self) -> None:
        """Let the drain thread start. Not before: a server's master process that forks workers in C must have none."""
        self.recorder.want_thread()

    def clean(self, text: str) -> str:
        """``text`` as it may be recorded."""
        redactor = self._redactor
        return (redactor or self._redaction()).text(text)

    def word(self, text: str) -> str:
        """``text``, a name or path, as it may be recorded."""
        return text[:_MAX_ARGUMENT] if self._redactor is None and not suspicious((text,)) else self.clean(text)

    def serving(self) -> None:
        """A process is about to be started on behalf of a request."""
        self.recorder.serving()

    def record(self, event: Event, span: Span | None = None) -> None:
        """Record one event, as part of ``span``. Never raises an error of ours."""
        try:
            if not _word[0]:  # forked in C: the event is the child's
                self.recorder.check_process()
            if self._encoder is None:
                return
            line = self._encoder.line(event, span)
        except Exception as exc:
            self.recorder.failed("record", exc)
            return
        self.recorder.emit(line)

    def note(self, name: str, fields: dict[str, object], span: Span | None = None) -> None:
        """Record an event of plain values, without msgspec."""
        self._notes.note(name, fields, span)

    def kind(self, name: str) -> Tell:
        """A function that records events ``name`` in few steps."""
        return self._notes.kind(name)

    def draft(self, name: str) -> Tell:
        """The same, in fewer still: its line is made when the ring is drained."""
        return self._notes.draft(name)

    def arguments(self, words: list[str]) -> list[str]:
        """A command line, cut and redacted: the program alone where that fails."""
        kept = [word[:_MAX_ARGUMENT] for word in words[:_MAX_ARGUMENTS]]
        if not suspicious(kept[1:]):
            return words if kept == words else kept
        try:
            return self._redaction().argv(kept)
        except Exception as exc:
            _guard.swallow("argv", exc)
            return kept[:1]

    def close(self) -> None:
        """The interpreter ends: say so, write out what is left. What comes later goes to a ring of its own."""
        try:
            self.host.close()
            self.audit.quiet()
            if self.imports is not None:
                self.imports.ending(self.settings.exit_hash_bytes)
            self.recorder.close(self._farewell)
        except Exception as exc:
            _guard.swallow("close", exc)

    def _farewell(self) -> None:
        counts = self.recorder.counts()
        fields: dict[str, object] = {
            "events": counts.events + 1,
            "emitted": counts.events + 1 + counts.dropped,
            "written": counts.written,
            "dropped": counts.dropped,
            "lost": counts.lost or None,
            "bytes": counts.bytes,
            "errors": _guard.caught,
            "unread": (self.imports.unread or None) if self.imports is not None else None,
            "duration_ms": (_stdlib.monotonic_ns() - self._started) // 1000 / 1000,
        }
        if counts.events or not self._forked:
            self.recorder.emit(self.envelope.line("sensor_shutdown", "sensor_lifecycle", fields))

    def _serves(self) -> bool:
        ticks = {pid: tick for pid, tick, _ in _clock.ancestors(self.envelope.pid)}
        return self.recorder.spool.descends_from_serving(ticks)

    # -- the audit hook

    def _listen(self) -> None:
        """Have the audit events that some family asked for; again when another one has come."""
        if self.audit.wanted and not self.audit.install() and not self._refused:
            self._refused = True
            row = {
                "target": "sys:addaudithook",
                "outcome": "failed",
                "feature": "what the program does to processes, files, sockets and code",
                "required": True,
                "detail": "an audit hook of the program refuses others",
            }
            self.note("sensor_hooks", {"module": "sys", "hooks": [row]})

    def _watch_imports(self) -> None:
        try:
            spool = self.recorder.spool
            digests, bytecode = Digests(spool), Digests(spool, "bytecode.sha256")
            self.imports = Imports(self, digests, bytecode, everything=self.settings.imports == "all")
            if self.settings.imports == "off":
                self.imports.complete_libraries(self.completion)
            else:
                self.imports.install(self.audit, self.completion)
        except Exception as exc:
            _guard.swallow("imports", exc)

    # -- MCP

    def _install_mcp(self) -> None:
        """At the first import of the SDK. What records messages is loaded when something of it is used: ``prepare``."""
        from .hooks.mcp import McpHooks

        self.hooks = McpHooks(self, self._finder, propagate=self.settings.propagate)
        self.hooks.install()

    def prepare(self) -> None:
        """Load what ``record`` needs, and listen to what requests may cause. ImportError where that cannot be had."""
        if self._encoder is not None:
            return
        from .encode import Encoder

        encoder = Encoder(
            self.envelope,
            self._redaction(),
            min(self.settings.max_event_bytes, self.settings.ring_bytes >> 2),  # a ring takes no longer line
            self._digest_key,
            self.recorder.emit,
        )
        self.host.expect_requests()
        self._listen()
        self._encoder = encoder

    def _redaction(self) -> Redactor:
        if self._redactor is None:
            from .redact import Redactor

            self._redactor = Redactor(payloads=self.settings.payloads, results=self.settings.results)
        return self._redactor

    def _digest_key(self) -> bytes:
        return self.recorder.spool.digest_key()

    # -- lines that need no msgspec

    def _preamble(self) -> list[bytes]:
        pid = self.envelope.pid
        ppid, started = _clock.process_ticks(pid)
        settings = self.settings
        fields: dict[str, object] = {
            "version": __version__,
            "argv": self.arguments(sys.orig_argv),
            "executable": sys.executable or None,
            "python": ".".join(map(str, sys.version_info[:3])),
            "platform": sys.platform,
            "cwd": working_directory(),
            "ppid": ppid or _stdlib.getppid(),
            "start": started or None,
            "ancestors": [
                {"pid": parent, "start": tick, "thread": thread or None}
                for parent, tick, thread in _clock.ancestors(pid)
            ],
            "forked": self._forked or None,
            "activation": self.activation,
            "spool": settings.spool_dir,
            "ring": self.recorder.mode,
            "settings": settings.changed() or None,
            "problems": settings.problems or None,
            "startup": self._startup_files(),
        }
        line = self.envelope.line("sensor_startup", "sensor_lifecycle", fields)
        return [self.completion.marked("sensor_startup", line)]

    def _startup_files(self) -> list[StartupFile] | None:
        if self._forked or self.settings.imports == "off":
            return None  # nothing ran at the start of this process; its parent has told of its own
        found = inventory()
        for each in found:
            each["lines"] = [self.clean(line) if may_hold_secrets(line) else line for line in each["lines"]]
        return found or None

    def _losses(
        self, reason: str, events: int, size: int, *, total: int = 0, owner: tuple[int, int] | None = None
    ) -> list[bytes]:
        """Lines that tell of losses or, where there are none, of new failures of ours; the drain appends them."""
        if events:
            fields = loss_fields(reason, events, size, total, owner)
            return [self.envelope.line("python_events_dropped", "event", fields)]
        lines = []
        for key, count in list(_guard.places.items()):
            new = count - self._told.get(key, 0)
            if new > 0:
                self._told[key] = count
                fields = {"place": key[0], "message": key[1], "count": new}
                lines.append(self.envelope.line("python_internal_exception", "event", fields))
        return lines

    # -- life of the process

    def _new_process(self) -> None:
        """In a forked child, before its first event: an identity of its own."""
        self.envelope.reset()
        if self._encoder is not None:
            self._encoder.new_process()
        _guard.reset()
        self._told.clear()
        if self.imports is not None:
            self.imports.new_process()
        self._started = _stdlib.monotonic_ns()
        self._forked = True

    def _dark(self, reason: str) -> bool:
        self.reason = reason
        self.notice(f"nothing is recorded: {reason}")
        return False

    def _log_error(self, place: str, exc: Exception) -> None:
        self.notice.log("error", f"{place}: {type(exc).__name__}")


def _none(_value: object) -> None:
    return None
