"""What repeats is told once and counted, and lists of names are matched as they read."""

from __future__ import annotations

from typing import Any

import pytest

from bluerock_hooks.events import Span
from bluerock_hooks.hooks.activity._ignore import matcher
from bluerock_hooks.hooks.activity._repeats import Repeats


class Recording:
    """Keeps what is noted: ``(span, fields)``."""

    def __init__(self) -> None:
        self.notes: list[tuple[object, dict[str, Any]]] = []

    def note(self, name: str, fields: dict[str, Any], span: object = None) -> None:
        self.notes.append((span, fields))


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def repeats(recording: Recording) -> Repeats:
    return Repeats(recording)  # type: ignore[arg-type]


def span() -> Span:
    return Span("tools/call", "tool", 1, None, "0123456789abcdef", None, 0)


def happen(repeats: Repeats, where: Span | None, *keys: tuple[Any, ...], name: str = "event") -> None:
    new = repeats.first(where, name, *keys)
    if new is not None:
        level, entry = new
        repeats.tell(where, entry, {"what": keys[level]})


def test_the_first_the_powers_of_ten_and_the_sum_are_told(repeats: Repeats, recording: Recording) -> None:
    where = span()
    for _ in range(123):
        happen(repeats, where, ("a",))
    happen(repeats, where, ("b",))
    repeats.over(where)
    repeats.over(where)
    told = [(fields["what"], fields.get("count")) for _, fields in recording.notes]
    assert told == [(("a",), None), (("a",), 10), (("a",), 100), (("b",), None), (("a",), 123)]
    assert all(each is where for each, _ in recording.notes)


def test_requests_and_what_is_outside_of_them_are_apart(repeats: Repeats, recording: Recording) -> None:
    one, two = span(), span()
    for where in (one, two, None, one):
        happen(repeats, where, ("a",))
    repeats.close()
    assert [(each, fields.get("count")) for each, fields in recording.notes] == [
        (one, None), (two, None), (None, None), (one, 2),
    ]  # fmt: skip


def test_many_subjects_become_few(repeats: Repeats, recording: Recording) -> None:
    """256 one by one, 256 by their group, then all together; another kind of event has room of its own."""
    where = span()
    for number in range(3000):
        happen(repeats, where, (number,), ("group", number % 400), ("all",))
    happen(repeats, where, ("other",), name="another")
    repeats.over(where)
    first = [fields["what"] for _, fields in recording.notes if "count" not in fields]
    assert first == [
        *[(number,) for number in range(256)],
        *[("group", number % 400) for number in range(256, 512)],
        ("all",),
        ("other",),
    ]
    last = {fields["what"]: fields.get("count", 1) for _, fields in recording.notes}
    assert sum(last.values()) == 3001


def test_outside_of_requests_nothing_grows(repeats: Repeats, recording: Recording) -> None:
    for number in range(1000):
        happen(repeats, None, (number,), ("all",))
    assert len(recording.notes) == 1000
    assert sum(map(len, repeats._outside.values())) < 256


def test_requests_that_never_end_do_not_grow_us_either(repeats: Repeats) -> None:
    spans = [span() for _ in range(400)]
    for where in spans:
        happen(repeats, where, ("a",))
    assert len(repeats._tables) == 256


@pytest.mark.parametrize(
    ("patterns", "yes", "no"),
    [
        ("/dev/null", ["/dev/null"], ["/dev/null2", ""]),
        ("/proc/*", ["/proc/", "/proc/1/stat"], ["/proc", "x/proc/1"]),
        ("*.pyc", ["a.pyc", ".pyc"], ["a.py"]),
        ("*/cache/*", ["/a/cache/b"], ["/a/cache"]),
        ("a?c x[12]", ["abc", "x1"], ["ac", "x3"]),
        ("*", ["", "anything"], []),
        ("", [], ["", "anything"]),
        ("one two* *three", ["one", "two2", "3three"], ["ones", "three3"]),
    ],
)
def test_a_list_matches_what_it_says(patterns: str, yes: list[str], no: list[str]) -> None:
    match = matcher(patterns)
    assert all(map(match, yes))
    assert not any(map(match, no))
