"""The layer table of the architecture, enforced: this test is the diagram."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest
from _peers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "bluerock_hooks"

LAYERS: dict[str, int] = {
    # 0 leaf
    "errors": 0,
    "_clock": 0,
    "_digest": 0,
    "_draft": 0,
    "_guard": 0,
    "_notice": 0,
    "_plain": 0,
    "_proc": 0,
    "_shape": 0,
    "_stdlib": 0,
    "_suspects": 0,
    "_version": 0,
    # 1 model
    "_envelope": 1,
    "config": 1,
    "events": 1,
    "redact": 1,
    # 2 storage
    "digests": 2,
    "distributions": 2,
    "ring": 2,
    "spool": 2,
    # 3 pipeline
    "drain": 3,
    "encode": 3,
    "notes": 3,
    "recorder": 3,
    # 4 hooks
    "hooks": 4,
    # 5 composition
    "sensor": 5,
    # 6 edge of the host
    "__init__": 6,
    "_bootstrap": 6,
    # 7 edge of the reader
    "__main__": 7,
    "_stored": 7,
    "cli": 7,
    "reader": 7,
}

# What a layer may import besides itself.
MAY_IMPORT: dict[int, set[int]] = {
    0: set(),
    1: {0},
    2: {0},
    3: {0, 1, 2},
    4: {0, 1, 2},
    5: {0, 1, 2, 3, 4},
    6: {0, 1, 5},
    7: {0, 1, 2},
}

# Who may import what we depend on. The MCP SDK is in no row: its classes are looked up when it has loaded.
DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "wrapt": ("hooks._patch",),
    "msgspec": ("events", "redact", "encode", "hooks", "sensor", "reader", "cli"),
    "importlib_metadata": ("reader", "cli"),
    "cyclonedx": ("cli._sbom",),
    "packageurl": ("cli._sbom",),
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path, package: Path = PACKAGE) -> str:
    """``hooks.mcp._v1`` for a file of the package; a package is named by itself, the root is ``__init__``."""
    name = ".".join(path.relative_to(package).with_suffix("").parts)
    return name.removesuffix(".__init__")


def layer_of(module: str) -> int:
    stem = module.partition(".")[0]
    assert stem in LAYERS, f"{module} is in no layer: say in this table where it belongs"
    return LAYERS[stem]


def imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import statement, and whether importing the module runs it."""

    def walk(node: ast.AST, *, at_import: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield child, at_import
            elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
                for statement in child.body:
                    yield from walk(ast.Module([statement], []), at_import=False)
                for statement in child.orelse:
                    yield from walk(ast.Module([statement], []), at_import=at_import)
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, at_import=at_import and not inside)

    yield from walk(tree, at_import=True)


def targets(module: str, is_package: bool, node: ast.ImportFrom, known: set[str]) -> list[str]:
    """The modules of ours that a relative import reads; the package root itself is ``__init__``."""
    here = [] if module == "__init__" else module.split(".")
    if not is_package:
        here = here[:-1]
    base = here[: len(here) - (node.level - 1)] + (node.module.split(".") if node.module else [])
    found = []
    for alias in node.names:
        child = ".".join([*base, alias.name])
        found.append(child if child in known else ".".join(base) or "__init__")
    return found


def violations(module: str, source: str, *, is_package: bool = False, known: set[str] | None = None) -> list[str]:
    """Every sentence says one import that the table forbids."""
    known = {dotted(path) for path in modules()} if known is None else known
    layer = layer_of(module)
    wrong = []
    for node, at_import in imports(ast.parse(source)):
        where = f"{module}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.level:
            for target in targets(module, is_package, node, known):
                other = layer_of(target)
                if target == "__init__" and layer != 7:
                    wrong.append(f"{where} imports the package root")
                elif other != layer and other not in MAY_IMPORT[layer] and target != "__init__":
                    wrong.append(f"{where} (layer {layer}) imports {target} (layer {other})")
            continue
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        for name in names:
            top = name.partition(".")[0]
            allowed = DEPENDENCIES.get(top)
            if top == "bluerock_hooks":
                wrong.append(f"{where} imports {name} absolutely; ours are relative")
            elif allowed is not None:
                if not any(module == row or module.startswith(row + ".") for row in allowed):
                    wrong.append(f"{where} imports {top}, which is for {', '.join(allowed)}")
            elif top not in sys.stdlib_module_names and (at_import or top not in ("mcp", "fastmcp")):
                wrong.append(f"{where} imports {top}, which is no dependency of ours")
    return wrong


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    assert violations(dotted(path), path.read_text(), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "from . import config"),
        ("config", "from .spool import Spool"),
        ("spool", "from .config import load"),
        ("ring._layout", "from ..events import Event"),
        ("recorder", "from .hooks import audit"),
        ("hooks.mcp._v1", "from ...recorder import Recorder"),
        ("hooks.mcp._v1", "import wrapt"),
        ("hooks.mcp._v1", "import mcp.types"),
        ("sensor", "def later():\n    from . import _bootstrap"),
        ("reader", "if TYPE_CHECKING:\n    from .sensor import Sensor"),
        ("cli.show", "from ..drain import Drain"),
        ("config", "import msgspec"),
        ("spool", "from bluerock_hooks import errors"),
        ("spool", "from . import __version__"),
        ("config", "import requests"),
        ("_bootstrap", "from .hooks import mcp"),
    ],
)
def test_the_check_can_fail(module: str, source: str) -> None:
    known = {*LAYERS, "hooks.mcp", "hooks.audit"}
    assert len(violations(module, source, known=known)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hooks._patch", "import wrapt\nfrom .. import _guard"),
        ("hooks.mcp._v1", "def look():\n    import mcp.types\nfrom ..._stdlib import getpid\nfrom . import _v2"),
        ("cli.show", "from .. import __version__\nfrom ..reader import events\nfrom ..spool import Spool"),
        ("drain", "from .spool import Spool\nfrom . import _guard, _clock"),
        ("sensor", "from .recorder import Recorder\nfrom . import hooks, config"),
    ],
)
def test_the_check_lets_good_imports_pass(module: str, source: str) -> None:
    known = {*LAYERS, "hooks.mcp", "hooks.mcp._v2"}
    assert violations(module, source, known=known) == []


def test_a_module_in_no_layer_is_refused() -> None:
    with pytest.raises(AssertionError, match="in no layer"):
        violations("surprise", "import os")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Over what runs at import time only."""
    known = {dotted(path) for path in modules()}
    edges: dict[str, set[str]] = {}
    for path in modules():
        name = dotted(path)
        edges[name] = set()
        for node, at_import in imports(ast.parse(path.read_text())):
            if at_import and isinstance(node, ast.ImportFrom) and node.level:
                edges[name].update(targets(name, path.name == "__init__.py", node, known))
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for target in edges.get(name, ()):
                if target not in ("__init__", name):
                    visit(target, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def test_no_two_helpers_of_the_tests_have_one_name() -> None:
    # All directories of tests are on sys.path, so the second of a name would be the first.
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    assert sorted(set(names)) == sorted(names)
