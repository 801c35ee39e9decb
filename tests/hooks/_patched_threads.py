"""Run inside an environment with the sensor, an SDK and what replaces threads: a request is carried all the same.

Usage: ``python _patched_threads.py gevent|eventlet|interpreters before|after``: the threads are replaced before or
after the SDK, and with it our hooks, are loaded. Prints what was found.
"""

from __future__ import annotations

import sys
import warnings

warnings.simplefilter("ignore")
how, when = sys.argv[1:]


def replace() -> None:
    if how == "gevent":
        from gevent import monkey

        monkey.patch_all()
    elif how == "eventlet":
        import eventlet

        eventlet.monkey_patch()


if when == "before":
    replace()
import mcp  # noqa: F401  loads the hooks

if when == "after":
    replace()
import threading
from concurrent.futures import ThreadPoolExecutor

from bluerock_hooks import _guard
from bluerock_hooks.events import Span
from bluerock_hooks.hooks import _attribution

spans = [Span("tools/call", f"call {number}", None, None, "", None, 0) for number in range(3)]
found = []


def look() -> None:
    span = _attribution.current()
    found.append(span.tool if span is not None else None)


with ThreadPoolExecutor(2) as pool:
    for span in (*spans, None):
        token = _attribution.enter(span)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        pool.submit(look).result()
        if how == "interpreters":
            from concurrent.futures import InterpreterPoolExecutor

            with InterpreterPoolExecutor(1) as elsewhere:
                assert elsewhere.submit(pow, 2, 5).result() == 32
        _attribution.leave(token)
    look()
print(found, _guard.caught)
