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
    from bluerock_hooks.events import McpMessage, Request, Span

    sensor = _bootstrap.sensor()
    assert sensor is not None
    sensor._install_mcp()
    assert sensor._encoder is not None
    params = {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"progressToken": 3}}
    message = {"id": 3, "method": "tools/call", "params": params}
    result = {"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}, "isError": False}
    answer = {"id": 3, "result": result}
    request = Span("tools/call", Request("tools/call", "add", 3, span_id="0123456789abcdef"), 0)

    def event(body: dict[str, object]) -> McpMessage:
        return McpMessage(
            event="server_received_request",
            id=3,
            method="tools/call",
            message=dict(body),
            connection_id="0123456789abcdef",
            source="client",
            server_name="example-server",
            client_name="mcp",
            transport="memory",
            protocol_version="2025-11-25",
        )

    encode = msgspec.json.Encoder().encode
    encoder, recorder = sensor._encoder, sensor.recorder
    line = encoder.line(event(message), request)
    floor = cpu_us(lambda: encode(message))
    rows = [
        ("encode the bare message (floor)", floor),
        ("make the event", cpu_us(lambda: event(message))),
        ("make, stamp, redact, encode: request", cpu_us(lambda: encoder.line(event(message), request))),
        (f"commit {len(line)} bytes to the ring", cpu_us(lambda: recorder.emit(line))),
        ("record a request, all in all", cpu_us(lambda: sensor.record(event(message), request))),
        ("record a response, all in all", cpu_us(lambda: sensor.record(event(answer), request))),
    ]
    for title, figure in rows:
        print(f"{title:38s} {figure:6.2f} us   {figure / floor:5.1f} x floor")
    print(f"dropped: {recorder.counts().dropped}")


if __name__ == "__main__":
    main()
