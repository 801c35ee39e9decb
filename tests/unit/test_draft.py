"""Drafts: what a process leaves in its ring in numbers is the event it would have written, whoever spells it out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _storage import bury, lines_of, new_ring, new_spool, store
from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks import _clock, _draft, _plain
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.drain import Completion
from bluerock_hooks.events import Span
from bluerock_hooks.notes import Notes
from bluerock_hooks.recorder import Recorder
from bluerock_hooks.ring import read_ring

if TYPE_CHECKING:
    from bluerock_hooks.spool import Spool

SPAWN, EXIT = _draft.FORMS
ENVELOPE = Envelope()
SPAN = Span("tools/call", "té%s", 1, None, "0123456789abcdef", None, 0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


def draft(name: str, *, members: bytes = b"", request: bytes = b"", pid: int = 7, number: int = 1, ns: int = 10**18,
          start: int = 50, event: int = 3, us: int = 1041) -> bytes:  # fmt: skip
    identity = _draft.identity(name, ENVELOPE.pid, ENVELOPE.component_id)
    return _draft.packer()(identity, len(request), pid, number, ns, start, event, us) + request + members


def spelled(data: bytes) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(_draft.spelled(data))
    return line


@pytest.mark.parametrize("span", [None, SPAN])
@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_a_draft_is_the_line_of_the_same_event(spool: Spool, span: Span | None, mode: str) -> None:
    recorder = Recorder(spool, thread=False, mode=mode)
    notes = Notes(ENVELOPE, recorder, Completion())
    members = {"api": 'x "é" \udc80', "argv": ["a", "b"]}
    text = "," + _plain.members(members)
    started, ended = {"pid": 7, "start": 50}, {"pid": 7, "start": 50, "duration_ms": 12.034}
    notes.draft(SPAWN)(text.encode(), span, 7, 300, 50, 0)
    notes.draft(EXIT)(text.encode(), span, 7, 300, 50, 12_034)
    spawn_id = f"{ENVELOPE.component_id[:8]}{300:08x}"
    notes.note(SPAWN, {"spawn_id": spawn_id, **members, **started}, span)
    notes.note(EXIT, {"spawn_id": spawn_id, **members, **ended}, span)
    recorder.close()
    lines = [json.loads(line) for line in lines_of(spool)]
    times = [line.pop("ts") for line in lines]
    assert times == sorted(times)
    numbers = [line["event"]["meta"].pop("source_event_id") for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert lines[:2] == lines[2:]


NUMBERS = st.integers(0, 2**32 - 1)


@given(st.sampled_from(_draft.FORMS), NUMBERS, NUMBERS, st.integers(0, 2**62), st.integers(1, 2**62), st.text())
def test_every_number_is_told(name: str, pid: int, number: int, start: int, us: int, text: str) -> None:
    data = draft(name, members=f',"api":{_plain.quote(text)}'.encode(), pid=pid, number=number, start=start, us=us)
    event = spelled(data)["event"]
    assert event["meta"]["name"] == name
    assert (event.get("pid", 0), event.get("start", 0)) == (pid, start)
    assert event["spawn_id"] == f"{ENVELOPE.component_id[:8]}{number:08x}"
    assert event["api"] == text
    assert event.get("duration_ms") == (us / 1000 if name == EXIT else None)


@given(st.integers(10**15, 4 * 10**18))
def test_its_time_is_the_one_it_was_made(ns: int) -> None:
    assert spelled(draft(EXIT, ns=ns))["ts"] == _clock.utc_text(ns)


@given(st.binary(max_size=200))
def test_what_is_no_draft_is_refused_and_nothing_else_happens(data: bytes) -> None:
    for each in (data, bytes((_draft.DRAFT,)) + data, draft(EXIT)[:24] + data):
        try:
            line = _draft.spelled(each)
        except ValueError:
            continue
        assert line.startswith(b"{")


def test_many_processes_are_spelled_in_turn() -> None:
    """More than are remembered, each under its own name."""
    for _ in range(2):
        for number in range(200):
            component = f"{number:08x}-0000-4000-8000-{number:012x}"
            data = _draft.identity(SPAWN, number + 1, component) + draft(SPAWN)[24:]
            event = spelled(data)["event"]
            assert event["context"]["process"]["pid"] == number + 1
            assert event["meta"]["component_id"] == component


@pytest.mark.parametrize("dead", [False, True])
def test_others_spell_the_drafts_of_a_ring(spool: Spool, dead: bool) -> None:
    recorder = Recorder(spool, thread=False)
    recorder.emit(b'{"before":1}')
    recorder.emit(draft(EXIT, members=b',"returncode":0', request=b'{"tool":"x"}'))
    recorder.emit(b'{"after":1}')
    (ring,) = Path(spool.rings_path).glob("*.ring")
    if dead:
        bury(spool, ring.stem)
        spool.recover()
        before, line, after = map(json.loads, lines_of(spool))
    else:
        before, line, after = map(json.loads, read_ring(str(ring)).records)
    assert (before, after) == ({"before": 1}, {"after": 1})
    assert line["event"]["context"] == {"process": {"pid": os.getpid()}, "mcp": {"tool": "x"}}
    assert (line["event"]["returncode"], line["event"]["duration_ms"]) == (0, 1.041)


def test_a_draft_that_nobody_can_spell_is_damage(spool: Spool) -> None:
    recorder = Recorder(spool, thread=False)
    recorder.emit(bytes((_draft.DRAFT, 77)) + b"x" * 100)
    recorder.emit(b'{"after":1}')
    (ring,) = Path(spool.rings_path).glob("*.ring")
    contents = read_ring(str(ring))
    assert contents.records == [b'{"after":1}']
    assert contents.damaged == 102


def test_drafts_behind_damage_are_found(spool: Spool) -> None:
    ring = new_ring(spool)
    for number in range(1, 200):
        assert ring.main.put(draft(SPAWN, number=number, event=number, members=b',"api":"x"'))
        assert ring.main.put(b'{"number":%d}' % number)
    bury(spool, ring.stem)
    for number in (17, 18, 101):
        position = draft_at(Path(f"{spool.rings_path}/{ring.name}").read_bytes(), number)
        store(f"{spool.rings_path}/{ring.name}", position >> 3, 77, sealed=False)
    contents = read_ring(f"{spool.rings_path}/{ring.name}")
    found = [json.loads(line) for line in contents.records]
    drafts = [int(line["event"]["spawn_id"][8:], 16) for line in found if "event" in line]
    assert drafts == [number for number in range(1, 200) if number not in (17, 18, 101)]
    assert [line["number"] for line in found if "number" in line] == list(range(1, 200))
    assert contents.damaged


def draft_at(ring: bytes, number: int) -> int:
    """Where in a ring file the words of this start's draft are that say its number."""
    identity = _draft.identity(SPAWN, ENVELOPE.pid, ENVELOPE.component_id)
    at = -1
    for _ in range(number):
        at = ring.index(identity, at + 1)
    return at + 32
