"""Run inside an environment with the sensor and fastmcp: background tasks, observed as a sensor would.

Each call of ``slow`` opens a file that does not exist, ``/nonexistent/NUMBER/...``, when its task runs. Prints one JSON
list ``[number, method, tool, span id]`` a line, of the request that was current then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from typing import Any

logging.disable(logging.CRITICAL)
from fastmcp import Client, FastMCP
from bluerock_hooks.hooks import _attribution

seen: list[Any] = []
server: Any = FastMCP("background")
options: dict[str, Any] = {"task": True}
if hasattr(server, "add_extension"):
    from fastmcp_tasks import TasksExtension

    server.add_extension(TasksExtension())
    options = {}


def audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and str(args[0]).startswith("/nonexistent/"):
        span = _attribution.current()
        owner = (span.method, span.tool, span.span_id) if span is not None else ()
        seen.append((int(str(args[0]).split("/")[2]), *owner))


def touch(number: int) -> None:
    with contextlib.suppress(OSError):
        os.open(f"/nonexistent/{number}", os.O_RDONLY)


@server.tool(task=True)
async def slow(number: int) -> str:
    await asyncio.sleep(0.05)
    await asyncio.to_thread(touch, number)
    return f"done {number}"


async def call(client: Any, number: int) -> None:
    task = await client.call_tool("slow", {"number": number}, **options)
    if options:
        task = await task.result()
    assert f"done {number}" in str(task), task


async def main() -> None:
    sys.addaudithook(audit)
    async with Client(server) as client:
        await asyncio.gather(*(call(client, number) for number in range(10)))
    touch(10)


asyncio.run(main())
for row in seen:
    print(json.dumps(row))
