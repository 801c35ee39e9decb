"""JSON without a JSON library: what it writes, every reader reads back."""

from __future__ import annotations

import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from bluerock_hooks import _plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=25,
)


def without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value


@given(VALUES)
def test_plain_values_come_back_but_for_unknown_members(value: object) -> None:
    text = _plain.dumps(value)
    assert json.loads(text) == without_none(value)
    assert "\n" not in text
    assert text.isascii()


def test_numbers_json_cannot_say_are_null() -> None:
    for number in (math.nan, math.inf, -math.inf):
        assert _plain.dumps({"n": number}) == '{"n":null}'


def test_lone_surrogates_are_escaped() -> None:
    assert json.loads(_plain.dumps("\udc80")) == "\udc80"
    assert _plain.dumps("\udc80").encode("ascii")


def test_of_anything_else_only_the_type_is_said() -> None:
    class Token:
        def __repr__(self) -> str:
            raise AssertionError("foreign code ran")

        __str__ = __repr__

    class Text(str):
        __slots__ = ()

    assert _plain.dumps([Token(), b"raw", Text("secret")]) == '["Token","bytes","Text"]'


def test_compact_and_in_order() -> None:
    assert _plain.dumps({"b": 1, "a": (True, False, None), "c": 1.5}) == '{"b":1,"a":[true,false,null],"c":1.5}'


TEXT = st.text() | st.text('",:\\\\file') | st.from_regex(r'",?"file":"?.*"', fullmatch=True)


@given(TEXT, TEXT, st.none() | TEXT)
@example('","file":"x', '\\\\","file":"', "\\\\")
def test_a_member_of_a_line_is_what_the_line_says(before: str, other: str, value: str | None) -> None:
    line = _plain.dumps({"first": 1, "before": before, "files": other, "file": value, "last": other}).encode()
    assert _plain.member(line, b"file") == value
    assert _plain.member(line, b"before") == before
    assert _plain.member(line, b"fil") is None
