"""Acting when a module has been imported: in interpreters of their own, on modules that nobody has loaded yet."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from _peers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FROZEN = ("os",) if sys.version_info >= (3, 11) else ()
BEGIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bluerock_hooks.hooks._finder import Finder
seen = []
waiting, act = Finder(), lambda module: seen.append(module)
waiting.after(["colorsys", "email.charset", "_bisect", "sys", "os"], act)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-S", "-c", BEGIN + code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_is_loaded_is_acted_on_now_and_the_rest_when_it_has_run() -> None:
    said = run("""
first = list(seen)
import colorsys, email.charset, _bisect, importlib
importlib.reload(colorsys)
print(sys in first, colorsys in first, [name in seen for name in (colorsys, email.charset, _bisect)], len(seen))
print(hasattr(seen[-1], "bisect") or hasattr(colorsys, "rgb_to_hsv"))
print(type(colorsys.__spec__.loader).__name__, vars(colorsys.__loader__).keys() & {"exec_module"})
""")
    assert said == "True False [True, True, True] 4\nTrue\nSourceFileLoader set()\n"


def test_a_look_for_the_spec_is_no_import() -> None:
    said = run("""
import importlib.util
spec = importlib.util.find_spec("colorsys")
before = len(seen)
import colorsys
print(before, colorsys in seen, spec.name)
""")
    assert said.split()[1:] == ["True", "colorsys"]


@pytest.mark.parametrize("name", ["no_such_module", "colorsys"])
def test_what_goes_wrong_goes_wrong_as_ever(name: str) -> None:
    said = run(f"""
import _io
class Broken:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "colorsys":
            raise ImportError("broken finder")
sys.meta_path.insert(1, Broken)
try: import {name}
except ImportError as exc: print(type(exc).__name__, exc)
""")
    assert said.strip() in ("ModuleNotFoundError No module named 'no_such_module'", "ImportError broken finder")


def test_it_can_be_told_to_stop() -> None:
    assert (
        run("waiting.forget(act); waiting.forget(act); import colorsys; print(waiting in sys.meta_path)") == "False\n"
    )


def test_the_loader_of_an_archive_that_serves_many_modules_is_watched_for_each(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for name in ("one", "two", "three", "other"):
            archive.writestr(f"{name}.py", "value = 1\n")
    said = run(f"""
import importlib.util
sys.path.insert(0, {str(tmp_path / "archive.zip")!r})
waiting.forget(act)
waiting.after(["one", "two", "three"], lambda module: seen.append(module.__name__))
del seen[:]
one, two = importlib.util.find_spec("one"), importlib.util.find_spec("two")
three = importlib.util.find_spec("three")
assert one.loader is two.loader is three.loader
import other
for spec in (two, one):
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
import three
print(seen, "exec_module" in vars(one.loader), waiting in sys.meta_path)
""")
    assert said == "['two', 'one', 'three'] False False\n"


def test_two_that_wait_for_the_same_module_are_both_told() -> None:
    said = run("""
waiting.after(["colorsys"], lambda module: seen.append("same finder"))
second = Finder()
second.after(["colorsys"], lambda module: seen.append("second"))
import colorsys
print("same finder" in seen, "second" in seen, colorsys in seen)
""")
    assert said == "True True True\n"


def test_the_first_look_for_one_of_several_is_told_once_before_it_is_found() -> None:
    said = run("""
def first():
    seen.append("looked for")
    waiting.after(["wave"], lambda module: seen.append(module.__name__))
del seen[:]
waiting.before(("wave", "chunk"), first)
import tabnanny; print(seen)
import wave; print(seen)
waiting.before(["wave"], lambda: print("at once"))
""")
    assert said == "[]\n['looked for', 'wave']\nat once\n"


def test_the_next_finder_is_asked_when_the_last_one_stops_waiting() -> None:
    """Who leaves ``sys.meta_path`` while the import system walks over it has another one skipped."""
    said = run("""
import importlib.machinery
waiting.forget(act)
class Next:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "made_up": return importlib.machinery.ModuleSpec(name, None, is_package=True)
sys.meta_path.insert(0, Next)
waiting.before(["made_up"], lambda: None)
assert sys.meta_path[:2] == [waiting, Next]
import made_up
print(made_up.__spec__.name)
""")
    assert said == "made_up\n"


def test_two_threads_that_look_at_once_are_one_first_look() -> None:
    said = run("""
waiting.before(["one", "two"], lambda: print("first"))
for name in ("one", "two"): waiting._first(name)  # both had looked before either went on
""")
    assert said == "first\n"
