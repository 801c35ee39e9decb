"""What is said of a program that is started: what was remembered of others changes nothing, and tells no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks import config
from bluerock_hooks.hooks.process._facts import Facts
from bluerock_hooks.sensor import Sensor

if TYPE_CHECKING:
    from collections.abc import Sequence

SENSOR = Sensor(config.load({}), "test")

TEXTS = ["git", "status", "/bin/sh", "-c", "hunter2x", "--password", "--token=hunter2x", "-p", "-v", "", "a\nb"]
ASCII = st.sampled_from(TEXTS)
WORD = ASCII | st.text(max_size=4) | st.sampled_from(["é", "\udc80"]) | ASCII.map(str.encode) | ASCII.map(Path)
LINES = st.lists(st.lists(WORD, max_size=5), min_size=1, max_size=6)


def said(facts: Facts, argv: Sequence[object], program: object = (b"/bin/sh",), cwd: object = "/") -> str:
    return facts.of((argv, program, cwd, None)).decode()


@given(LINES)
def test_what_was_remembered_of_other_command_lines_changes_nothing(lines: list[list[object]]) -> None:
    facts = Facts(SENSOR.arguments)
    for line in lines:
        program = (line[0],) if line else "sh"
        assert said(facts, line, program) == said(Facts(SENSOR.arguments), line, program)


def test_a_word_that_was_harmless_is_a_secret_behind_a_flag() -> None:
    facts = Facts(SENSOR.arguments)
    for _ in range(2):
        assert "hunter2x" in said(facts, ["tool", "hunter2x"])
        assert "hunter2x" not in said(facts, ["tool", "--password", "hunter2x"])


def test_the_name_of_a_program_is_looked_at_where_it_is_an_argument() -> None:
    facts = Facts(SENSOR.arguments)
    assert "ghp_hunter2x0123456789abcdefghijklmnopqrs" in said(facts, ["ghp_hunter2x0123456789abcdefghijklmnopqrs"])
    assert "hunter2x" not in said(facts, ["tool", "ghp_hunter2x0123456789abcdefghijklmnopqrs"])


def test_what_is_remembered_has_bounds() -> None:
    facts = Facts(SENSOR.arguments)
    for number in range(5000):
        path, long = f"/bin/program{number}", "x" * (number % 2000)
        said(facts, [path, f"word{number}", long], (path.encode(),), f"/{long}/{number}")
        said(facts, [path] + ["x"] * (number % 100), (path.encode(),))
    assert 0 < len(facts._known) <= 512
    assert max(map(len, facts._known.values())) <= 1024
    assert max(map(len, facts._known)) <= 64


def test_only_built_in_types_are_looked_at() -> None:
    class Foreign(str):
        __slots__ = ()

        def __hash__(self) -> int:
            raise AssertionError("foreign code ran")

        __str__ = __eq__ = __hash__  # type: ignore[assignment]

    text = said(Facts(SENSOR.arguments), [Foreign("x"), "y", Foreign("z")], (Foreign("x"),), Foreign("/"))
    assert json.loads("{" + text[1:] + "}")["argv"] == ["<Foreign>", "y", "<Foreign>"]
