"""Events that are completed on their way out: once, counted once, and valid where nobody came to complete them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from _storage import bury, lines_of, new_spool, run_python, wait_for

from bluerock_hooks import _stdlib
from bluerock_hooks._envelope import Envelope
from bluerock_hooks.drain import Completion
from bluerock_hooks.reader import Snapshot
from bluerock_hooks.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from bluerock_hooks.spool import Spool

NAME = "python_native_load"
ENVELOPE = Envelope()


def marked(completion: Completion, number: int, name: str = NAME) -> bytes:
    return completion.marked(name, ENVELOPE.line(name, "event", {"number": number, "path": "/lib/\u00e4\udcff.so"}))


def events(spool: Spool) -> list[dict[str, Any]]:
    return [json.loads(line)["event"] for line in lines_of(spool)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path)


@pytest.fixture
def completion() -> Completion:
    completion = Completion()
    completion.on(NAME, lambda event: {"sha256": f"of {event['path']}", "twice": event["number"] * 2, "none": None})
    return completion


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_an_event_is_completed_on_its_way_to_the_segment(spool: Spool, completion: Completion, mode: str) -> None:
    recorder = Recorder(spool, thread=False, completion=completion, mode=mode)
    for number in range(100):
        recorder.emit(marked(completion, number))
        recorder.emit(marked(completion, number, "python_other"))
    recorder.close()
    found = events(spool)
    assert [event["number"] for event in found] == [number for number in range(100) for _ in "ab"]
    for event in found:
        if event["meta"]["name"] == NAME:
            assert (event["sha256"], event["twice"]) == (f"of {event['path']}", event["number"] * 2)
            assert "none" not in event
        else:
            assert "sha256" not in event
    assert all(line.startswith(b"{") for line in lines_of(spool))
    counts = recorder.counts()
    assert (counts.events, counts.written, counts.dropped) == (200, 200, 0)
    assert counts.bytes == sum(map(len, lines_of(spool)))


def test_until_then_it_is_a_valid_event_that_says_less(spool: Spool, completion: Completion) -> None:
    recorder = Recorder(spool, thread=False, completion=completion)
    recorder.emit(marked(completion, 7))
    (ring,) = spool.peek()
    assert json.loads(ring.records[0])["event"]["number"] == 7
    assert ring.records[0].startswith(b"{")
    assert [event.event["number"] for event in Snapshot(spool).events()] == [7]
    bury(spool, ring.stem)
    spool.recover()
    (event,) = events(spool)
    assert event["number"] == 7
    assert "sha256" not in event


def test_a_completer_may_say_better_what_was_said(spool: Spool) -> None:
    completion = Completion()
    completion.on(NAME, lambda event: {"number": event["number"] + 1, "more": [{"a": None, "b": 2}]})
    recorder = Recorder(spool, thread=False, completion=completion)
    recorder.emit(marked(completion, 1))
    recorder.close()
    (event,) = events(spool)
    assert (event["number"], event["more"]) == (2, [{"b": 2}])
    assert event["path"] == "/lib/\u00e4\udcff.so"


def test_one_that_has_nothing_to_add_leaves_the_line_as_it_is(spool: Spool) -> None:
    completion = Completion()
    completion.on(NAME, lambda _: {"unknown": None})
    recorder = Recorder(spool, thread=False, completion=completion)
    line = marked(completion, 1)
    recorder.emit(line)
    recorder.close()
    assert lines_of(spool) == [line.lstrip()]


def test_one_that_adds_sees_the_line_and_gives_members(spool: Spool) -> None:
    completion, settled = Completion(), []
    completion.adds(NAME, lambda line: f',"seen":{len(line)}')
    completion.around(settled=lambda: settled.append(1))
    completion.adds("python_none", lambda _line: "")
    recorder = Recorder(spool, thread=False, completion=completion)
    one, other = marked(completion, 1), marked(completion, 2, "python_none")
    assert one[:1] == other[:1] == b" "
    recorder.emit(one)
    recorder.emit(other)
    recorder.close()
    first, second = events(spool)
    assert (first["number"], first["seen"]) == (1, len(one) - 1)
    assert lines_of(spool)[1] == other.lstrip()
    assert second["path"] == "/lib/\u00e4\udcff.so"
    assert settled


@pytest.mark.swallows
def test_one_that_fails_costs_what_it_would_have_added(spool: Spool, refuse_to_fail_open: list[Any]) -> None:
    completion = Completion()
    completion.on(NAME, lambda event: {"x": 1 // (event["number"] - 1)})
    recorder = Recorder(spool, thread=False, completion=completion)
    for number in range(3):
        recorder.emit(marked(completion, number))
    recorder.close()
    assert [(event["number"], event.get("x")) for event in events(spool)] == [(0, -1), (1, None), (2, 1)]
    assert [place for place, _ in refuse_to_fail_open] == ["drain.complete"]


def test_what_came_out_of_a_batch_is_recorded_after_it_and_counted(spool: Spool) -> None:
    completion, seen = Completion(), set[int]()

    def settled() -> None:
        while seen:
            recorder.emit(ENVELOPE.line("python_more", "event", {"of": seen.pop()}))

    completion.on(NAME, lambda event: seen.add(event["number"]) or {})  # type: ignore[func-returns-value]
    completion.around(settled=settled)
    recorder = Recorder(spool, thread=False, completion=completion)
    for number in range(300):  # what comes out is too much for the nested region
        recorder.emit(marked(completion, number))
    told = []

    def farewell() -> None:
        told.append(recorder.counts().events + 1)
        recorder.emit(ENVELOPE.line("last", "event", {}))

    recorder.close(farewell)
    found = events(spool)
    assert spool.rings() == []
    assert sorted(event["of"] for event in found if event["meta"]["name"] == "python_more") == list(range(300))
    assert found[-1]["meta"]["name"] == "last"
    assert told == [len(found)] == [601]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_completers_may_record_and_are_asked_before_each_batch(spool: Spool, mode: str) -> None:
    completion, begun = Completion(), []

    def before() -> None:
        begun.append(len(begun))

    def settled() -> None:
        recorder.emit(ENVELOPE.line("python_more", "event", {}))

    completion.on(NAME, lambda _: {"done": True})
    completion.around(before=before, settled=settled)
    recorder = Recorder(spool, thread=False, completion=completion, mode=mode)
    for number in range(3):
        recorder.emit(marked(completion, number))
    recorder.close()
    names = [event["meta"]["name"] for event in events(spool)]
    assert (names.count(NAME), names.count("python_more")) == (3, 1 if mode == "mmap" else 3)
    assert begun
    assert recorder.counts().dropped == 0


def test_work_is_done_once_where_the_spool_refuses(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    completion, asked = Completion(), []
    completion.on(NAME, lambda event: asked.append(event["number"]) or {"done": True})  # type: ignore[func-returns-value]
    recorder = Recorder(spool, thread=False, completion=completion)
    recorder.emit(marked(completion, 0))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_stdlib, "pwrite_fd", full)
        assert recorder.drain() == recorder.drain() == 0
    recorder.emit(marked(completion, 1))
    assert recorder.drain() == 2
    assert asked == [0, 1]
    assert completion._completed == {}
    assert [event["done"] for event in events(spool)] == [True, True]
    recorder.close()


def test_the_drain_thread_completes_and_imports_nothing(spool: Spool, completion: Completion) -> None:
    imported: list[str] = []
    me = _stdlib.get_ident()
    armed = True

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if armed and name == "import" and _stdlib.get_ident() != me:
            imported.append(args[0])

    sys.addaudithook(hook)
    recorder = Recorder(spool, tick=0.001, completion=completion)
    recorder.want_thread()
    for number in range(50):
        recorder.emit(marked(completion, number))
    wait_for(lambda: len(lines_of(spool)) == 50)
    armed = False
    recorder.close()
    assert imported == []
    assert all(event["twice"] == 2 * event["number"] for event in events(spool))


@pytest.mark.parametrize(("fork", "thread"), [("os.fork()", True), ("ctypes.PyDLL(None).fork()", False)])
def test_parent_and_child_complete_their_own(tmp_path: Path, fork: str, thread: bool) -> None:
    code = f"""
        import ctypes
        from bluerock_hooks.drain import Completion
        completion = Completion()
        completion.on("kind", lambda event: {{"by": os.getpid()}})
        def line(i):
            return completion.marked("kind", event_line(i))
        def event_line(i):
            return json.dumps({{"ts": "", "event": {{"meta": {{"name": "kind"}}, "pid": os.getpid(), "i": i}}}},
                              separators=(",", ":")).encode()
        recorder = Recorder(spool, thread={thread}, tick=0.001, completion=completion)
        recorder.want_thread()
        for i in range(200):
            recorder.emit(line(i))
        pid = {fork}
        for i in range(200, 400):
            recorder.emit(line(i))
        recorder.close()
        if not pid:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    run_python(tmp_path / "spool", code)
    found = events(new_spool(tmp_path))
    assert all(event["by"] == event["pid"] for event in found)
    assert sorted(event["i"] for event in found) == sorted([*range(400), *range(200, 400)])
    assert len({event["pid"] for event in found}) == 2
