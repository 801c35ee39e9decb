"""Asks a stdio server for all that it has, and calls some of its tools. Usage: ``python _drive.py CALLS COMMAND ...``.

CALLS is JSON, a list of ``[tool, arguments]``. Prints each answer as one line of JSON. ``examples`` is on the path.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def say(label: str, answer: Awaitable[Any]) -> None:
    """Print the answer, or the error."""
    try:
        plain = (await answer).model_dump(by_alias=True, mode="json", exclude_none=True)
    except Exception as exc:
        plain = {"error": f"{type(exc).__name__}: {exc}"}
    print(label, json.dumps(plain, sort_keys=True))


async def main() -> None:
    """Connect, list, call."""
    calls, *command = sys.argv[1:]
    from client import connect  # the example's: it knows both SDK generations

    async with connect(argparse.Namespace(url="", mode="auto", server_command=command)) as session:
        await say("tools", session.list_tools())
        await say("resources", session.list_resources())
        await say("prompts", session.list_prompts())
        for name, arguments in json.loads(calls):
            await say(name, session.call_tool(name, arguments))


if __name__ == "__main__":
    asyncio.run(main())
