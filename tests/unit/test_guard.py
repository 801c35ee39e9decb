"""The guard keeps our failures from the host, and never the host's from itself."""

from __future__ import annotations

import ast
import ctypes
import functools
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bluerock_hooks import _guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    _guard.reset()
    yield
    _guard.reset()


@pytest.fixture
def ours(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Code that counts as ours, because its file lies beside the guard."""

    def compile_as_ours(source: str) -> dict[str, Any]:
        namespace: dict[str, Any] = {"_guard": _guard, "time": time, "os": os}
        exec(compile(source, _guard.HERE + "_of_a_test.py", "exec"), namespace)
        return namespace

    return compile_as_ours


STEP = """
def step(action):
    try:
        action()
    except Exception as exc:
        _guard.swallow("test.step", exc)

def spin(until):
    while not until():
        pass

def fail():
    {}["missing"]
"""


class HostTimeoutError(Exception):
    pass


@pytest.mark.swallows
def test_our_own_failure_is_swallowed_counted_and_named(ours: Callable[[str], dict[str, Any]]) -> None:
    code = ours(STEP)
    code["step"](code["fail"])
    code["step"](code["fail"])
    assert _guard.caught == 2
    assert _guard.places == {("test.step", "KeyError: 'missing'"): 2}


@pytest.mark.swallows
def test_what_a_host_object_raises_when_we_look_at_it_is_our_failure(ours: Callable[[str], dict[str, Any]]) -> None:
    class Odd:
        def __str__(self) -> str:
            raise HostTimeoutError("mine")

    ours(STEP)["step"](lambda: str(Odd()))
    assert _guard.caught == 1
    # The text of a foreign exception is foreign code: only its type is kept.
    assert "mine" not in str(_guard.places)


@pytest.mark.parametrize("shape", ["function", "method", "partial", "object", "wrapped"])
def test_the_exception_of_a_host_signal_handler_passes(shape: str, ours: Callable[[str], dict[str, Any]]) -> None:
    class Holder:
        def method(self, number: int, frame: object) -> None:
            raise HostTimeoutError

        __call__ = method

    def function(number: int, frame: object) -> None:
        raise HostTimeoutError

    @functools.wraps(function)
    def wrapped(number: int, frame: object) -> None:
        function(number, frame)

    def with_extra(extra: int, number: int, frame: object) -> None:
        raise HostTimeoutError

    handlers: dict[str, Any] = {
        "function": function,
        "method": Holder().method,
        "partial": functools.partial(with_extra, 1),
        "object": Holder(),
        "wrapped": wrapped,
    }
    code = ours(STEP)
    before = signal.signal(signal.SIGALRM, handlers[shape])
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        deadline = time.monotonic() + 5
        with pytest.raises(HostTimeoutError):
            code["step"](lambda: code["spin"](lambda: time.monotonic() > deadline))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert _guard.caught == 0


def test_an_exception_injected_into_the_thread_passes(ours: Callable[[str], dict[str, Any]]) -> None:
    source = STEP + (
        "\ndef work(ready):\n    try:\n        ready()\n        while True:\n            pass\n"
        "    except Exception as exc:\n        _guard.swallow('test.work', exc)\n"
    )
    code = ours(source)
    running, passed = threading.Event(), threading.Event()

    def host() -> None:
        try:
            code["work"](running.set)
        except HostTimeoutError:
            passed.set()

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    assert running.wait(5)
    time.sleep(0.05)  # until it is in the loop, whose frame is ours
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(HostTimeoutError))
    thread.join(5)
    assert passed.is_set()
    assert _guard.caught == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_is_never_caught(kind: type, ours: Callable[[str], dict[str, Any]]) -> None:
    def action() -> None:
        raise kind

    with pytest.raises(kind):
        ours(STEP)["step"](action)
    assert _guard.caught == 0


@pytest.mark.swallows
def test_the_memory_of_failures_is_bounded_and_the_count_is_not(ours: Callable[[str], dict[str, Any]]) -> None:
    code = ours(
        "def fail(n):\n    try:\n        raise ValueError(n)\n    except Exception as e: _guard.swallow('p', e)\n"
    )
    for number in range(1000):
        code["fail"](number)
    assert _guard.caught == 1000
    assert len(_guard.places) == 32


@pytest.mark.swallows
def test_a_long_message_is_cut(ours: Callable[[str], dict[str, Any]]) -> None:
    code = ours(
        "def fail(n):\n    try:\n        raise ValueError(n)\n    except Exception as e: _guard.swallow('p', e)\n"
    )
    code["fail"]("x" * 10_000)
    assert all(len(text) <= 200 for _, text in _guard.places)


@pytest.mark.swallows
def test_the_observer_is_told(
    ours: Callable[[str], dict[str, Any]], refuse_to_fail_open: list[tuple[str, Exception]]
) -> None:
    code = ours(STEP)
    code["step"](code["fail"])
    assert [place for place, _ in refuse_to_fail_open] == ["test.step"]


def test_reset_forgets() -> None:
    _guard.caught = 3
    _guard.places[("a", "b")] = 3
    _guard.reset()
    assert _guard.caught == 0
    assert _guard.places == {}


EDGES = ("cli/", "_stored.py", "reader.py", "config.py", "_guard.py")  # no code of the host's runs beside these


def test_whoever_expects_an_oserror_gives_back_the_hosts_timeouterror() -> None:
    """It is one, and what alarm handlers like to raise, wherever our code is at that moment."""
    package = Path(_guard.__file__).parent
    careless = []
    for path in sorted(package.rglob("*.py")):
        if str(path.relative_to(package)).startswith(EDGES):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and node.type is not None and "OSError" in ast.unparse(node.type):
                text = ast.unparse(node)
                if not any(word in text for word in ("_guard.", "raise")):
                    careless.append(f"{path.relative_to(package)}:{node.lineno}")
    assert careless == []
