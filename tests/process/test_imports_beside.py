"""Beside the tools that get in the way of imports themselves: they work, and what they let through is recorded once."""

from __future__ import annotations

import json
import shutil
import textwrap
import zipapp
from typing import TYPE_CHECKING, Any

import pytest
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOOLS = ("pytest", "coverage", "beartype", "typeguard", "opentelemetry-instrumentation", "ddtrace")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    place.mkdir()
    return place


def write(place: Path, **files: str) -> None:
    for name, text in files.items():
        path = place / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))


def modules(spool: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for event in named(read_spool(spool), "python_import"):
        assert event.get("fullname") not in found, event
        found[event.get("fullname", "")] = event
    return found


def test_pytest_rewrites_assertions(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, place: Path
) -> None:
    write(
        place,
        test_it="import plain\ndef test_it():\n    assert plain.value == 1\n",
        plain="value = 1\n",
        conftest="import conftest_helper\n",
        conftest_helper="",
    )
    peer = peer_venv("3.11", *TOOLS)
    for executed in ("transformed", None):  # the second time it reads what it wrote, by ways of its own
        done = peer.run("python", "-m", "pytest", "-q", "-p", "no:ddtrace", env=sensor_env, cwd=place)
        assert "1 passed" in done.stdout
        found = modules(spool)
        assert found["test_it"]["loader"] == "AssertionRewritingHook"
        assert found["test_it"].get("executed") in (executed, "pyc")
        assert {"plain", "conftest", "conftest_helper", "_pytest.assertion.rewrite"} <= found.keys()
        shutil.rmtree(spool)


BESIDE = {
    "coverage": """
        import coverage
        watch = coverage.Coverage(data_file=None, source=["."])
        watch.start()
        import typed
        watch.stop()
        assert watch.get_data().measured_files()
        """,
    "beartype": """
        from beartype.claw import beartype_packages
        beartype_packages(("typed",))
        import typed
        try:
            typed.double("text")
        except Exception as exc:
            assert "beartype" in type(exc).__module__, exc
        else:
            raise AssertionError("not checked")
        """,
    "typeguard": """
        from typeguard import install_import_hook
        install_import_hook(["typed"])
        import typed
        try:
            typed.double("text")
        except Exception as exc:
            assert "typeguard" in type(exc).__module__, exc
        else:
            raise AssertionError("not checked")
        """,
    "opentelemetry": """
        import sys
        from opentelemetry.instrumentation.utils import unwrap
        import opentelemetry.instrumentation.auto_instrumentation
        import typed
        """,
    "ddtrace": """
        import ddtrace.internal.module
        from ddtrace.internal.module import ModuleWatchdog
        ModuleWatchdog.is_installed() or ModuleWatchdog.install()
        import typed
        """,
    "lazy": """
        import importlib.util, sys
        spec = importlib.util.find_spec("typed")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules["typed"] = typed = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(typed)
        assert object.__getattribute__(typed, "__class__").__name__ == "_LazyModule"
        assert typed.double(1) == 2
        """,
    "resources": """
        import importlib.resources, pkgutil
        assert pkgutil.get_data("typed", "data.txt") == b"data"
        assert (importlib.resources.files("package") / "data.txt").read_text() == "data"
        assert [found.name for found in pkgutil.walk_packages(["package"], "package.")] == ["package.inner"]
        assert pkgutil.resolve_name("package.inner:value") == 1
        """,
    "frozen": """
        import marshal, sys
        from importlib.machinery import ModuleSpec
        CODE = marshal.dumps(compile("import typed\\nvalue = 7", "app/frozen_app.py", "exec"))
        class Importer:  # as PyInstaller's: an archive of bytecode, paths that exist nowhere
            def find_spec(self, name, path=None, target=None):
                return ModuleSpec(name, self, origin="/bundle/frozen_app.pyc") if name == "frozen_app" else None
            def create_module(self, spec):
                return None
            def exec_module(self, module):
                module.__file__ = "/bundle/frozen_app.pyc"
                exec(marshal.loads(CODE), module.__dict__)
        sys.meta_path.insert(0, Importer())
        import frozen_app
        assert frozen_app.value == 7
        """,
    "from memory": """
        import sys
        from importlib.machinery import ModuleSpec
        class Importer:
            def find_spec(self, name, path=None, target=None):
                return ModuleSpec(name, self) if name == "in_memory" else None
            def create_module(self, spec):
                return None
            def exec_module(self, module):
                exec(compile("import typed", "<in memory>", "exec"), module.__dict__)
        sys.meta_path.insert(0, Importer())
        import in_memory
        from dataclasses import dataclass
        @dataclass
        class Row:
            name: str
        """,
}


@pytest.mark.parametrize("tool", BESIDE)
def test_beside_other_tools(
    tool: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, place: Path
) -> None:
    write(place, typed="def double(number: int) -> int:\n    return number * 2\n", program=BESIDE[tool])
    write(place, package__in____init__="", package__in__inner="value = 1\n")
    (place / "data.txt").write_text("data")
    (place / "package" / "data.txt").write_text("data")
    peer = peer_venv("3.11", *TOOLS)
    without = peer.run("python", "program.py", env={**sensor_env, "BLUEROCK_ENABLE": "0"}, cwd=place)
    for path in place.rglob("__pycache__"):
        shutil.rmtree(path)
    done = peer.run("python", "program.py", env=sensor_env, cwd=place)
    assert (done.stdout, done.stderr) == (without.stdout, without.stderr)
    found = modules(spool)
    if tool == "resources":
        assert {"package", "package.inner", "typed"} <= found.keys()
    else:
        assert found["typed"]["file"] == str(place / "typed.py")
    if tool == "beartype" or tool == "typeguard":
        assert found["typed"]["executed"] == "transformed"
    if tool == "frozen":
        app = found["frozen_app"]
        assert (app["file"], app["executed"], app["loader"]) == ("/bundle/frozen_app.pyc", "pyc", "Importer")
        assert "sha256" not in app
    if tool == "from memory":
        assert found["in_memory"]["loader"] == "Importer"
        assert "file" not in found["in_memory"]


def test_a_zipapp_that_starts_the_sensor_itself(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, place: Path
) -> None:
    write(place, app__in____main__="import helper\nprint(helper.value)\n", app__in__helper="value = 3\n")
    zipapp.create_archive(place / "app", place / "app.pyz")
    done = peer_venv().run("python", place / "app.pyz", env=sensor_env)
    assert done.stdout == "3\n"
    found = modules(spool)
    assert (found["__main__"]["file"], found["__main__"]["how"]) == (f"{place}/app.pyz/__main__.py", "main")
    assert (found["helper"]["archive"], found["helper"]["executed"]) == (f"{place}/app.pyz", "source")


def test_every_entry_of_sys_modules_is_accounted_for(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    """As docs/imports.md lists them."""
    listing = tmp_path / "modules.json"
    code = f"""
import pandas, mcp, mcp.server, httpx
import atexit, json, sys
def tell():
    json.dump({{name: [type(module).__name__, getattr(module, "__file__", None), getattr(module, "__name__", None)]
               for name, module in sys.modules.items()}}, open({str(listing)!r}, "w"))
atexit.register(tell)
"""
    script = tmp_path / "program.py"
    script.write_text(code)
    peer_venv("3.11", "mcp==1.30.0", "pandas", "httpx").run("python", script, env=sensor_env, timeout=120)
    events = read_spool(spool)
    recorded = {event.get("fullname"): event for event in named(events, "python_import")}
    files = {event.get("file") for event in recorded.values()}
    standard = {name for event in named(events, "python_import_stdlib") for name in event["modules"]}
    left = {}
    entries = json.loads(listing.read_text())
    assert len(entries) > 1000
    for name, (kind, file, own) in entries.items():
        ours = name.partition(".")[0] == "bluerock_hooks"
        alias = own != name and (own in recorded or file in files)
        if not (name in recorded or name in standard or ours or alias or kind == "NoneType"):
            left[name] = kind, file, own
    assert left == {}
    assert standard.isdisjoint(recorded)
    assert not {name for name in recorded if name and name not in entries} - {
        name for name, event in recorded.items() if event.get("kept") is False or event.get("how") == "direct"
    }
