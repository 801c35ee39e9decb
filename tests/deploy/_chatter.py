"""A client of the example server that calls a tool as often as each line of its input says, and answers ``done``.

Usage: ``python _chatter.py EXAMPLES_DIRECTORY URL``, under the sensor.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any


async def main() -> None:
    """Connect, then call until the input ends."""
    sys.path.insert(0, sys.argv[1])
    from client import connect

    async with connect(argparse.Namespace(url=sys.argv[2], mode="legacy", server_command=[""])) as session:
        print("connected", flush=True)
        while count := await asyncio.to_thread(sys.stdin.readline):
            for number in range(int(count)):
                await _call(session, number)
            print("done", flush=True)


async def _call(session: Any, number: int) -> None:
    if number % 10 == 9:
        await session.call_tool("divide", {"a": number, "b": 0})
    else:
        await session.call_tool("add", {"a": number, "b": 1})


if __name__ == "__main__":
    asyncio.run(main())
