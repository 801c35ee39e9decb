"""The two wraps that carry a request into threads, on real threads and executors, without an SDK."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from bluerock_hooks.events import Span
from bluerock_hooks.hooks import _attribution, _threads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", _threads.start(threading.Thread.start))
    monkeypatch.setattr(ThreadPoolExecutor, "submit", _threads.submit(ThreadPoolExecutor.submit))


@pytest.fixture
def span() -> Iterator[Span]:
    """A request that is being served while the test runs."""
    span = Span("tools/call", None, 1, None, "5a", None, 0)
    token = _attribution.enter(span)
    yield span
    _attribution.leave(token)


def test_a_worker_of_a_pool_belongs_to_whoever_submits_not_to_whoever_started_it(span: Span) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_attribution.current).result() is span
        token = _attribution.enter(None)
        assert pool.submit(_attribution.current).result() is None
        _attribution.leave(token)
        assert pool.submit(lambda *, say: (say, _attribution.current()), say=1).result() == (1, span)
    assert _attribution.current() is span


def test_nothing_but_our_variable_is_carried(span: Span) -> None:
    other: ContextVar[str] = ContextVar("other", default="default")
    other.set("of the caller")
    found = []
    with ThreadPoolExecutor(1, initializer=lambda: other.set("of the worker")) as pool:
        found.append(pool.submit(other.get).result())
    thread = threading.Thread(target=lambda: found.append(other.get()))
    thread.start()
    thread.join()
    assert found == ["of the worker", "default"]


def test_what_submit_refuses_it_refuses_as_ever(span: Span) -> None:
    pool = ThreadPoolExecutor(1)
    with pytest.raises(TypeError, match="fn"):
        pool.submit()  # type: ignore[call-arg]
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(print)
    assert _attribution.current() is span


def test_an_error_in_what_was_submitted_is_the_same_object(span: Span) -> None:
    error = KeyError("mine")

    def fails() -> None:
        raise error

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(fails).exception() is error


def test_a_run_that_somebody_put_on_the_thread_is_called_and_stays(span: Span) -> None:
    found = []
    thread = threading.Thread()

    def mine() -> None:
        found.append((_attribution.current(), thread.run is mine))

    thread.run = mine  # type: ignore[method-assign]
    thread.start()
    thread.join()
    assert found == [(span, True)]
    assert thread.run is mine


def test_a_thread_that_cannot_start_is_as_it_was(span: Span, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = threading.Thread(target=print)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()
    assert "run" not in vars(thread)


def test_a_thread_that_ended_is_freed_at_once(span: Span) -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    gone = weakref.ref(thread)
    del thread
    assert gone() is None


def test_without_a_request_nothing_is_put_on_a_thread() -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append("run" in vars(threading.current_thread())))
    thread.start()
    thread.join()
    assert seen == [False]
    assert _attribution.current() is None


def test_a_coroutine_closed_in_another_context_leaves_quietly() -> None:
    import contextvars

    span = Span("tools/call", None, 1, None, "5a", None, 0)
    other: contextvars.ContextVar[bool] = contextvars.ContextVar("other", default=False)
    for set_in in (_attribution.enter, other.set):
        token = contextvars.copy_context().run(set_in, span)  # type: ignore[arg-type]
        _attribution.leave(token)
    assert _attribution.current() is None
    _attribution.leave(token := other.set(True))
    assert not other.get()
