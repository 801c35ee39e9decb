"""The example server and client in one process, with a witness under the memory streams.

Usage: ``python _memory_witness.py LOG EXAMPLES_DIRECTORY MODE``; MODE is ``legacy`` or, on 2.x, ``auto`` (calls, no
messages: the log stays empty). The witness sits in anyio's stream, below the SDK and below the sensor's taps. A line of
LOG is one message that passed a stream, without its direction.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import _in_memory
from anyio.streams.memory import MemoryObjectSendStream


def witness(log_path: str) -> None:
    """Write down every SessionMessage that is sent on a memory stream, once, wherever it is passed on to."""
    log = open(log_path, "ab", buffering=0)  # noqa: SIM115  for the life of the process
    original = MemoryObjectSendStream.send
    seen: dict[int, Any] = {}

    async def send(self: Any, item: Any) -> None:
        carried = item[1] if isinstance(item, tuple) else item
        if type(carried).__name__ == "SessionMessage":
            message = getattr(carried.message, "root", carried.message)
            if id(message) not in seen:
                seen[id(message)] = message  # kept, so that the id stays its own
                members = {name: value for name, value in vars(message).items() if name in ("id", "method", "params")}
                log.write(json.dumps(members, default=str).encode() + b"\n")
        await original(self, item)

    MemoryObjectSendStream.send = send  # type: ignore[method-assign]


async def main() -> None:
    """Connect in memory and run the example's conversation."""
    log, examples, mode = sys.argv[1:]
    sys.path.insert(0, examples)
    witness(log)
    await _in_memory.talk(mode)


if __name__ == "__main__":
    asyncio.run(main())
