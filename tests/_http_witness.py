"""The example server over HTTP with a witness in front: every message on the wire goes to a log, as in ``_tee``.

Usage: ``python _http_witness.py LOG EXAMPLES_DIRECTORY [json] [stateless] [sse]``. Prints its address, serves until
stopped.
"""

from __future__ import annotations

import inspect
import socket
import sys

import uvicorn
from matrix.stage.witness import OnTheWire


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
    uvicorn.Server(uvicorn.Config(OnTheWire(app, log), log_level="critical", timeout_graceful_shutdown=2)).run(
        sockets=[listener]
    )


if __name__ == "__main__":
    main()
