"""Events of plain values: what is prepared says the same as what is not."""

from __future__ import annotations

import json
from typing import Any

from bluerock_hooks._envelope import Envelope
from bluerock_hooks._plain import quote
from bluerock_hooks.drain import Completion
from bluerock_hooks.events import Span
from bluerock_hooks.notes import Notes


class Recorder:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def emit(self, line: bytes) -> bool:
        self.lines.append(line)
        return True

    def way_in(self) -> Recorder:
        return self

    put = emit

    def check_process(self) -> None: ...


def told(span: Span | None) -> list[dict[str, Any]]:
    recorder = Recorder()
    notes = Notes(Envelope(), recorder, Completion())  # type: ignore[arg-type]
    tell = notes.kind("python_process_exit")
    notes.note("python_process_exit", {"spawn_id": '100% "é"', "pid": 7, "signal": None}, span)
    first, second = quote('100% "é"'), quote("%d{x}")
    tell(f',"spawn_id":{first},"pid":7', span)
    tell(f',"spawn_id":{second},"pid":8,"signal":"SIGKILL"', span)
    return [json.loads(line) for line in recorder.lines]


def test_a_prepared_line_is_the_line_of_the_same_event() -> None:
    for span in (None, Span("tools/call", "té%s", 1, None, "0123456789abcdef", None, 0)):
        plain, prepared, other = told(span)
        assert [line["event"]["meta"].pop("source_event_id") for line in (plain, prepared, other)] == [1, 2, 3]
        assert plain.pop("ts") <= prepared.pop("ts")
        assert plain == prepared
        assert (other["event"]["spawn_id"], other["event"]["signal"]) == ("%d{x}", "SIGKILL")
        assert ("mcp" in plain["event"]["context"]) == (span is not None)
