"""No descriptor of ours is the host's, whatever the host did to its own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import _peers
import pytest
from _storage import lines_of, numbers, run_python

from bluerock_hooks.ring import read_ring
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parametrize("python", _peers.SUPPORTED)


def test_a_host_that_closes_everything_and_uses_the_numbers_again(tmp_path: Path, python: str) -> None:
    code = f"""
        recorder.want_thread()
        for i in range(500):
            recorder.emit(event(i))
        os.closerange(3, 65536)
        files = [os.open({str(tmp_path)!r} + f"/host{{n}}", os.O_RDWR | os.O_CREAT) for n in range(20)]
        for i in range(500, 3000):
            recorder.emit(event(i, p="x" * 100))
        recorder.drain()
        recorder.close()
        for fd in files:
            assert os.fstat(fd).st_size == 0
            os.write(fd, b"mine")
        print("fine")
    """
    done = run_python(tmp_path / "spool", code, python=python)
    assert done.stdout == "fine\n"
    assert numbers(lines_of(Spool(str(tmp_path / "spool")))) == list(range(3000))
    assert {(tmp_path / f"host{n}").read_bytes() for n in range(20)} == {b"mine"}


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
def test_a_host_started_with_closed_standard_streams(tmp_path: Path, python: str, closed: tuple[int, ...]) -> None:
    """What C code prints must not land in a ring or segment."""
    report = tmp_path / "report"
    code = f"""
        import ctypes
        libc = ctypes.CDLL(None)
        recorder.want_thread()
        for i in range(1000):
            recorder.emit(event(i))
            if i == 500:
                recorder.drain()
            libc.printf(b"printed"); libc.fflush(None)
        low = [fd for fd in (0, 1, 2) if os.path.exists(f"/proc/self/fd/{{fd}}")]
        recorder.close()
        with open({str(report)!r}, "w") as file:
            json.dump(low, file)
    """
    run_python(
        tmp_path / "spool",
        code,
        python=python,
        capture_output=False,
        preexec_fn=lambda: [os.close(fd) for fd in closed] and None,
    )
    assert json.loads(report.read_text()) == [fd for fd in (0, 1, 2) if fd not in closed]
    assert numbers(lines_of(Spool(str(tmp_path / "spool")))) == list(range(1000))


def test_no_descriptor_is_kept(tmp_path: Path, python: str) -> None:
    """Up to 3.12 a mapping opens one of its own."""
    code = """
        before = set(os.listdir("/proc/self/fd"))
        recorder.want_thread()
        for i in range(2000):
            recorder.emit(event(i))
        time.sleep(0.2)
        more = [fd for fd in set(os.listdir("/proc/self/fd")) - before]
        print([os.readlink(f"/proc/self/fd/{fd}").rpartition(".")[2] for fd in more])
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, python=python)
    assert done.stdout == "[]\n"


def test_what_the_host_writes_after_the_interpreter_has_ended(tmp_path: Path, python: str) -> None:
    """A mapping that is freed then closes the number that its descriptor had."""
    code = f"""
        import ctypes
        libc = ctypes.CDLL(None)
        libc.fdopen.restype, libc.fputs.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_void_p)
        recorder.emit(event(0))
        os.closerange(3, 65536)
        for number in range(20):
            fd = os.open({str(tmp_path)!r} + f"/host{{number}}", os.O_RDWR | os.O_CREAT)
            libc.fputs(b"mine", libc.fdopen(fd, b"w"))  # in its buffer until exit()
        recorder.close()
    """
    run_python(tmp_path / "spool", code, python=python)
    assert {(tmp_path / f"host{n}").read_bytes() for n in range(20)} == {b"mine"}


def test_no_descriptor_can_be_had(tmp_path: Path, python: str) -> None:
    code = """
        import resource
        recorder.emit(event(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        accepted = [recorder.emit(event(i)) for i in range(1, 3000)].count(True)
        counts = recorder.counts()
        print(accepted + 1 == counts.events, counts.dropped == 2999 - accepted)
        recorder.close()
    """
    done = run_python(tmp_path / "spool", code, python=python, check=False)
    assert (done.returncode, done.stdout) == (0, "True True\n")
    assert "ulimit -n" in done.stderr
    assert done.stderr.count("\n") == 1
    spool = Spool(str(tmp_path / "spool"))
    (path,) = spool.rings()
    assert read_ring(path).records[0].endswith(b'"i": 0}')


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("change", ["os.setuid(12345)", "os.chroot({elsewhere!r})"])
def test_a_host_that_changes_root_or_user(tmp_path: Path, python: str, change: str) -> None:
    """Nothing is made in the new root; what was accepted stays in the ring."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o777)
    code = f"""
        recorder.want_thread()
        recorder.emit(event(0))
        {change.format(elsewhere=str(elsewhere))}
        for i in range(1, 50):
            assert recorder.emit(event(i))
        time.sleep(0.2)
        recorder.close()
        print("fine")
    """
    done = run_python(tmp_path / "spool", code, python=python, check=False)
    assert (done.returncode, done.stdout) == (0, "fine\n")
    assert list(elsewhere.iterdir()) == []
    spool = Spool(str(tmp_path / "spool"))
    spool.recover()
    assert numbers(lines_of(spool)) == list(range(50))
