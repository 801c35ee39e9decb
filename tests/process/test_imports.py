"""Every module that loads, however it loads: once, with the bytes that ran; and nothing that did not load."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _peers
import pytest
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")

MakePeer = "Callable[..., Peer]"


class Program:
    """A directory of modules, and runs of code that finds them there."""

    def __init__(self, directory: Path, env: dict[str, str], spool: Path) -> None:
        self.directory = directory
        self.env = env
        self.spool = spool
        directory.mkdir()

    def file(self, name: str, text: str = "value = 1\n") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, peer: Peer, code: str, *, check: bool = True, keep: bool = False, **env: str) -> list[dict[str, Any]]:
        """Run ``code`` as a script of the directory, without ``check`` to any end; the events of that run.

        ``keep``: the spool stays as it was but for the events in it.
        """
        if keep:
            for segment in self.spool.glob("*.ndjson"):
                segment.unlink()
        else:
            shutil.rmtree(self.spool, ignore_errors=True)
        script = self.file("program.py", code)
        done = peer.run(peer.python, script, env={**self.env, **env}, cwd=self.directory, check=check)
        if check:
            assert "Error" not in done.stderr
            assert "Warning" not in done.stderr
        return read_spool(self.spool)


@pytest.fixture
def program(tmp_path: Path, sensor_env: dict[str, str], spool: Path) -> Program:
    return Program(tmp_path / "program", sensor_env, spool)


def modules(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The import events by name; a second one of a name fails the test."""
    found: dict[str, dict[str, Any]] = {}
    for event in named(events, "python_import"):
        assert event["fullname"] not in found, event
        found[event["fullname"]] = event
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plain(event: Mapping[str, Any], *members: str) -> tuple[Any, ...]:
    return tuple(event.get(member) for member in members)


@pytest.mark.parametrize("python", VERSIONS)
def test_source_then_bytecode(program: Program, peer_venv: Callable[..., Peer], python: str) -> None:
    peer = peer_venv(python)
    source = program.file("plainmodule.py", "value = 42\n")
    (first,) = [modules(program.run(peer, "import plainmodule"))[name] for name in ("plainmodule",)]
    assert plain(first, "file", "loader", "executed", "how", "pkg", "record", "kept", "pyc") == (
        str(source), "SourceFileLoader", "source", None, None, None, None, None,
    )  # fmt: skip
    assert first["sha256"] == first["executed_sha256"] == sha256(source)
    second = modules(program.run(peer, "import plainmodule"))["plainmodule"]
    (pyc,) = (program.directory / "__pycache__").glob("plainmodule.*.pyc")
    assert second["executed"] == "pyc"
    assert second["sha256"] == sha256(source)
    assert second["executed_sha256"] == hashlib.sha256(pyc.read_bytes()[16:]).hexdigest()


