"""The cells: which versions, which transports, which eras."""

from __future__ import annotations

from typing import NamedTuple

MCP_1 = ("1.9.4", "1.13.1", "1.16.0", "1.20.0", "1.23.3", "1.26.0", "1.30.0")
MCP_2 = ("2.0.0", "2.1.1", "2.2.0", "2.3.0")
FASTMCP_1 = ("2.14.7", "3.0.2", "3.4.11")
"""fastmcp on mcp 1.x."""
FASTMCP_2 = ("4.0.11", "4.1.6")
"""fastmcp on mcp 2.x."""

# These import what newer pydantics no longer have.
_PINNED = {f"mcp=={version}": ("pydantic<2.12",) for version in ("1.9.4", "1.13.1", "1.16.0", "1.20.0")}

HTTP = ("http", "http json", "http stateless")


class Cell(NamedTuple):
    """One combination. ``way``: a transport and, of HTTP, ``json`` or ``stateless`` after it."""

    generation: str
    """Name of the module in ``stage`` that has its scenario."""
    package: str
    way: str
    era: str
    """``2025`` for the protocol with a handshake, ``2026`` for 2026-07-28."""
    crowd: bool = False
    """Two hundred calls at once, instead of everything once."""
    python: str = "3.11"

    @property
    def transport(self) -> str:
        """Without how HTTP answers."""
        return self.way.split()[0]

    @property
    def words(self) -> list[str]:
        """How HTTP answers."""
        return self.way.split()[1:]

    @property
    def asks(self) -> bool:
        """Whether the server can send requests: it needs a stream that stays open."""
        return self.era == "2025" and not self.words

    @property
    def direct(self) -> bool:
        """In process since 2026-07-28: calls instead of messages."""
        return (self.transport, self.era) == ("memory", "2026")

    @property
    def on_mcp_2(self) -> bool:
        """Whether the SDK below is mcp 2.x."""
        return self.package.startswith(("mcp==2", "fastmcp==4"))

    @property
    def packages(self) -> tuple[str, ...]:
        """What its environment needs."""
        return (self.package, "uvicorn", "websockets", *_PINNED.get(self.package, ()))

    def __str__(self) -> str:
        words = [self.package.replace("==", " "), self.way, self.era]
        return " ".join([*words, *(["crowd"] if self.crowd else [])])


def _cells(generation: str, package: str, versions: tuple[str, ...], era: str, ways: tuple[str, ...]) -> list[Cell]:
    return [Cell(generation, f"{package}=={version}", way, era) for version in versions for way in ways]


ALL = [
    *_cells("mcp1", "mcp", MCP_1, "2025", ("memory", "stdio", *HTTP, "sse", "websocket")),
    *_cells("mcp2", "mcp", MCP_2, "2025", ("memory", "stdio", *HTTP, "sse")),
    *_cells("mcp2", "mcp", MCP_2, "2026", ("memory", "stdio", "http", "http json")),
    *_cells("fast", "fastmcp", FASTMCP_1, "2025", ("memory", "stdio", *HTTP, "sse")),
    *_cells("fast", "fastmcp", FASTMCP_2, "2025", ("memory", "stdio", *HTTP, "sse")),
    *_cells("fast", "fastmcp", FASTMCP_2, "2026", ("memory", "stdio", "http", "http json")),
]

CROWDS = [
    cell._replace(crowd=True)
    for cell in ALL
    if cell.package in ("mcp==1.9.4", "mcp==1.30.0", "mcp==2.3.0", "fastmcp==3.4.11", "fastmcp==4.1.6")
    and not cell.words
]

SHORT = [
    Cell("mcp1", "mcp==1.30.0", "http", "2025"),
    Cell("mcp1", "mcp==1.30.0", "http json", "2025"),
    Cell("mcp1", "mcp==1.30.0", "http stateless", "2025"),
    Cell("mcp1", "mcp==1.30.0", "memory", "2025"),
    Cell("mcp1", "mcp==1.30.0", "sse", "2025", python="3.10"),
    Cell("mcp1", "mcp==1.30.0", "websocket", "2025"),
    Cell("mcp1", "mcp==1.9.4", "stdio", "2025"),
    Cell("mcp2", "mcp==2.3.0", "http", "2025"),
    Cell("mcp2", "mcp==2.3.0", "http", "2026"),
    Cell("mcp2", "mcp==2.3.0", "memory", "2025"),
    Cell("mcp2", "mcp==2.3.0", "memory", "2026"),
    Cell("mcp2", "mcp==2.3.0", "stdio", "2026", python="3.13"),
    Cell("mcp1", "mcp==1.30.0", "stdio", "2025", crowd=True),
    Cell("mcp2", "mcp==2.3.0", "http", "2026", crowd=True),
]
"""Those of the ordinary test run: every transport and era once, the oldest and the newest versions."""
