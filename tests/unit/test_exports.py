"""The contract of the package: what ``__all__`` says is there, and costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys

from _peers import ROOT

import bluerock_hooks


def test_all_is_alphabetical_and_real() -> None:
    assert bluerock_hooks.__all__ == sorted(bluerock_hooks.__all__)
    for name in bluerock_hooks.__all__:
        assert getattr(bluerock_hooks, name) is not None


def test_nothing_public_is_missing_from_all() -> None:
    tree = ast.parse((ROOT / "bluerock_hooks" / "__init__.py").read_text())
    defined = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    public = {name for name in defined if not name.startswith("_")}
    assert public <= set(bluerock_hooks.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(bluerock_hooks, "no_such_name")


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import sys, bluerock_hooks; print(sorted(n for n in sys.modules if n.startswith('bluerock_hooks.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_types_are_shipped() -> None:
    assert (ROOT / "bluerock_hooks" / "py.typed").exists()
