"""Runs one cell: real client, real server, a witness between them, with the sensor and without."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from _peers import environment, read_spool
from _serving import started
from _wire import TEE, messages_of_tee

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _peers import Peer

    from .cells import Cell

STAGE = Path(__file__).with_name("stage")
PATIENCE = 300  # seconds a client may take on a busy machine


class Played(NamedTuple):
    """What a run left behind."""

    said: str
    """What the client printed."""
    complained: str
    """What the client printed on stderr."""
    wire: list[tuple[str, dict[str, Any]]]
    """``(direction, message)``, as the witness saw them."""
    events: list[dict[str, Any]]
    """Lines of the spool; empty without the sensor."""


def lit(cell: Cell, peer: Peer, directory: Path) -> Played:
    """With the sensor on, everything that is recorded kept whole."""
    spool = directory / "spool"
    settings = {"ENABLE": "1", "SPOOL_DIR": str(spool), "PAYLOADS": "full", "RESULTS": "full", "MAX_EVENT_BYTES": "1m"}
    variables = {f"BLUEROCK_{name}": value for name, value in settings.items()}
    said, complained, wire = _run(cell, peer, environment(directory, **variables), directory / "lit.log")
    return Played(said, complained, wire, read_spool(spool))


def dark(cell: Cell, peer: Peer, directory: Path) -> Played:
    """Without the sensor."""
    return Played(*_run(cell, peer, environment(directory), directory / "dark.log"), [])


def _run(
    cell: Cell, peer: Peer, env: Mapping[str, str], log: Path
) -> tuple[str, str, list[tuple[str, dict[str, Any]]]]:
    log.touch()
    with _server(cell, peer, env, log) as target:
        script = {
            "generation": cell.generation,
            "transport": cell.transport,
            "era": cell.era,
            "target": target,
            "log": str(log),
            "crowd": cell.crowd,
            "asks": cell.asks,
            "raw": cell.transport in ("memory", "stdio", "websocket") and not cell.direct,
        }
        done = peer.run("python", STAGE / "talk.py", json.dumps(script), env=env, timeout=PATIENCE)
    return done.stdout, done.stderr, messages_of_tee(log)


@contextmanager
def _server(cell: Cell, peer: Peer, env: Mapping[str, str], log: Path) -> Iterator[str | list[str] | None]:
    """What the client connects to: nothing in memory, a command on stdio, else the address of a server that runs."""
    serve = [str(peer.python), str(STAGE / "serve.py"), cell.generation, cell.transport]
    if cell.transport == "memory":
        yield None
    elif cell.transport == "stdio":
        yield [sys.executable, "-S", str(TEE), str(log), *serve]
    else:
        with started([*serve, str(log), *cell.words], env, peer.directory) as address:
            yield address
