"""Forks in the middle of other threads' imports: no child hangs, and each says what it imported itself."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

FORKS = int(os.environ.get("BLUEROCK_TEST_FORKS", "500"))

# The children import what no thread of the parent does: a module that was being imported at the fork is locked for ever
# in the child, with the sensor and without.
PROGRAM = """
import importlib, os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
forks, busy = int(sys.argv[1]), True
def work(start):
    turn = 0
    while busy:
        turn += 1
        for number in range(start, 40, 4):
            importlib.import_module(f"m{number}")
            del sys.modules[f"m{number}"]
            with open(f"m{number}.py", "w") as file:
                file.write(f"value = {turn}\\n" + "#" * (turn % 50))
threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
for thread in threads: thread.start()
hung = failed = 0
for number in range(forks):
    pid = os.fork()
    if not pid:
        import ofchild, msgspec
        os._exit(0)
    end = time.monotonic() + 60
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            failed += status != 0
            break
        if time.monotonic() > end:
            hung += 1
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            break
        time.sleep(0.001)
busy = False
for thread in threads: thread.join()
print(hung, failed)
"""


@pytest.mark.stress
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_no_child_hangs_that_is_forked_while_threads_import(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    for name in (*(f"m{number}" for number in range(40)), "ofchild"):
        (tmp_path / f"{name}.py").write_text("value = 0\n")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    env = {**sensor_env, "PYTHONDONTWRITEBYTECODE": "1"}
    done = peer_venv(python).run("python", "program.py", str(FORKS), env=env, cwd=tmp_path, timeout=1800)
    assert (done.stdout, done.stderr) == ("0 0\n", "")
    told: dict[int, set[str]] = {}
    for event in named(read_spool(spool), "python_import"):
        told.setdefault(event["context"]["process"]["pid"], set()).add(event["fullname"])
    children = [names for names in told.values() if "ofchild" in names]
    assert len(children) == FORKS
    assert all(names >= {"ofchild", "msgspec", "msgspec._core"} for names in children)
    assert not any(name.startswith("m") and name[1:].isdigit() for names in children for name in names)
