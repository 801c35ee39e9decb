"""The witnessed HTTP server of ``_http_witness``, running for a while."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from _peers import EXAMPLES, Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@contextmanager
def serving(peer: Peer, env: dict[str, str], log: Path, words: list[str]) -> Iterator[str]:
    """The witnessed HTTP server; the value is its address."""
    server = subprocess.Popen(
        [str(peer.python), str(HERE / "_http_witness.py"), str(log), str(EXAMPLES), *words],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        cwd=peer.directory,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()
