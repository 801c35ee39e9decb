"""A host under limits of the kernel: it runs as without us, and what was lost is counted."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import _peers
import pytest
from _storage import lines_of, numbers, run_python

from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

NO_FILE_AT_ALL = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    refused = [recorder.emit(event(i)) for i in range(200)]
    dropped = recorder.counts().dropped
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    recorder._drain._open_not_before = 0  # half a minute later
    print(refused.count(True), dropped, recorder.emit(event(200)))
    recorder.close()
"""


@pytest.mark.parametrize("python", _peers.SUPPORTED)
def test_no_file_may_grow(tmp_path: Path, python: str) -> None:
    done = run_python(tmp_path / "spool", NO_FILE_AT_ALL, python=python, check=False)
    assert (done.returncode, done.stdout) == (0, "0 200 True\n")
    assert done.stderr.count("\n") == 1
    assert numbers(lines_of(Spool(str(tmp_path / "spool")))) == [200]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_files_may_grow_to_a_limit_and_the_next_segment_begins(tmp_path: Path, mode: str) -> None:
    """128 KiB, less than a segment: nothing is lost, and no segment ends in half a line."""
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))
        assert all(recorder.emit(event(i, p="x" * 100)) for i in range(3000))
        recorder.close()
        print(max(segment.size for segment in spool.segments()) <= 1 << 17, len(spool.segments()), spool.rings())
    """
    done = run_python(tmp_path / "spool", code, env={"RING": str(1 << 14), "MODE": mode})
    assert done.stdout == "True 4 []\n"
    assert numbers(lines_of(Spool(str(tmp_path / "spool")))) == list(range(3000))


@pytest.mark.parametrize("python", _peers.SUPPORTED)
def test_no_memory_for_a_ring_or_a_thread(tmp_path: Path, python: str) -> None:
    code = """
        import resource
        recorder.want_thread()
        size = int(open("/proc/self/statm").read().split()[0]) * 4096
        limit = size + (1 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        accepted = [recorder.emit(event(i)) for i in range(100)].count(True)
        print(accepted + recorder.counts().dropped, recorder.counts().events == accepted)
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, python=python, check=False, env={"RING": str(64 << 20)})
    assert (done.returncode, done.stdout) == (0, "100 True\n"), done.stderr
    assert done.stderr.count("\n") == 1
    assert "Cannot allocate memory" in done.stderr


PROGRAM = "import json, sys; print('out', json.dumps([1])); sys.stderr.write('err\\n'); sys.exit(7)"
LIMITS = {
    "no file may grow": (resource.RLIMIT_FSIZE, 0),
    "files of 64 KiB": (resource.RLIMIT_FSIZE, 1 << 16),
    "six descriptors": (resource.RLIMIT_NOFILE, 6),
    "little address space": (resource.RLIMIT_AS, 80 << 20),
    "no further thread": (resource.RLIMIT_NPROC, 1),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_whole_sensor_under_a_limit(limit: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str]) -> None:
    which, value = LIMITS[limit]
    peer = peer_venv()
    done = peer.run(
        "python",
        "-c",
        PROGRAM,
        env=sensor_env,
        check=False,
        preexec_fn=lambda: resource.setrlimit(which, (value, value)),
    )
    *ours, theirs = done.stderr.splitlines()
    assert (done.stdout, theirs, done.returncode) == ("out [1]\n", "err", 7)
    assert len(ours) <= 1
    assert all(line.startswith("bluerock-hooks: ") for line in ours)
