"""Somebody truncates a ring while its process runs: what no mapping can survive, and the way around it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from _storage import lines_of, numbers, run_python

from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

CODE = """
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for i in range(10):
        assert recorder.emit(event(i))
    for path in spool.rings():
        os.truncate(path, 0)
    for i in range(10, 20):
        assert recorder.emit(event(i))
    recorder.close()
    print("fine")
"""


def test_with_a_mapping_it_is_sigbus(tmp_path: Path) -> None:
    """As docs/reliability.md says: should this ever pass, say so there."""
    done = run_python(tmp_path / "spool", CODE, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, "")


def test_in_write_mode_nothing_happens(tmp_path: Path) -> None:
    done = run_python(tmp_path / "spool", CODE, env={"MODE": "write"})
    assert done.stdout == "fine\n"
    assert numbers(lines_of(Spool(str(tmp_path / "spool")))) == list(range(20))


PROGRAM = """\
import glob, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for path in glob.glob(os.environ["BLUEROCK_SPOOL_DIR"] + "/rings/*.ring"):
    os.truncate(path, 0)
import colorsys
os.system("true")
print("fine")
"""


@pytest.mark.parametrize(("mode", "status"), [("mmap", -signal.SIGBUS), ("write", 0)])
def test_the_documented_switch(
    mode: str, status: int, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    env = {**sensor_env, "BLUEROCK_RING": mode}
    done = peer_venv().run("python", "-c", PROGRAM, env=env, check=False)
    assert (done.returncode, done.stdout) == (status, "fine\n" if status == 0 else "")
    assert done.stderr == ""
