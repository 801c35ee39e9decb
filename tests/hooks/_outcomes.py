"""Run inside an environment with the sensor and an SDK: requests that end in every way there is.

Usage: ``python _outcomes.py EXAMPLES memory|auto|stdio|http [URL]``, and for the server side ``_outcomes.py EXAMPLES
serve`` (stdio) or ``... serve-http``, which prints its address.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent.parent)]
import anyio
import server as example
from client import Client, open_streams

app: Any = example.server


@app.tool()
async def sleepy(seconds: float) -> str:
    """Answers late."""
    await asyncio.sleep(seconds)
    return "late"


try:
    from typing import Annotated

    from mcp.server.mcpserver.resolve import Elicit, Resolve
    from pydantic import BaseModel

    class Region(BaseModel):
        """What is asked for."""

        region: str

    async def where() -> Elicit[Region]:
        """Ask the user."""
        return Elicit("Which region?", Region)

    async def provision(region: Annotated[Region, Resolve(where)]) -> str:
        """Needs to know more: in 2026-07-28 a round trip of two calls."""
        return region.region

    provision.__annotations__["region"] = Annotated[Region, Resolve(where)]
    app.tool()(provision)
except ImportError:  # mcp 1.x
    provision = None  # type: ignore[assignment]


async def elicited(context: Any, params: Any) -> Any:
    """The user's answer."""
    import mcp.types

    return mcp.types.ElicitResult(action="accept", content={"region": "eu"})


@asynccontextmanager
async def session(mode: str) -> Any:
    """A client of this file's own server, over the transport of ``mode``."""
    if mode in ("memory", "auto"):
        if Client is not None:
            era = "legacy" if mode == "memory" else "auto"
            async with Client(app, mode=era, elicitation_callback=elicited) as made:
                yield made
        else:
            from mcp.shared.memory import create_connected_server_and_client_session

            async with create_connected_server_and_client_session(app._mcp_server) as made:
                yield made
        return
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    target: Any = sys.argv[3] if len(sys.argv) > 3 and sys.argv[3] else None
    if target is None:
        target = StdioServerParameters(command=sys.executable, args=[__file__, sys.argv[1], "serve"])
        if Client is not None:  # 2.0 takes no parameters
            target = stdio_client(target)
    if Client is not None:
        async with Client(target, mode="legacy" if "legacy" in mode else "auto", elicitation_callback=elicited) as made:
            yield made
    else:
        async with open_streams(target) as streams, ClientSession(streams[0], streams[1]) as made:
            await made.initialize()
            yield made


async def talk(mode: str) -> None:
    """Time out, cancel, be asked for input, leave a call behind."""
    async with session(mode) as client:
        newer = Client is not None
        try:
            patience: Any = 0.2 if newer else timedelta(seconds=0.2)
            await client.call_tool("sleepy", {"seconds": 0.6}, read_timeout_seconds=patience)
        except Exception as exc:
            print("timeout:", type(exc).__name__)
        with anyio.move_on_after(0.2):
            await client.call_tool("sleepy", {"seconds": 20})
        if newer:
            print("provision:", (await client.call_tool("provision", {})).content[0].text)
        print("sleepy:", (await client.call_tool("sleepy", {"seconds": 0.7})).content[0].text)
        left = asyncio.ensure_future(client.call_tool("sleepy", {"seconds": 20}))
        await asyncio.sleep(0.2)
    left.cancel()  # 1.x may leave it waiting for ever
    await asyncio.wait([left])


def serve_http() -> None:
    """Serve over streamable HTTP until stopped."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(app.streamable_http_app(), log_level="critical", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[2] == "serve":
        app.run()
    elif sys.argv[2] == "serve-http":
        serve_http()
    else:
        asyncio.run(talk(sys.argv[2]))
