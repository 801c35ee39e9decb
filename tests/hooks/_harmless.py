"""Run inside an environment with the sensor and an SDK: what the hooks replaced must look and behave as before.

Prints one JSON object of findings; the test says what each must be.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent.parent)]
from importlib import import_module

import _in_memory
import bluerock_hooks._bootstrap as bootstrap
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

findings: dict[str, Any] = {}


def resolve(target: str) -> tuple[Any, str]:
    """The owner and name of ``module:attribute``."""
    module, _, attribute = target.partition(":")
    owner_name, _, name = attribute.rpartition(".")
    owner = import_module(module)
    return (getattr(owner, owner_name) if owner_name else owner), name


async def main() -> None:
    async with _in_memory.connect("legacy") as session:
        await session.call_tool("add", {"a": 1, "b": 2})
        inner = getattr(session, "session", session)
        owner = getattr(inner, "_dispatcher", inner)
        read, write = owner._read_stream, owner._write_stream
        raw_read, raw_write = read.__wrapped__, write.__wrapped__
        findings["isinstance"] = isinstance(read, type(raw_read)) and isinstance(write, type(raw_write))
        findings["equal"] = read == raw_read and hash(write) == hash(raw_write)
        if isinstance(raw_write, MemoryObjectSendStream):
            findings["statistics"] = write.statistics().open_send_streams >= 1
            findings["statistics"] &= isinstance(read, MemoryObjectReceiveStream)
        findings["last_context"] = hasattr(read, "last_context") == hasattr(raw_read, "last_context")


sensor = bootstrap.sensor()
assert sensor is not None
asyncio.run(main())
# What HTTP and the other transports need was not imported by a memory client: import it, so that every row is seen.
for module in ("mcp.client.streamable_http", "mcp.client.sse", "mcp.server.streamable_http", "mcp.server.sse"):
    import_module(module)
assert sensor.hooks is not None
patches = sensor.hooks.patches
findings["states"] = sorted({outcome.state for outcome in patches.outcomes})
replaced: dict[str, Any] = {}
for outcome in patches.outcomes:
    if outcome.state == "applied":
        owner, name = resolve(outcome.patch.target)
        replaced[outcome.patch.target] = vars(owner)[name]
originals: dict[str, Any] = {}
patches.undo()
for target in replaced:
    owner, name = resolve(target)
    originals[target] = vars(owner)[name]
findings["replaced"] = len(replaced)
findings["signatures"] = [t for t in replaced if inspect.signature(replaced[t]) != inspect.signature(originals[t])]
findings["coroutines"] = [
    t for t in replaced if inspect.iscoroutinefunction(replaced[t]) != inspect.iscoroutinefunction(originals[t])
]
findings["names"] = [
    t
    for t in replaced
    if (replaced[t].__name__, replaced[t].__qualname__, replaced[t].__module__, replaced[t].__doc__)
    != (originals[t].__name__, originals[t].__qualname__, originals[t].__module__, originals[t].__doc__)
]
findings["undone"] = all(replaced[t] is not originals[t] for t in replaced)
from mcp.client import stdio

try:
    pickle.dumps(stdio.stdio_client)
    findings["pickle"] = True
except Exception as exc:
    findings["pickle"] = repr(exc)
print(json.dumps(findings))
