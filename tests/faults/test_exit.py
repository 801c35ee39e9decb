"""The interpreter ends: same exit code, nothing printed, no crash, everything written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import _peers
import pytest
from _storage import lines_of, numbers, run_python

from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parametrize("python", _peers.SUPPORTED)

START = """
atexit.register(recorder.close)  # first registered, last run
recorder.want_thread()
for i in range(100):
    recorder.emit(event(i))
"""

PROGRAMS = {
    "plain": "",
    "sys.exit": "sys.exit(3)",
    "a thread that ends after main": """
def late():
    time.sleep(0.15)
    recorder.emit(event(100))
threading.Thread(target=late).start()
""",
    "a daemon thread that never ends": """
def forever():
    while True:
        recorder.emit(event(-1))
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.02)
""",
    "an exit handler of the host": "atexit.register(lambda: recorder.emit(event(100)))",
    "a finaliser at teardown": """
class Late:
    def __del__(self):
        recorder.emit(b'{"i":100}')
keep = Late()
""",
    "a finaliser in a cycle": """
import gc
class Late:
    def __del__(self):
        recorder.emit(b'{"i":100}')
late = Late()
late.me = late
del late
gc.disable()
""",
    "a fork in an exit handler": """
def forked():
    try:
        pid = os.fork()
    except RuntimeError:
        return  # 3.12 refuses
    if pid == 0:
        recorder.emit(event(200))
        os._exit(0)
    os.waitpid(pid, 0)
atexit.register(forked)
""",
    "an unhandled exception": "sys.excepthook = lambda *args: None\nraise SystemError",
}
STATUS = {"sys.exit": 3, "an unhandled exception": 1}
LATE = (
    "a thread that ends after main",
    "an exit handler of the host",
    "a finaliser at teardown",
    "a finaliser in a cycle",
)


@pytest.mark.parametrize("options", [(), ("-X", "dev"), ("-W", "error")], ids=" ".join)
@pytest.mark.parametrize("program", PROGRAMS)
def test_it_ends_as_it_would_without_us(tmp_path: Path, python: str, program: str, options: tuple[str, ...]) -> None:
    done = run_python(tmp_path / "spool", START + PROGRAMS[program], *options, python=python, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (STATUS.get(program, 0), "", "")
    spool = Spool(str(tmp_path / "spool"))
    spool.recover()
    assert spool.rings() == []
    found = sorted(number for number in numbers(lines_of(spool)) if number not in (-1, 200))
    assert found[:100] == list(range(100))
    assert found[100:] in ([[100]] if program in LATE else [[]])


def test_a_clean_end_leaves_no_ring(tmp_path: Path, python: str) -> None:
    run_python(tmp_path / "spool", START, python=python)
    spool = Spool(str(tmp_path / "spool"))
    assert spool.rings() == []
    assert numbers(lines_of(spool)) == list(range(100))


def test_the_end_takes_no_time(tmp_path: Path, python: str) -> None:
    code = """
        recorder.want_thread()
        for i in range(1000):
            recorder.emit(event(i))
        start = time.monotonic()
        recorder.close()
        print(time.monotonic() - start)
    """
    times = sorted(
        float(run_python(tmp_path / f"spool{turn}", code, python=python).stdout.strip()) for turn in range(5)
    )
    assert times[2] < 0.1, times


@pytest.mark.parametrize("times", [12, pytest.param(500, marks=pytest.mark.stress)])
def test_a_short_program_ends_many_times_without_a_crash(tmp_path: Path, python: str, times: int) -> None:
    """A thread of ours that is alive at finalisation shows as exit code -11 in one of a hundred runs."""
    for _ in range(times):
        run_python(tmp_path / "spool", START, "-X", "dev", python=python)


def test_a_disk_that_hangs_does_not_hold_the_exit(tmp_path: Path, python: str) -> None:
    code = """
        from bluerock_hooks import _stdlib
        real, hang = _stdlib.pwrite_fd, threading.Event()
        def slow(*args):
            if hang.is_set():
                time.sleep(8)
            return real(*args)
        _stdlib.pwrite_fd = slow
        recorder.want_thread()
        hang.set()
        recorder.emit(event(0))
        time.sleep(0.2)
        recorder.emit(event(1))
        start = time.monotonic()
        recorder.close()
        print(time.monotonic() - start)
        sys.stdout.flush()
        os._exit(0)
    """
    done = run_python(tmp_path / "spool", code, python=python)
    assert float(done.stdout) < 2
    spool = Spool(str(tmp_path / "spool"))
    spool.recover()
    assert numbers(lines_of(spool)) == [0, 1]
