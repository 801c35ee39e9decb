"""Bytecode against its source, compiled again in a process of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import py_compile
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bluerock_hooks.cli import _bytecode
from bluerock_hooks.cli._loaded import Loaded, Module

if TYPE_CHECKING:
    from pathlib import Path

HERE = ".".join(map(str, sys.version_info[:3]))
SOURCE = """
'''A module.'''
from __future__ import annotations
import os
X = (1, 2.0, -0.0, 1e309, 'text', b'bytes', None, ..., {1, 2}, 3j)
def function(a, /, b: int = 1, *args, c=2, **kwargs) -> str:
    '''Says something.'''
    assert a
    return [x for x in args if x in {'one', 'two', 'three'}] or (lambda: b)
class Class:
    @property
    async def method(self):
        yield 1
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    return path


def loaded(source: Path, pyc: bytes, **members: Any) -> Module:
    found = {
        "fullname": "module",
        "file": str(source),
        "loader": "SourceFileLoader",
        "executed": "pyc",
        "executed_sha256": hashlib.sha256(pyc[16:]).hexdigest(),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    return Module({**found, **members}, HERE)


def verdict(*modules: Module) -> list[str]:
    found = _bytecode.verify(modules)
    return ["same"] * found.same + ["different"] * len(found.different) + [why for _, why in found.unknown]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_bytecode_of_its_source_is_the_same(source: Path, level: int) -> None:
    pyc = py_compile.compile(str(source), optimize=level, doraise=True)
    with open(pyc, "rb") as file:
        assert verdict(loaded(source, file.read())) == ["same"]


CHANGES = {
    "a constant": ("1e309", "1e308"),
    "the sign of zero": ("-0.0", "0.0"),
    "a name": ("import os", "import io"),
    "a statement": ("assert a", "print(a)"),
    "a default": ("c=2", "c=3"),
    "inside a comprehension": ("'three'", "'four'"),
    "inside a class": ("yield 1", "yield 2"),
    "an annotation": ("-> str", "-> int"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_bytecode_of_another_source_is_different(source: Path, change: str) -> None:
    pyc = importlib.util.cache_from_source(str(source))
    py_compile.compile(str(source), doraise=True)
    with open(pyc, "rb") as file:
        header = file.read()[:16]
    other = SOURCE.replace(*CHANGES[change])
    assert other != SOURCE
    content = header + marshal.dumps(compile(other, str(source), "exec", dont_inherit=True))
    with open(pyc, "wb") as file:
        file.write(content)
    assert verdict(loaded(source, content)) == ["different"]


@pytest.mark.parametrize("body", [b"", b"\xff" * 30, b"\xe3" + bytes(60), b"N", marshal.dumps((1, 2))])
def test_bytecode_of_no_compiler_is_different_and_the_rest_is_answered(
    source: Path, tmp_path: Path, body: bytes
) -> None:
    pyc = py_compile.compile(str(source), doraise=True)
    with open(pyc, "rb") as file:
        good = loaded(source, file.read())
    other = tmp_path / "other.py"
    other.write_text("pass\n")
    content = importlib.util.MAGIC_NUMBER + bytes(12) + body
    with open(importlib.util.cache_from_source(str(other)), "wb") as file:
        file.write(content)
    assert sorted(verdict(loaded(other, content), good)) == ["different", "same"]


def test_what_cannot_be_compared_is_said(source: Path, tmp_path: Path) -> None:
    pyc = py_compile.compile(str(source), doraise=True)
    with open(pyc, "rb") as file:
        content = file.read()
    assert verdict(loaded(source, content[:-1])) == ["the bytecode that ran is not on disk any more"]
    assert verdict(loaded(source, content, sha256="0" * 64)) == ["the source has changed since"]
    assert verdict(loaded(source, content, file=str(tmp_path / "gone.py"))) == ["the source is not there any more"]
    foreign = loaded(source, content)
    foreign.python = "3.1.4"
    assert verdict(foreign) == ["run this with Python 3.1.4: bytecode differs between versions"]
    for members in ({"executed": "source"}, {"executed": "transformed"}, {"loader": "AssertionRewritingHook"}):
        assert verdict(loaded(source, content, **members)) == []


def test_events_of_any_shape_are_taken_in() -> None:
    everything = Loaded()
    for event in (
        {},
        {"meta": 1, "fullname": 2, "file": [], "pkg": {}, "record": 7},
        {"meta": {"component_id": []}, "fullname": None, "startup": ["x", {"file": 1}]},
    ):
        for name in ("python_import", "python_package", "sensor_startup"):
            everything._take(name, event)
    assert [name for name, _ in everything.distributions()]
    assert all(module.name for module in everything.modules.values())
    assert verdict(*everything.modules.values()) == []
