"""The example server over HTTP with a witness in front: every message on the wire goes to a log, as in ``_tee``.

Usage: ``python _http_witness.py LOG EXAMPLES_DIRECTORY [json] [stateless] [sse]``. Prints its address, serves until
stopped.
The witness is ASGI middleware outside the SDK: it sees the bytes of request bodies, JSON bodies and SSE events.
"""

from __future__ import annotations

import inspect
import json
import socket
import sys
from typing import Any

import uvicorn


class Witness:
    """ASGI middleware that passes everything on and writes the messages down."""

    def __init__(self, app: Any, log: str) -> None:
        self.app = app
        self.log = open(log, "ab", buffering=0)  # noqa: SIM115  for the life of the process

    def note(self, mark: bytes, data: bytes) -> None:
        if data.strip():
            try:
                decoded = json.loads(data)
            except ValueError:
                return
            if isinstance(decoded, dict) and "jsonrpc" in decoded:
                self.log.write(mark + json.dumps(decoded).encode() + b"\n")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, out = bytearray(), bytearray()

        async def witnessed_receive() -> Any:
            event = await receive()
            if event["type"] == "http.request":
                body.extend(event.get("body", b""))
                if not event.get("more_body"):
                    self.note(b"> ", bytes(body))
                    body.clear()
            return event

        async def witnessed_send(event: Any) -> None:
            if event["type"] == "http.response.body":
                out.extend(event.get("body", b""))
                if b"data:" in out or b"event:" in out:
                    *events, rest = bytes(out).replace(b"\r\n", b"\n").split(b"\n\n")
                    out[:] = rest
                    for text in events:
                        for line in text.split(b"\n"):
                            if line.startswith(b"data:"):
                                self.note(b"< ", line[5:])
                elif not event.get("more_body"):
                    self.note(b"< ", bytes(out))
                    out.clear()
            await send(event)

        await self.app(scope, witnessed_receive, witnessed_send)


def main() -> None:
    """Bind, say where, serve."""
    log, examples, *words = sys.argv[1:]
    sys.path.insert(0, examples)
    from server import server

    make = server.streamable_http_app
    if "sse" in words:
        app = server.sse_app()
    elif "json_response" in inspect.signature(make).parameters:  # 2.x
        app = make(json_response="json" in words, stateless_http="stateless" in words)
    else:
        server.settings.json_response = "json" in words
        server.settings.stateless_http = "stateless" in words
        app = make()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/{'sse' if 'sse' in words else 'mcp'}", flush=True)
    uvicorn.Server(uvicorn.Config(Witness(app, log), log_level="critical", timeout_graceful_shutdown=2)).run(
        sockets=[listener]
    )


if __name__ == "__main__":
    main()
