"""What prefork servers serve in test_prefork.py: each request is five acts, and is told whose they are.

``PRELOAD=mcp`` has the importing process speak MCP first, and so start a drain thread before it forks.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import count

counter = count().__next__


def acts(number: int, who: str) -> int:
    """Open files that are not there; how many in all by now."""
    for _ in range(number):
        done = counter()
        try:
            os.open(f"/nonexistent/{os.getpid()}/{who}/{done}", os.O_RDONLY)
        except OSError:
            continue
    return done + 1


if os.environ.get("PRELOAD") == "mcp":
    import asyncio

    sys.path[:0] = os.environ["PLACES"].split(os.pathsep)
    import _in_memory

    asyncio.run(_in_memory.talk("auto"))
with open(os.environ["REPORT"], "a") as report:
    report.write(json.dumps([os.getpid(), "import", acts(50, "import")]) + "\n")
counter = count().__next__


def answer() -> bytes:
    """The act of one request."""
    return json.dumps([os.getpid(), "worker", acts(5, "worker")]).encode()


def application(environ, start_response):
    """As WSGI wants it."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer()]


async def app(scope, receive, send):
    """As ASGI wants it."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = answer()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
