"""A client and a server in one process, for scripts that the tests run with the SDK of some environment."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "sk-example-0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def session(server: Any, mode: str) -> AsyncIterator[Any]:
    """A client of ``server``, of whichever SDK; ``mode`` is of mcp 2.x only: ``legacy``, or ``auto`` for in-process
    calls of 2026-07-28.
    """
    fast = any(base.__module__.startswith("fastmcp.") for base in type(server).__mro__)
    try:
        from mcp import Client  # mcp 2.x
    except ImportError:
        Client = None  # noqa: N806
    options = {} if Client is None else {"mode": mode}
    if fast:
        from fastmcp import Client
    if Client is not None:
        async with Client(server, **options) as client:
            yield client
    else:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(getattr(server, "_mcp_server", server)) as client:
            yield client


@asynccontextmanager
async def connect(mode: str) -> AsyncIterator[Any]:
    """A client of the example server; ``examples/`` must be on ``sys.path``."""
    from server import server

    async with session(server, mode) as client:
        yield client


async def talk(mode: str) -> None:
    """The example's whole conversation."""
    import client

    async with connect(mode) as peer:
        await client.talk(peer, SECRET)
