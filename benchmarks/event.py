"""One event: from the hook's call to the commit in the ring, in the host's thread, and the parts of it.

Run with the interpreter of an environment that has bluerock-hooks::

    python benchmarks/event.py

The ratio is to the least anyone could do with the same message: encode it with msgspec and drop the bytes.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, CALLS = 30, 4000


def cpu_us(work: Callable[[], object]) -> float:
    """CPU microseconds of this thread for one call: the median of the rounds."""
    figures = []
    for _ in range(ROUNDS):
        begin = time.thread_time_ns()
        for _ in range(CALLS):
            work()
        figures.append((time.thread_time_ns() - begin) / CALLS / 1000)
    return sorted(figures)[ROUNDS // 2]


def main() -> None:
    """Measure and print."""
    home = tempfile.mkdtemp(prefix="bluerock-bench-")
    os.environ.update(HOME=home, BLUEROCK_SPOOL_DIR=f"{home}/spool", BLUEROCK_ENABLE="1")
    import bluerock_hooks

    assert bluerock_hooks.start()
    import msgspec

    from bluerock_hooks import _bootstrap
    from bluerock_hooks.hooks.mcp._sessions import Connection
    from bluerock_hooks.hooks.mcp._transports import Endpoint

    sensor = _bootstrap.sensor()
    assert sensor is not None
    sensor.prepare()
    connection = Connection(sensor, "server", Endpoint("stdio"))
    params = {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"progressToken": 3}}
    result = {"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}, "isError": False}
    request = {"id": 3, "method": "tools/call", "params": params}
    secret = {**request, "params": {"name": "login", "arguments": {"user": "ada", "password": "hunter2"}}}
    progress = {"method": "notifications/progress", "params": {"progressToken": 3, "progress": 1}}
    response = {"id": 3, "result": result}

    def call() -> None:
        connection.message(request, True)
        connection.message(response, False)

    encode, emit = msgspec.json.Encoder().encode, sensor.recorder.emit
    floor = cpu_us(lambda: encode(request))
    line = b'{"line":"%b"}' % (b"x" * 690)
    one = cpu_us(lambda: connection.message(request, True))
    rows = [
        ("encode the bare message (floor)", floor),
        (f"commit {len(line)} bytes to the ring", cpu_us(lambda: emit(line))),
        ("record a request", one),
        ("record a response", cpu_us(call) - one),
        ("record a notification", cpu_us(lambda: connection.message(progress, True))),
        ("record a request with a secret", cpu_us(lambda: connection.message(secret, True))),
    ]
    for title, figure in rows:
        print(f"{title:38s} {figure:6.2f} us   {figure / floor:5.1f} x floor")
    print(f"dropped: {sensor.recorder.counts().dropped}")


if __name__ == "__main__":
    main()