@pytest.mark.parametrize("python", VERSIONS)
def test_every_way_to_load_code(program: Program, peer_venv: Callable[..., Peer], python: str) -> None:
    peer = peer_venv(python)
    program.file("package/__init__.py")
    program.file("package/inner.py")
    program.file("space/one/leaf.py")
    program.file("by_name.py")
    program.file("by_path.py")
    program.file("ran.py")
    program.file("ran_as_module.py")
    program.file("lazy_used.py")
    program.file("lazy_unused.py")
    program.file("reloaded.py")
    program.file("executed_text.py")
    program.file("bare/sourceless.py")
    program.file("probed.py")
    program.file("fails.py", "raise ValueError('on purpose')\n")
    with zipfile.ZipFile(program.directory / "archive.zip", "w") as archive:
        archive.writestr("zipped.py", "value = 1\n")
        archive.writestr("zippedpackage/__init__.py", "")
    events = program.run(
        peer,
        """
        import importlib, importlib.util, os, py_compile, runpy, sys
        import package.inner
        import space.one.leaf
        importlib.import_module("by_name")
        spec = importlib.util.spec_from_file_location("server_module", "by_path.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        runpy.run_path("ran.py", run_name="other")
        runpy.run_module("ran_as_module", run_name="ran_as_module")
        for name in ("lazy_used", "lazy_unused"):
            spec = importlib.util.find_spec(name)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        sys.modules["lazy_used"].value
        import reloaded
        importlib.reload(reloaded)
        with open("executed_text.py") as file:
            exec(compile(file.read(), os.path.abspath("executed_text.py"), "exec"), {})
        py_compile.compile("bare/sourceless.py", cfile="bare/sourceless.pyc")
        os.unlink("bare/sourceless.py")
        sys.path[:0] = ["archive.zip", os.path.abspath("bare")]
        sys.path.insert(0, os.path.abspath("archive.zip"))
        import zipped, zippedpackage, sourceless
        import msgspec
        importlib.util.find_spec("probed")
        try:
            import fails
        except ValueError:
            pass
        try:
            import never_was
        except ImportError:
            pass
        """,
        PYTHONDONTWRITEBYTECODE="1",  # the reload is of the same source then
    )
    unnamed = [event for event in named(events, "python_import") if "fullname" not in event]
    assert [(event["file"], event["how"]) for event in unnamed] == [
        (str(program.directory / "executed_text.py"), "direct")
    ]
    named_ones = [line for line in events if "fullname" in line["event"] or "python_import" not in str(line)]
    found = modules(named_ones)
    here = str(program.directory)
    assert plain(found["__main__"], "file", "how") == (f"{here}/program.py", "main")
    assert plain(found["package"], "file", "how") == (f"{here}/package/__init__.py", None)
    assert plain(found["package.inner"], "file", "how") == (f"{here}/package/inner.py", None)
    assert plain(found["space"], "file", "how", "loader") in (
        (None, "found", "NamespaceLoader"),
        (None, "found", "_NamespaceLoader"),
    )
    assert found["space.one"]["how"] == "found"
    assert found["space.one.leaf"]["executed"] == "source"
    assert found["by_name"]["executed"] == "source"
    assert plain(found["server_module"], "file", "how", "executed") == (f"{here}/by_path.py", "direct", "source")
    assert plain(found["other"], "file", "executed") == (f"{here}/ran.py", "source")
    assert found["ran_as_module"]["file"] == f"{here}/ran_as_module.py"
    assert found["lazy_used"]["executed"] == "source"
    assert "lazy_unused" not in found
    assert found["reloaded"]["executed"] == "source"
    assert plain(found["zipped"], "file", "archive", "executed", "loader") == (
        f"{here}/archive.zip/zipped.py", f"{here}/archive.zip", "source", "zipimporter",
    )  # fmt: skip
    assert found["zipped"]["sha256"] == sha256(program.directory / "archive.zip")
    assert found["zipped"]["executed_sha256"] == hashlib.sha256(b"value = 1\n").hexdigest()
    assert plain(found["sourceless"], "file", "executed") == (f"{here}/bare/sourceless.pyc", "pyc")
    assert plain(found["msgspec._core"], "loader", "pkg", "record", "kept") == (
        "ExtensionFileLoader", "msgspec", "match", None,
    )  # fmt: skip
    assert found["fails"]["kept"] is False
    assert {"probed", "never_was"}.isdisjoint(found)
    # runpy gives what it runs a place in sys.modules for as long as it runs.
    assert [name for name, event in found.items() if event.get("kept") is False] == ["other", "fails"]
    assert not any(event.get("shadows_stdlib") for event in found.values())


def test_a_reload_is_recorded_again_when_the_bytes_changed(program: Program, peer_venv: Callable[..., Peer]) -> None:
    program.file("changing.py", "value = 1\n")
    events = program.run(
        peer_venv(),
        """
        import importlib, changing
        importlib.reload(changing)
        with open("changing.py", "w") as file:
            file.write("value = 22\\n")
        importlib.reload(changing)
        importlib.reload(changing)
        """,
        PYTHONDONTWRITEBYTECODE="1",
    )
    (first, second) = [event for event in named(events, "python_import") if event["fullname"] == "changing"]
    assert first["executed_sha256"] == hashlib.sha256(b"value = 1\n").hexdigest()
    assert second["executed_sha256"] == second["sha256"] == hashlib.sha256(b"value = 22\n").hexdigest()


