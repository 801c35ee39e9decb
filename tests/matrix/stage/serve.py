"""A server of the matrix. Usage: ``python serve.py GENERATION TRANSPORT [LOG] [json] [stateless]``.

Over stdio it serves stdin and stdout. Else it prints its address and serves until it is stopped, with a witness in
front that writes every message to LOG.
"""

from __future__ import annotations

import importlib
import logging
import socket
import sys
import warnings


def main() -> None:
    """Serve."""
    warnings.simplefilter("ignore")  # the 2.x SDK deprecates half of what is asked of it here
    logging.disable(logging.CRITICAL)
    generation, transport, *rest = sys.argv[1:]
    scenario = importlib.import_module(generation)
    if transport == "stdio":
        scenario.run_stdio()
        return
    import uvicorn
    from witness import OnTheWire

    log, *words = rest
    app = OnTheWire(scenario.asgi(transport, words), log)
    listener = socket.create_server(("127.0.0.1", 0))
    scheme, path = {"http": ("http", "/mcp"), "sse": ("http", "/sse"), "websocket": ("ws", "/ws")}[transport]
    print(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
    lifespan = "off" if transport == "websocket" else "on"
    config = uvicorn.Config(app, log_level="critical", lifespan=lifespan, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
