"""Acting when a module has been imported: in interpreters of their own, on modules that nobody has loaded yet."""

from __future__ import annotations

import subprocess
import sys

import pytest
from _peers import ROOT

FROZEN = ("os",) if sys.version_info >= (3, 11) else ()
BEGIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bluerock_hooks.hooks._after_import import AfterImport
seen = []
waiting = AfterImport(["colorsys", "email.charset", "_bisect", "sys", "os"], lambda module: seen.append(module))
waiting.install()
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
    assert run("waiting.remove(); waiting.remove(); import colorsys; print(waiting in sys.meta_path)") == "False\n"
