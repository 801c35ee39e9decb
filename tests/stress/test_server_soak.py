"""A server at its highest call rate: memory, descriptors and latency stay flat, and every event is accounted for.

``pytest -m stress`` runs it for ten minutes with each SDK; ``BLUEROCK_TEST_SOAK`` is another number of seconds.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from _soak import soak

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

RING = 1 << 20  # bytes: a batch may be as large
LONG = float(os.environ.get("BLUEROCK_TEST_SOAK", "600"))


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", pytest.param("mcp==2.3.0", marks=pytest.mark.stress)])
@pytest.mark.parametrize(
    ("seconds", "cap"), [(6, 1 << 20), pytest.param(LONG, 64 << 20, marks=pytest.mark.stress, id="long")]
)
def test_a_server_at_its_limit(
    sdk: str, seconds: float, cap: int, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    env = {**sensor_env, "BLUEROCK_SPOOL_BYTES": str(cap), "BLUEROCK_SEGMENT_BYTES": str(cap >> 3)}
    found = soak(peer, env, spool, seconds)
    done = peer.run("bluerock-hooks", "stats", "--json", env=env, timeout=600, check=False)
    accounts = json.loads(done.stdout)["sensors"]
    print(f"{sdk}: {found}; {accounts}")

    assert found.grown < 1024
    assert max(found.descriptors) <= min(found.descriptors) + 2  # while a batch is written
    # The SDK has workers of its own, the more the busier it is: what matters is that they come to an end.
    half = len(found.threads) // 2
    assert max(found.threads[half:]) <= max(found.threads[:half]) + 1
    assert found.slower < 2
    assert max(found.spooled) <= cap * 5 / 4 + RING
    # Each call is a request and a response.
    assert accounts["emitted"] > 2 * found.calls
    assert accounts["emitted"] == accounts["written"] + sum(accounts["dropped"].values())
    assert accounts["dropped"].keys() == {"retention"}
    assert accounts["swallowed"] == accounts["unaccounted"] == 0
    lines = sum(segment.read_bytes().count(b"\n") for segment in spool.glob("*.ndjson"))
    assert accounts["written"] == lines
    assert list(spool.glob("rings/*.ring")) == []
