"""What belongs to the standard library, by file."""

from __future__ import annotations

import os
import sys

import pytest

from bluerock_hooks.hooks.imports._standard import Summary, is_standard_file

HOME = os.path.dirname(os.__file__)
ZIP = f"{sys.base_prefix}/{sys.platlibdir}/python{sys.version_info[0]}{sys.version_info[1]}.zip"


@pytest.mark.parametrize(
    ("file", "standard"),
    [
        (f"{HOME}/abc.py", True),
        (f"{HOME}/evil.py", False),
        (f"{HOME}/asyncio/__init__.py", True),
        (f"{HOME}/asyncio/never/was.py", True),
        (f"{HOME}/site-packages/asyncio/__init__.py", False),
        (f"{HOME}/site-packages/abc.py", False),
        (f"{HOME}/evil/abc.py", False),
        (f"{HOME}/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", True),
        (f"{HOME}/lib-dynload/evil.so", False),
        (f"{HOME}/_sysconfigdata__linux_x86_64-linux-gnu.py", True),
        (f"{HOME}/../abc.py", False),
        (f"{HOME}abc.py", False),
        (f"{ZIP}/abc.pyc", True),
        (f"{ZIP}/asyncio/tasks.pyc", True),
        (f"{ZIP}/evil.pyc", False),
        ("<frozen importlib._bootstrap>", True),
        ("<frozen evil>", False),
        ("<frozen evil/abc>", False),
        ("<string>", False),
        ("/tmp/asyncio/tasks.py", False),
        ("abc.py", False),
        ("", False),
    ],
)
def test_a_file_is_standard_by_its_place_and_its_name(file: str, standard: bool) -> None:
    for _ in range(2):  # what was found out once is remembered
        assert is_standard_file(file) is standard


def test_a_name_is_told_once_and_all_are_told_when_there_are_many() -> None:
    summary = Summary(everything=False)
    names = [f"m{number:02}" for number in range(62)]
    assert [summary.add(name) for name in (*reversed(names), "m00")] == [False] * 63
    assert summary.add("more")
    assert summary.take() == [*names, "more"]
    assert "more" in summary.names()
    summary.add("more")
    summary.add("other")
    assert summary.take() == ["other"]
    summary.add("parents")
    summary.forget()
    assert summary.take() == []
    assert "parents" in summary.names()
