"""Hooks: what watches the host. Each family is a table of patch rows; recording reaches them as an argument."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from ..events import Event, McpMessage, Request, Span

    Fill = Callable[..., bool]
    Payload = Callable[[object], bytes | None]
    Tell = Callable[..., None]

    class Completion(Protocol):
        """Who has events completed on their way out of the ring (``drain.Completion``)."""

        def on(self, name: str, complete: Callable[[dict[str, Any]], dict[str, object]]) -> None:
            """``complete(event)`` gives the members to add to events of this name."""

        def adds(self, name: str, add: Callable[[bytes], str]) -> None:
            """``add(line)`` gives the members to add to events of this name: JSON, each behind a comma."""

        def around(
            self, *, before: Callable[[], None] | None = None, settled: Callable[[], None] | None = None
        ) -> None:
            """``before()`` is called before each batch is taken, ``settled()`` when its events are complete."""

    class Recording(Protocol):
        """What a hook needs of the sensor. No member ever raises an error of ours."""

        def prepare(self) -> None:
            """Load what ``record`` needs, before the first call of it. ImportError where that cannot be had."""

        def record(self, event: Event, span: Span | None = None) -> None:
            """Record ``event`` as part of ``span``. Wants ``prepare``."""

        def note(self, name: str, fields: dict[str, object], span: Span | None = None) -> None:
            """Record an event of plain values that may be recorded as they are, without loading msgspec.

            For hooks that work in processes without MCP. ``name`` and ``fields`` are those of a Struct in ``events``.
            """

        def kind(self, name: str) -> Tell:
            """A function that records events ``name`` as ``note`` does, in few steps: ``tell(members, span)``.

            ``members`` are JSON, each behind a comma.
            """

        def draft(self, name: str) -> Tell:
            """The same in fewer steps still, for ``_draft.FORMS``: ``tell(members, span, pid, number, start, us)``.

            ``members`` are bytes; the numbers are those of ``_draft``.
            """

        def arguments(self, words: list[str]) -> list[str]:
            """A command line as it may be recorded, cut; the redactor is loaded only where one of the words asks.

            ``words`` itself where none asks and nothing is cut: each of them may be recorded anywhere behind a program.
            """

        @property
        def params(self) -> Payload:
            """``params`` of a message, redacted and encoded; None where ``record`` has to see to it."""

        @property
        def result(self) -> Payload:
            """The same for a ``result``."""

        def context(self, request: Request) -> bytes:
            """``request`` encoded, with ``%b`` for its ids (request id, span id, parent's span id)."""

        def form(self, event: McpMessage) -> Fill | None:
            """A function that records messages like ``event``, from JSON: context, id, payload, duration.

            It gives False, and records nothing, where it cannot any more.
            """

        def digest(self, text: str) -> str:
            """A keyed digest, the same in every process of this spool: joins what may not be recorded."""

        def connected(self) -> None:
            """A connection is up: from now on events come in numbers."""

        def word(self, text: str) -> str:
            """``text``, a name or path, as it may be recorded, cut; the redactor is loaded only where it asks."""

        def serving(self) -> None:
            """A process is about to be started on behalf of a request: what it does is told there."""

        def clean(self, text: str) -> str:
            """``text`` as it may be recorded, for what is kept and used again."""

        @property
        def new_id(self) -> Callable[[], str]:
            """Ids for requests and connections, 16 hex digits."""
