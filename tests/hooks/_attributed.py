"""Run inside an environment with the sensor and an SDK: many concurrent tool calls, observed as a sensor would.

Usage: ``python _attributed.py PACKAGE MODE CALLS``, PACKAGE ``mcp`` or ``fastmcp``. Each call has a number, and opens
files that do not exist, ``/nonexistent/NUMBER/PLACE``, from every place where code of a tool can run. An audit hook
notes whose request was current then. Prints one JSON list ``[number, place, request id, span id, ended]`` a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import _in_memory

package, mode, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
if package == "fastmcp":
    from fastmcp import FastMCP as Server
else:
    try:
        from mcp.server.mcpserver import MCPServer as Server
    except ImportError:
        from mcp.server.fastmcp import FastMCP as Server
from bluerock_hooks.hooks import _attribution
import contextlib

seen: list[list[Any]] = []
server = Server("attributed")
shared = ThreadPoolExecutor(3)  # its workers are started by whichever call comes first


def audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(args[0], str) and args[0].startswith("/nonexistent/"):
        _, _, number, place = args[0].split("/")
    elif event == "socket.getaddrinfo" and str(args[0]).endswith(".invalid"):
        number, place = str(args[0]).split(".")[0], "asyncio dns"
    else:
        return
    span = _attribution.current()
    seen.append([int(number), place, *((span.request_id, span.span_id, span.ended) if span else ())])


def touch(number: int, place: str) -> None:
    with contextlib.suppress(OSError):
        Path(f"/nonexistent/{number}/{place}").read_bytes()


class Overriding(threading.Thread):
    """As hosts write them: an own ``run``, an own ``start``."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def start(self) -> None:
        super().start()

    def run(self) -> None:
        touch(self.number, "thread subclass")


@server.tool()
async def in_async(number: int) -> str:
    touch(number, "async")
    await asyncio.sleep(0.01)
    touch(number, "async after await")
    return "x"


@server.tool()
def in_sync(number: int) -> str:
    touch(number, "sync")
    return "x"


@server.tool()
async def in_executors(number: int) -> str:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, touch, number, "default executor")
    await loop.run_in_executor(shared, touch, number, "shared executor")
    await asyncio.wrap_future(shared.submit(touch, number, place="submit"))
    with ThreadPoolExecutor(1) as own:
        own.submit(touch, number, "own executor").result()
    with contextlib.suppress(OSError):
        await loop.getaddrinfo(f"{number}.invalid", 80)
    return "x"


@server.tool()
async def in_threads(number: int) -> str:
    threads = [threading.Thread(target=touch, args=(number, "thread")), Overriding(number)]
    threads.append(threading.Timer(0.001, touch, (number, "timer")))
    for thread in threads:
        thread.start()
    await asyncio.sleep(0.01)
    for thread in threads:
        thread.join()
        assert "run" not in vars(thread)
    return "x"


@server.tool()
async def in_to_thread(number: int) -> str:
    await asyncio.to_thread(touch, number, "to_thread")
    return "x"


@server.tool()
async def in_task(number: int) -> str:
    async def later() -> None:
        await asyncio.sleep(0.2)
        touch(number, "late task")

    tasks.append(asyncio.create_task(later()))
    return "x"


tasks: list[Any] = []
TOOLS = ("in_async", "in_sync", "in_executors", "in_threads", "in_to_thread", "in_task")


async def main() -> None:
    sys.addaudithook(audit)
    async with _in_memory.session(server, mode) as client:
        await asyncio.gather(
            *(client.call_tool(TOOLS[number % len(TOOLS)], {"number": number}) for number in range(calls))
        )
        await asyncio.gather(*tasks)
        # Nothing of a request is left behind: neither here nor in the workers.
        touch(calls, "main")
        await asyncio.get_running_loop().run_in_executor(None, touch, calls, "default executor")
        for future in [shared.submit(touch, calls, "shared executor") for _ in range(9)]:
            future.result()


asyncio.run(main())
for row in seen:
    print(json.dumps(row))
