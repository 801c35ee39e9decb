"""A core file of the program does not hold its ring."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import _peers
import pytest
from _storage import PRELUDE

_MARK = b"mark-of-an-event-"


def ring_range(pid: int) -> tuple[int, int, str]:
    """Where the ring is mapped, and the kernel's flags of that mapping."""
    smaps = Path(f"/proc/{pid}/smaps").read_text()
    found = re.search(
        r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ +\S+\.ring$(?:\n[A-Z].*)*?\nVmFlags: (.*)$", smaps, re.M
    )
    assert found
    return int(found[1], 16), int(found[2], 16), found[3]


def stored(core: Path) -> list[tuple[int, int, int, int]]:
    """Address, size, place and length in the file of each segment of a 64-bit core."""
    with core.open("rb") as file:
        head = file.read(64)
        assert head[:5] == b"\x7fELF\x02"
        offset, entry, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        table = file.read(entry * count)
    rows = [struct.unpack_from("<IIQQQQQ", table, index * entry) for index in range(count)]
    return [(address, size, place, length) for kind, _, place, address, _, length, size in rows if kind == 1]


@pytest.mark.parametrize("python", _peers.SUPPORTED)
def test_the_ring_is_not_in_a_core_file(tmp_path: Path, python: str) -> None:
    code = """
for i in range(100):
    recorder.emit(b'{"i":"mark-of-an-event-%d"}' % i)
print("ready", flush=True)
sys.stdin.read()
"""
    env = _peers.environment(tmp_path, PYTHONPATH=str(_peers.ROOT), SPOOL=str(tmp_path / "spool"))
    command = [str(_peers.interpreter(python)), "-c", PRELUDE + code]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
            start, end, flags = ring_range(program.pid)
            assert "dd" in flags.split(), "the kernel is asked to leave it out"
            (ring,) = (tmp_path / "spool" / "rings").glob("*.ring")
            assert _MARK in ring.read_bytes()
            if shutil.which("gdb") is None or python != f"{sys.version_info.major}.{sys.version_info.minor}":
                return
            core = tmp_path / "core"
            batch = ["gdb", "-nx", "-batch", "-p", str(program.pid), "-ex", f"generate-core-file {core}"]
            done = subprocess.run(batch, capture_output=True, text=True, timeout=120)
            if not core.exists():
                _peers.missing(f"the right to trace a process ({done.stderr.strip()[-200:]})")
        finally:
            program.kill()
    inside = [row for row in stored(core) if row[0] < end and start < row[0] + row[1]]
    assert sum(length for *_, length in inside) == 0
