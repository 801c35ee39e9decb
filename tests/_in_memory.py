"""The example client and server in one process, for scripts that the tests run with the SDK of some environment.

``examples/`` must be on ``sys.path`` when ``connect`` is called.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "sk-example-0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def connect(mode: str) -> AsyncIterator[Any]:
    """A client of the example server; ``mode`` is of mcp 2.x only: ``legacy``, or ``auto`` for in-process calls."""
    import client
    from server import server

    if client.Client is not None:
        async with client.Client(server, mode=mode) as session:
            yield session
    else:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(server._mcp_server) as session:
            yield session


async def talk(mode: str) -> None:
    """The example's whole conversation."""
    import client

    async with connect(mode) as session:
        await client.talk(session, SECRET)
