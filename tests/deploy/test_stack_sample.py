"""The toolbox, which the sample is recorded from, still does on each SDK what the sample shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import _peers
import pytest
from _peers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

SAMPLE = ROOT / "deploy" / "grafana-loki" / "demo" / "events.ndjson"
# Of what was made wrong in the environment of the sample, or of a server over HTTP.
ELSEWHERE = {"python_mcp_rejected"}
SAID = """\
count_words: 5
mean: 2
run: 0
run: 1
run: failed: Error executing tool run
fetch: 5
announce: sent
keep_note: high at noon
calculate: 42
calculate: failed: Error executing tool calculate
restore: 1/2 2
ask: 5
greet: Hello, Ada!
learn: calculate is another tool now
"""


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_the_toolbox_does_what_the_sample_shows(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    done = peer.run("python", _peers.EXAMPLES / "toolbox.py", env=sensor_env, cwd=tmp_path)
    for line, said in zip(done.stdout.splitlines(), SAID.splitlines(), strict=True):
        assert line.startswith(said)  # 1.x tells a reason behind it
    events = _peers.read_spool(spool)
    kinds = {line["event"]["meta"]["name"] for line in events}
    shown = {json.loads(line)["event"]["meta"]["name"] for line in SAMPLE.read_text().splitlines()}
    assert shown - kinds == ELSEWHERE
    (changed,) = [
        e for e in _peers.named(events, "python_mcp_server_add") if "replaces" in e and e["source"] == "server"
    ]
    assert changed["element"]["name"] == "calculate"
