"""What SECURITY.md says of the package, held against its source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from _peers import ROOT

from bluerock_hooks import events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "bluerock_hooks"
NETWORK = {"socket", "_socket", "ssl", "http", "smtplib", "ftplib", "asyncio", "socketserver", "xmlrpc", "select"}
EXECUTES = {"eval", "exec", "execfile"}
LOADS = {"pickle", "_pickle", "shelve", "dill", "marshal", "ctypes", "cffi", "code", "runpy"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    paths: list[Path] = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    return ((str(path.relative_to(PACKAGE)), ast.parse(path.read_text())) for path in paths)


def imported(tree: ast.Module) -> set[str]:
    """Full names of the modules that are imported, at any depth of the code."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return names


def roots(tree: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in imported(tree)}


def test_nothing_but_the_command_stack_opens_a_connection() -> None:
    talking = {path for path, tree in trees() if roots(tree) & NETWORK or "urllib.request" in imported(tree)}
    assert talking == {"cli/stack.py"}


def test_only_commands_start_processes_and_read_bytecode() -> None:
    starting = {path for path, tree in trees() if roots(tree) & {"subprocess", "_posixsubprocess", "multiprocessing"}}
    assert starting == {"cli/_bytecode.py", "cli/_compose.py", "cli/_installation.py"}
    assert {path: roots(tree) & LOADS for path, tree in trees() if roots(tree) & LOADS} == {
        "cli/_recompile.py": {"marshal"}
    }


def test_nothing_of_ours_executes_text() -> None:
    for path, tree in trees():
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & EXECUTES, path
        assert "compile" not in called or path == "cli/_recompile.py"


def test_the_page_names_the_files_of_the_spool_and_words_of_events() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    sources = "".join((PACKAGE / name).read_text() for name in ("spool.py", "digests.py", "sensor.py"))
    for name in ("digest.key", "files.sha256", "bytecode.sha256"):
        assert f'"{name}"' in sources
        assert f"`{name}`" in page
    assert any(kind.NAME == "sensor_shutdown" for kind in events.KINDS)
