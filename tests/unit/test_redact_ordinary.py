"""How much of ordinary text is taken for a secret: real text of this machine, cut as payloads are.

``pytest -s`` prints the figures that docs/settings.md has.
"""

from __future__ import annotations

import ast
import json
import sysconfig
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import ROOT

from bluerock_hooks.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STANDARD = Path(sysconfig.get_path("stdlib"))
LONGEST = 2000  # characters: what is kept of a text by default
MARK = "[redacted]"
redactor = Redactor(payloads="full", results="full")


def modules() -> list[Path]:
    """A fifth of the standard library."""
    found = [*STANDARD.glob("*.py"), *STANDARD.glob("[a-z]*/*.py")]
    return sorted(path for path in found if not {"test", "site-packages"}.intersection(path.parts))[::5]


def pieces(text: str) -> Iterator[str]:
    return (text[start : start + LONGEST] for start in range(0, len(text), LONGEST))


def source() -> Iterator[str]:
    for path in modules():
        yield from pieces(path.read_text("utf-8", "replace"))


def docstrings() -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_bytes())):
            text = ast.get_docstring(node) if isinstance(node, documented) else None
            if text:
                yield from pieces(text)


def documentation() -> Iterator[str]:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for paragraph in path.read_text().split("\n\n"):
            yield from pieces(paragraph)


def metadata() -> Iterator[str]:
    for found in distributions():
        yield from pieces(json.dumps({name: found.metadata.get_all(name) for name in found.metadata}))


@pytest.mark.parametrize(
    ("texts", "most"),
    [(docstrings, 0.2), (source, 3.0), (documentation, 2.0), (metadata, 3.0)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_ordinary_text_is_left_alone(texts: Callable[[], Iterator[str]], most: float) -> None:
    """``most``: percent of the texts in which anything is redacted. Source is full of the word token and its like."""
    count = size = changed = marks = 0
    for text in texts():
        kept = redactor.text(text)
        count, size = count + 1, size + len(text)
        changed += kept != text
        marks += kept.count(MARK) - text.count(MARK)
    share = 100 * changed / count
    rate = marks / size * 1e6
    print(f"{texts.__name__}: {count} texts, {size / 1e6:.2f} MB, {share:.2f} % changed, {rate:.1f} marks a MB")
    assert size > 50_000
    assert share <= most
