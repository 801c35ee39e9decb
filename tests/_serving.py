"""Servers that the tests start, talk to and stop: each prints its address first."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from _peers import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from _peers import Peer

_WITNESSED = Path(__file__).with_name("_http_witness.py")


@contextmanager
def started(command: Sequence[str | Path], env: Mapping[str, str], directory: Path) -> Iterator[str]:
    """The server that this command starts in ``directory``; the value is its address."""
    with subprocess.Popen(
        [str(word) for word in command], env=dict(env), cwd=directory, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def serving(peer: Peer, env: Mapping[str, str], log: Path, words: Sequence[str]) -> Iterator[str]:
    """The example server over HTTP, with a witness in front that writes to ``log``."""
    with started([peer.python, _WITNESSED, log, EXAMPLES, *words], env, peer.directory) as address:
        yield address
