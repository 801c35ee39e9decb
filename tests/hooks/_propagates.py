"""Run inside an environment with the sensor and an SDK: what a propagating client leaves alone, and what it continues.

Usage: ``python _propagates.py EXAMPLES legacy|auto``. Prints one JSON object of findings.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent.parent)]
import _in_memory
import server as served
from mcp.shared.message import SessionMessage

MODE = sys.argv[2]
GIVEN = f"00-{'a' * 32}-{'b' * 16}-00"
findings: dict[str, Any] = {}


@served.server.tool()
async def nested() -> str:
    """A tool that is itself a client: of the same server, in memory."""
    async with _in_memory.connect(MODE) as inner:
        return str((await inner.call_tool("add", {"a": 1, "b": 2})).content[0].text)


async def by_hand(session: Any) -> None:
    """Messages of the caller's own on the session's stream: they are the caller's before and after."""
    inner = getattr(session, "session", session)
    stream = getattr(inner, "_dispatcher", inner)._write_stream
    for number, meta in ((1001, None), (1002, {}), (1003, {"traceparent": GIVEN}), (1004, {"mine": 1})):
        params: dict[str, Any] = {} if meta is None else {"_meta": meta}
        item = SessionMessage(request(number, params))
        before = json.dumps([dump(item.message), params])
        await stream.send(item)
        findings[str(number)] = json.dumps([dump(item.message), params]) == before
    note = SessionMessage(request(None, {"requestId": 77}))
    await stream.send(note)


def request(number: int | None, params: dict[str, Any]) -> Any:
    import mcp.types as types

    if number is None:
        made = types.JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params=params)
    else:
        made = types.JSONRPCRequest(jsonrpc="2.0", id=number, method="ping", params=params)
    wrapper = types.JSONRPCMessage
    return wrapper(made) if isinstance(wrapper, type) else made


def dump(message: Any) -> Any:
    return message.model_dump(mode="json", by_alias=True)


async def main() -> None:
    async with _in_memory.connect(MODE) as session:
        arguments = {"a": 1, "b": 2}
        await session.call_tool("add", arguments)
        findings["arguments"] = arguments == {"a": 1, "b": 2}
        findings["nested"] = (await session.call_tool("nested", {})).content[0].text
        if MODE == "legacy":
            await by_hand(session)
            await asyncio.sleep(0.2)
    print(json.dumps(findings))


asyncio.run(main())