def test_the_standard_library_is_summed_up_unless_all_of_it_is_asked_for(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    code = "import json, sqlite3, xml.etree.ElementTree, sys\nprint(*sorted(sys.modules), file=open('names', 'w'))"
    peer = peer_venv()
    events = program.run(peer, code)
    loaded = set((program.directory / "names").read_text().split())
    assert set(modules(events)) == {"__main__"}
    summaries = named(events, "python_import_stdlib")
    assert all(summary["count"] == len(summary["modules"]) for summary in summaries)
    summed = [name for summary in summaries for name in summary["modules"]]
    assert len(summed) == len(set(summed))
    ours = {name for name in loaded if name.partition(".")[0] == "bluerock_hooks"}
    assert set(summed) == loaded - ours - {"__main__"}
    assert named(events, "python_package") == []

    found = modules(program.run(peer, code, BLUEROCK_IMPORTS="all"))
    assert loaded - set(found) - set(sys.builtin_module_names) <= {"os.path"}
    assert found["json"]["file"] == json.__file__
    assert found["json"]["sha256"] == sha256(Path(json.__file__))
    assert found["bluerock_hooks"]["record"] == "match"
    assert [name for name, event in found.items() if event.get("shadows_stdlib")] == []
    assert {"python_import", "python_import_stdlib", "python_package"}.isdisjoint(
        line["event"]["meta"]["name"] for line in program.run(peer, code, BLUEROCK_IMPORTS="off")
    )


def test_a_module_under_a_standard_name_from_elsewhere_is_flagged(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    program.file("colorsys.py")
    program.file("wave/chunk.py")
    events = program.run(peer_venv(), "import colorsys, wave, wave.chunk, cgitb", check=False)
    found = modules(events)
    assert plain(found["colorsys"], "shadows_stdlib", "file") == (True, str(program.directory / "colorsys.py"))
    assert all("shadows_stdlib" not in found[name] for name in found if name != "colorsys")
    assert "wave" in named(events, "python_import_stdlib")[-1]["modules"]


def test_code_that_says_it_is_of_the_standard_library_is_recorded_all_the_same(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    """The path in a code object is what its author wrote there."""
    program.file(
        "build.py",
        """
        import importlib.util, marshal, os, sys
        code = compile("value = 'evil'", os.__file__, "exec")
        with open("pretends.pyc", "wb") as file:
            file.write(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
        """,
    )
    peer = peer_venv()
    peer.run(peer.python, "build.py", cwd=program.directory, env={})
    found = modules(program.run(peer, "import pretends\nassert pretends.value == 'evil'"))
    assert plain(found["pretends"], "file", "executed") == (str(program.directory / "pretends.pyc"), "pyc")


@pytest.mark.parametrize("code_activity", ["off", "all"])  # another one that hears what bytecode is read
def test_an_unchecked_pyc_of_another_source_is_flagged(
    program: Program, peer_venv: Callable[..., Peer], code_activity: str
) -> None:
    for name in ("fresh", "stale", "checked"):
        program.file(f"{name}.py", f"value = '{name}'\n")
    peer = peer_venv()
    code = """
        import py_compile
        modes = py_compile.PycInvalidationMode
        for name in ("fresh", "stale"):
            py_compile.compile(f"{name}.py", invalidation_mode=modes.UNCHECKED_HASH)
        py_compile.compile("checked.py", invalidation_mode=modes.CHECKED_HASH)
    """
    program.run(peer, code)
    program.file("stale.py", "value = 'other'\n" + "#" * (1 << 19))
    program.file("checked.py", "value = 'other'\n")
    found = modules(
        program.run(peer, "import fresh, stale, checked\nassert stale.value == 'stale'", BLUEROCK_CODE=code_activity)
    )
    assert plain(found["fresh"], "pyc", "executed") == (None, "pyc")
    assert plain(found["stale"], "pyc", "executed") == ("stale", "pyc")
    assert plain(found["checked"], "pyc", "executed") == (None, "source")


def test_a_pyc_that_was_swapped_is_told_by_its_own_bytes_whatever_is_remembered(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    """What ran is hashed once for all processes of a spool: as long as it is the same file."""
    peer = peer_venv()
    program.file("plainmodule.py", f"value = '{'abc' * 400_000}'\n")
    for number in range(64):  # of a few modules nothing is remembered
        program.file(f"other{number}.py")
    code = "for n in range(64): __import__(f'other{n}')\nimport plainmodule"
    program.run(peer, code)
    (pyc,) = (program.directory / "__pycache__").glob("plainmodule.*.pyc")
    time.sleep(2.1)  # a file that has just changed is not remembered
    for _ in range(2):
        told = modules(program.run(peer, code, keep=True))["plainmodule"]
        assert told["executed_sha256"] == hashlib.sha256(pyc.read_bytes()[16:]).hexdigest()
    assert told["executed_sha256"].encode() in (program.spool / "bytecode.sha256").read_bytes()

    before = pyc.stat()
    swapped = pyc.read_bytes().replace(b"abcabc", b"abcxyz", 1)
    pyc.write_bytes(swapped)
    os.utime(pyc, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (pyc.stat().st_size, pyc.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    told = modules(program.run(peer, code, keep=True))["plainmodule"]
    assert told["executed"] == "pyc"
    assert told["executed_sha256"] == hashlib.sha256(swapped[16:]).hexdigest()


def test_what_was_imported_is_in_the_ring_when_the_import_is_done(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    program.file("kept.py")
    events = program.run(
        peer_venv(), "import kept, msgspec, asyncio, os, signal\nos.kill(os.getpid(), signal.SIGKILL)", check=False
    )
    found = modules(events)
    assert found["kept"]["executed_sha256"] == sha256(program.directory / "kept.py")
    assert "sha256" not in found["kept"]  # nobody was left to read the file at that time
    assert {"msgspec", "msgspec._core"} <= set(found)
    summed = {name for event in named(events, "python_import_stdlib") for name in event["modules"]}
    assert len(summed) >= 64  # what is missing is less than as many again
    command = (peer_venv().python, "-m", "bluerock_hooks", "imports", "--json", "--spool", program.spool)
    document = json.loads(peer_venv().run(*command).stdout)
    (group,) = [each for each in document["distributions"] if each["name"] == "msgspec"]
    assert {"msgspec", "msgspec._core"} <= {each["fullname"] for each in group["modules"]}
    assert not any("record" in each for each in group["modules"])  # what the file was then, nobody can say now


def test_the_events_that_a_process_counted_are_those_that_it_left(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    events = program.run(peer_venv(), "import msgspec, wrapt, importlib_metadata")
    (end,) = named(events, "sensor_shutdown")
    assert end["events"] == len(events)
    assert [line["event"]["meta"]["source_event_id"] for line in events][-1] == len(events)
    packages = {event["name"]: event for event in named(events, "python_package")}
    assert set(packages) >= {"msgspec", "wrapt", "importlib_metadata"} - {"importlib_metadata"}
    found = modules(events)
    for name, package in packages.items():
        assert package["modules"] == sum(event.get("pkg") == name for event in found.values())
        assert plain(package, "mismatches", "installer") == (0, "uv")


READ = """
import importlib.util, io, marshal, os, threading
from types import ModuleType
standard = importlib.util.find_spec("colorsys")
standard.loader.get_code("colorsys")  # writes the .pyc, if there was none
exec("pass")  # whatever runs next is what was read, or shows that it was not
def code_of(file):
    # by way of another thread: this one is not to be taken for one that compiled it
    made = []
    def make():
        made.append(compile("value = 'other'", file, "exec"))
        marshal.load(io.BytesIO(marshal.dumps(0)))  # forgets it: a later thread may have the same number
    thread = threading.Thread(target=make)
    thread.start(); thread.join()
    return made[0]
def exec_module(code, name):
    module = ModuleType(name)
    module.__file__ = os.path.abspath(f"{name}.py")
    exec(code, vars(module))
def read():
    return standard.loader.get_code("colorsys")
def in_a_thread(step):
    thread = threading.Thread(target=step)
    thread.start(); thread.join()
other, pretends = code_of(os.path.abspath("other.py")), code_of(standard.origin)
"""


@pytest.mark.parametrize(
    ("code", "told", "summarised"),
    [
        ("read()", [], False),
        ("exec_module(read(), 'tool')", [], True),
        ("read(); exec_module(other, 'other')", ["other"], False),
        ("read(); exec_module(other, 'other'); exec_module(pretends, 'pretends')", ["other", "pretends"], False),
        ("read(); compile('', 'x.py', 'exec'); exec_module(pretends, 'pretends')", ["pretends"], False),
        (
            "read(); marshal.load(io.BytesIO(marshal.dumps(other))); exec_module(pretends, 'pretends')",
            ["pretends"],
            False,
        ),
        ("in_a_thread(read); exec_module(pretends, 'pretends')", ["pretends"], False),
        (
            "code = read(); in_a_thread(lambda: exec_module(pretends, 'pretends')); exec_module(code, 'tool')",
            ["pretends"],
            True,
        ),
        (
            "read()\nif pid := os.fork(): os.waitpid(pid, 0)\nelse: exec_module(pretends, 'pretends')",
            ["pretends"],
            False,
        ),
        ("import runpy; runpy.run_module('colorsys', run_name='ran')", [], True),
        (
            "import colorsys, importlib; importlib.reload(colorsys); exec_module(pretends, 'pretends')",
            ["pretends"],
            True,
        ),
        ("marshal.loads(marshal.dumps(other)); import colorsys; exec_module(other, 'other')", ["other"], True),
    ],
)
def test_a_standard_module_is_summarised_when_the_code_that_importlib_read_runs_and_nothing_else_is(
    program: Program, peer_venv: Callable[..., Peer], code: str, told: list[str], summarised: bool
) -> None:
    """Whatever path its code object has: that of ``pretends`` is of the standard library."""
    events = program.run(peer_venv(), READ + code)
    found = modules(events)
    assert [name for name in found if name != "__main__"] == told
    assert [found[name].get("executed") for name in told] == [None for _ in told]
    names = [name for summary in named(events, "python_import_stdlib") for name in summary["modules"]]
    assert names.count("colorsys") == summarised
    assert {"ran", "tool", *told}.isdisjoint(names)


@pytest.mark.parametrize("python", ["3.10", "3.13"])
def test_bytecode_that_the_interpreter_reads_by_itself_is_no_failure(
    program: Program, peer_venv: Callable[..., Peer], python: str
) -> None:
    """Nothing of Python runs when it reads its program from a ``.pyc``."""
    peer = peer_venv(python)
    program.file("compiled.py", "import plainmodule\n")
    program.file("plainmodule.py")
    program.run(peer, "import py_compile; py_compile.compile('compiled.py', cfile='compiled.pyc')")
    shutil.rmtree(program.spool)
    peer.run(peer.python, "compiled.pyc", env=program.env, cwd=program.directory)
    events = read_spool(program.spool)
    assert modules(events)["plainmodule"]["executed"] == "source"
    assert named(events, "sensor_shutdown")[0]["errors"] == 0


@pytest.mark.parametrize("python", VERSIONS[1:])
def test_threads_that_import_at_once_and_a_fork_in_the_middle(
    program: Program, peer_venv: Callable[..., Peer], python: str
) -> None:
    for number in range(120):
        program.file(f"many/m{number}.py", f"value = {number}\n")
    events = program.run(
        peer_venv(python),
        """
        import importlib, os, sys, threading
        def work(numbers):
            for number in numbers:
                importlib.import_module(f"many.m{number}")
        threads = [threading.Thread(target=work, args=(range(start, 120, 3),)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while len(os.listdir("/proc/self/task")) > 1:  # 3.12+ warns of what the kernel still counts
            pass
        pid = os.fork()
        import xmlrpc.client, msgspec
        if not pid:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    by_pid: dict[int, list[str]] = {}
    for event in named(events, "python_import"):
        by_pid.setdefault(event["context"]["process"]["pid"], []).append(event["fullname"])
    parent, child = by_pid.values()
    assert sorted(name for name in parent if name.startswith("many.m")) == sorted(f"many.m{n}" for n in range(120))
    assert len(set(parent)) == len(parent)
    assert not any(name.startswith("many") for name in child)
    assert "msgspec" in child


def test_sitecustomize_is_a_module_like_any_other(program: Program, peer_venv: Callable[..., Peer]) -> None:
    site = program.file("site/sitecustomize.py").parent
    events = program.run(peer_venv(), "import msgspec", PYTHONPATH=str(site))
    assert plain(modules(events)["sitecustomize"], "file", "how") == (str(site / "sitecustomize.py"), None)


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_an_import_inside_a_tool_call_belongs_to_that_call(
    program: Program, peer_venv: Callable[..., Peer], sdk: str
) -> None:
    program.file("wanted_late.py", "import wanted_deeper\n")
    program.file("wanted_deeper.py")
    shutil.copy(Path(__file__).parent.parent / "_in_memory.py", program.directory)
    events = program.run(
        peer_venv("3.11", sdk),
        """
        import asyncio
        from _in_memory import session
        try:
            from mcp.server.fastmcp import FastMCP as Server
        except ImportError:
            from mcp.server import MCPServer as Server
        server = Server("late")
        @server.tool()
        def late() -> str:
            import wanted_late
            return "done"
        async def main():
            async with session(server, "legacy") as client:
                await client.call_tool("late", {})
        asyncio.run(main())
        """,
    )
    found = modules(events)
    for name in ("wanted_late", "wanted_deeper"):
        context = found[name]["context"]["mcp"]
        assert plain(context, "method", "tool") == ("tools/call", "late")
        assert found[name]["sha256"] == sha256(program.directory / f"{name}.py")
    assert "mcp" not in found["mcp"]["context"]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.13", "3.15"])
def test_what_runs_before_the_program_is_told_with_its_owner(
    program: Program, wheel: Path, tmp_path: Path, python: str
) -> None:
    peer = _peers.fresh(wheel, tmp_path / "venv", python=python)
    stray = peer.site / "stray.pth"
    stray.write_text("# a comment\n/some/path\nimport sys; sys.stray = 'https://user:hunter2secret@example.com/'\n")
    (peer.site / "both.pth").write_text("import sys; sys.both = 1\n")
    (peer.site / "both.start").write_text("sys:getrefcount\n")
    (peer.site / "paths.pth").write_text(f"{program.directory}\n")
    (peer.site / "sitecustomize.py").write_text("import sys\nsys.customized = True\n")
    events = program.run(peer, "import sys\nassert sys.stray and sys.customized", check=False)
    (start,) = named(events, "sensor_startup")
    found = {Path(each["file"]).name: each for each in start["startup"]}
    starts = python == "3.15"
    shipped = "bluerock_hooks.start" if starts else "bluerock_hooks.pth"
    assert set(found) == {"stray.pth", "both.start" if starts else "both.pth", shipped, "sitecustomize.py"}
    assert plain(found[shipped], "pkg", "sha256") == ("bluerock-hooks", sha256(peer.site / shipped))
    assert plain(found["stray.pth"], "pkg", "sha256") == (None, sha256(stray))
    (line,) = found["stray.pth"]["lines"]
    assert line.startswith("import sys; sys.stray = ")
    assert "hunter2secret" not in line
    assert found["sitecustomize.py"]["sha256"] == sha256(peer.site / "sitecustomize.py")
    assert modules(events)["sitecustomize"]["executed"] == "source"


def test_a_forked_child_does_not_tell_again_what_its_parent_told(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    events = program.run(
        peer_venv(),
        """
        import os, msgspec
        pid = os.fork()
        if not pid:
            import importlib_metadata, msgspec.json
            os._exit(0)
        os.waitpid(pid, 0)
        """,
    )
    starts = named(events, "sensor_startup")
    assert [bool(event.get("startup")) for event in starts] == [True, False]
    parent, child = (event["context"]["process"]["pid"] for event in starts)
    by_pid = {pid: set[str]() for pid in (parent, child)}
    for event in named(events, "python_import"):
        by_pid[event["context"]["process"]["pid"]].add(event["fullname"])
    assert {"__main__", "msgspec", "msgspec._core"} <= by_pid[parent]
    assert by_pid[parent].isdisjoint(by_pid[child])
    assert {"importlib_metadata", "msgspec.json"} & by_pid[child]


def test_where_every_event_is_written_at_once_it_is_complete_at_once(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    program.file("written.py")
    code = "import written, msgspec, os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    found = modules(program.run(peer_venv(), code, check=False, BLUEROCK_RING="write"))
    assert found["written"]["sha256"] == sha256(program.directory / "written.py")
    assert found["msgspec._core"]["record"] == "match"


def test_a_process_that_imports_more_than_the_ring_holds_loses_nothing(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    for number in range(600):
        program.file(f"lots/of_modules_with_quite_long_names_{number}.py")
    code = """
        import importlib
        for number in range(600):
            importlib.import_module(f"lots.of_modules_with_quite_long_names_{number}")
    """
    events = program.run(peer_venv(), code, BLUEROCK_RING_BYTES="64k")
    found = [event for name, event in modules(events).items() if name.startswith("lots.of")]
    assert len(found) == 600
    assert all(event["sha256"] == event["executed_sha256"] for event in found)
    (end,) = named(events, "sensor_shutdown")
    assert (end["events"], end["dropped"], end["errors"]) == (len(events), 0, 0)


def test_a_lazy_import_is_recorded_when_it_happens(program: Program, peer_venv: Callable[..., Peer]) -> None:
    """PEP 810, from Python 3.15 on."""
    program.file("used_late.py")
    program.file("never_used.py")
    code = """
        lazy import used_late
        lazy import never_used
        import sys
        assert "used_late" not in sys.modules
        import msgspec
        assert used_late.value == 1
    """
    found = modules(program.run(peer_venv("3.15"), code))
    assert "never_used" not in found
    assert found["used_late"]["executed"] == "source"
    assert list(found).index("msgspec") < list(found).index("used_late")


def test_what_is_read_at_the_end_has_a_bound_and_the_rest_is_counted(
    program: Program, peer_venv: Callable[..., Peer]
) -> None:
    program.file("small.py")
    large = program.file("large.py", "value = 1\n" + "#" * 4000 + "\n")
    peer = peer_venv()
    code = "import small, large, msgspec"
    events = program.run(peer, code, BLUEROCK_EXIT_HASH_BYTES="3000")
    found = modules(events)
    assert plain(found["small"], "unread", "sha256") == (None, sha256(program.directory / "small.py"))
    assert plain(found["large"], "unread", "sha256", "executed_sha256") == (True, None, sha256(large))
    assert plain(found["msgspec._core"], "unread", "sha256", "record", "pkg") == (True, None, None, "msgspec")
    unread = sum(event.get("unread", False) for event in found.values())
    assert named(events, "sensor_shutdown")[0]["unread"] == unread >= 3
    events = program.run(peer, code)
    assert "unread" not in named(events, "sensor_shutdown")[0]
    assert modules(events)["large"]["sha256"] == sha256(large)
