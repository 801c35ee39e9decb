"""The versions that are tried: one cell an SDK, an interpreter and, on mcp 2.x, an era of the protocol.

A few are part of every run; the others are marked ``stress``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest


class Cell(NamedTuple):
    """What is installed, and how the client connects."""

    python: str
    packages: tuple[str, ...]
    mode: str

    @property
    def package(self) -> str:
        """``mcp`` or ``fastmcp``: where the server class comes from."""
        return self.packages[0].partition("=")[0]

    @property
    def on_mcp_2(self) -> bool:
        """Whether the SDK below is mcp 2.x."""
        return self.packages[0].startswith(("mcp==2", "fastmcp==4"))


MCP_1_9 = ("mcp==1.9.4", "pydantic<2.12")  # it uses a name that pydantic has removed since
FASTMCP_2 = ("fastmcp==2.14.7", "mcp<2")

_CELLS = {
    "mcp-1.30": Cell("3.11", ("mcp==1.30.0",), "legacy"),
    "mcp-2.3-2025": Cell("3.11", ("mcp==2.3.0",), "legacy"),
    "mcp-2.3-2026": Cell("3.11", ("mcp==2.3.0",), "auto"),
    "fastmcp-4.1-2026": Cell("3.11", ("fastmcp==4.1.6",), "auto"),
    "mcp-1.9": Cell("3.11", MCP_1_9, "legacy"),
    "mcp-2.0-2025": Cell("3.11", ("mcp==2.0.0",), "legacy"),
    "mcp-2.0-2026": Cell("3.11", ("mcp==2.0.0",), "auto"),
    "fastmcp-2.14": Cell("3.11", FASTMCP_2, "legacy"),
    "fastmcp-3.4": Cell("3.11", ("fastmcp==3.4.11",), "legacy"),
    "fastmcp-4.1-2025": Cell("3.11", ("fastmcp==4.1.6",), "legacy"),
    "mcp-1.30-python-3.10": Cell("3.10", ("mcp==1.30.0",), "legacy"),
    "mcp-2.3-python-3.13": Cell("3.13", ("mcp==2.3.0",), "auto"),
    "mcp-2.3-python-3.14": Cell("3.14", ("mcp==2.3.0",), "auto"),
}


def cells(*always: str) -> list[Any]:
    """All of them as parameters of a test; those that are not named are marked ``stress``."""
    assert set(always) <= set(_CELLS)
    return [
        pytest.param(cell, id=name, marks=() if name in always else pytest.mark.stress) for name, cell in _CELLS.items()
    ]


SHORT = ("mcp-1.30", "mcp-2.3-2026")
USUAL = (*SHORT, "mcp-2.3-2025", "fastmcp-4.1-2026")
