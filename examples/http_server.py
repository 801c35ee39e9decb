"""The example server over streamable HTTP. It prints its address and serves until it is stopped (Ctrl-C).

The same file runs on mcp 1.9 to 2.x. Usage::

    python http_server.py [--port 8000]                  # port 0, the default, takes any free one
    python client.py --url ADDRESS
"""

from __future__ import annotations

import argparse
import socket

import uvicorn
from server import server


def main() -> None:
    """Bind, say where, serve."""
    parser = argparse.ArgumentParser(description="Serve the example over streamable HTTP.")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="critical")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
