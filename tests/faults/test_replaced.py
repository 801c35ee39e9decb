"""What the program replaced in the standard library is the program's: nothing of ours calls it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
EVERYWHERE = {f"BLUEROCK_{name}": "all" for name in ("NETWORK", "FILES", "NATIVE", "CODE")}

# Every function of these modules is replaced by one that complains when a frame of ours called it, itself or through
# the functions of os.path. The standard library goes on calling them below our wrappers: that is not us.
REPLACE = """
import builtins, os, posixpath, subprocess, sys, time

complaints = set()
through = ("<frozen posixpath>", "<frozen genericpath>", "posixpath.py", "genericpath.py")

def replacement(name, original):
    def replaced(*args, **kwargs):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.endswith(through):
            frame = frame.f_back
        if frame is not None and "/bluerock_hooks/" in frame.f_code.co_filename:
            complaints.add(f"{name} in {frame.f_code.co_filename.rpartition('/bluerock_hooks/')[2]}")
        return original(*args, **kwargs)
    return replaced

# what others look at by identity, or hand to C
kept = {"os.fspath", "os.fsencode", "os.fsdecode", "os.register_at_fork"}
for owner, module in (("os", os), ("os.path", posixpath), ("time", time)):
    for name, value in list(vars(module).items()):
        if callable(value) and not isinstance(value, type) and f"{owner}.{name}" not in kept and name[0] != "_":
            setattr(module, name, replacement(f"{owner}.{name}", value))
builtins.open = replacement("open", builtins.open)
"""

PROGRAM = (
    REPLACE
    + """
sys.path.insert(0, "")
subprocess.run(["true"]); subprocess.run(["./program", "x"], env={"PATH": ""}); os.system("true")
os.waitpid(os.spawnvp(os.P_NOWAIT, "true", ["true"]), 0)
if not (child := os.fork()):
    os._exit(3)
os.waitpid(child, 0)
subprocess.run(["sh", "-c", "kill -9 $$"])
open("written", "w").close()
here = os.open(".", os.O_RDONLY)
os.rename("written", "renamed", src_dir_fd=here, dst_dir_fd=here); os.remove("renamed")
import module_beside
exec(compile("pass", "relative.py", "exec"), {"__name__": "relative", "__file__": "relative.py"})
print(sorted(complaints))
"""
)


@pytest.mark.parametrize("python", VERSIONS)
def test_no_function_that_a_program_replaced_is_called_by_us(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "module_beside.py").touch()
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o700)
    done = peer_venv(python).run("python", "program.py", env={**sensor_env, **EVERYWHERE}, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    lines = read_spool(spool)
    assert len(named(lines, "python_process_spawn")) == 6
    assert {"python_file_open", "python_file_rename", "python_file_remove"} <= {
        line["event"]["meta"]["name"] for line in lines
    }


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_nor_with_mcp(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    tests = Path(__file__).parent.parent
    program = f"""
sys.path[:0] = [{str(EXAMPLES)!r}, {str(tests)!r}]
import asyncio, _in_memory
asyncio.run(_in_memory.talk("legacy"))
print(sorted(complaints))
"""
    (tmp_path / "program.py").write_text(REPLACE + program)
    done = peer_venv("3.11", sdk).run("python", "program.py", env=sensor_env, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(named(read_spool(spool), "python_mcp_event")) > 30


def test_a_watch_for_blocking_calls_does_not_see_ours(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    """blockbuster puts functions that raise into the types of C, while an event loop runs."""
    (tmp_path / "program.py").write_text(f"""
import asyncio, os, sys
sys.path[:0] = [{str(EXAMPLES)!r}, {str(Path(__file__).parent.parent)!r}]
import blockbuster, _in_memory

async def main():
    async with _in_memory.connect("legacy") as client:
        await client.call_tool("add", {{"a": 2, "b": 3}})
        with blockbuster.blockbuster_ctx():
            await client.call_tool("add", {{"a": 3, "b": 4}})
            if not (child := os.fork()):
                os._exit(0)
            os.waitpid(child, 0)
            child = os.posix_spawnp("true", ["true"], {{"PATH": os.environ["PATH"]}})
            os.waitpid(child, 0)

asyncio.run(main())
os._exit(0)  # what blockbuster leaves in the types may crash the interpreter when it ends, without us too
""")
    peer = peer_venv("3.11", "mcp==2.3.0", "blockbuster")
    assert peer.run("python", "program.py", env=sensor_env, cwd=tmp_path).stderr == ""
    lines = read_spool(spool)
    assert [event["api"] for event in named(lines, "python_process_spawn")] == ["os.fork", "os.posix_spawnp"]
    assert not named(lines, "python_events_dropped")
