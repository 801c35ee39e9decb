"""What stands where a log store would: takes logs by OTLP and by Loki's push API, and keeps them.

It can refuse for a while, as a store does that is down or too busy.
"""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Received(NamedTuple):
    """One event as it arrived. ``labels`` are an OTLP resource's attributes, or a Loki stream's labels."""

    body: str
    time_ns: int
    labels: dict[str, Any]
    metadata: dict[str, Any]
    severity: tuple[int, str] = (0, "")
    trace: tuple[str, str] = ("", "")


class Sink:
    """``events`` in order of arrival; ``url`` without a path. ``refusing``: answer 503 and keep nothing."""

    def __init__(self) -> None:
        self.events: list[Received] = []
        self.refusing = False
        self.refused = 0
        self.faults: list[str] = []
        self.url = ""

    def take(self, path: str, kind: str, body: bytes) -> int:
        """The HTTP status."""
        if self.refusing:
            self.refused += 1
            return 503
        if path == "/otlp/v1/logs" and kind == "application/x-protobuf":
            self.events += _otlp(body)
            return 200
        if path == "/loki/api/v1/push" and kind.partition(";")[0] == "application/json":
            self.events += _pushed(json.loads(body))
            return 204
        self.faults.append(f"{path} {kind}")
        return 404


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink on a free port of the loopback interface."""
    taken = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            try:
                status = taken.take(self.path, self.headers.get("Content-Type", ""), self._body())
            except Exception as exc:
                taken.faults.append(repr(exc))
                status = 400
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:  # a client's health check
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()
    assert not taken.faults, taken.faults


def _otlp(body: bytes) -> Iterator[Received]:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        labels = _attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield Received(
                    record.body.string_value,
                    record.time_unix_nano,
                    labels,
                    _attributes(record.attributes),
                    (record.severity_number, record.severity_text),
                    (record.trace_id.hex(), record.span_id.hex()),
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


def _pushed(body: dict[str, Any]) -> Iterator[Received]:
    for stream in body["streams"]:
        for stamp, line, *rest in stream["values"]:
            yield Received(line, int(stamp), stream["stream"], *(rest or [{}]))
