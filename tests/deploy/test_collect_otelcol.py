"""The OpenTelemetry Collector with our configuration, from a real spool to an OTLP sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import _contract
import _engines
import _framing
import _live
import yaml
from _sink import sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

CONFIG = yaml.safe_load((_engines.COLLECTORS / "otelcol.yaml").read_text())


def test_every_event_arrives_once_whatever_happens(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    peer = peer_venv("3.11", "mcp==2.3.0")
    with sink() as store:
        engine = _engines.otelcol(spool, tmp_path / "state", store.url)
        _live.Day(peer, sensor_env, spool, store, engine).run()


def test_every_kind_of_event_becomes_what_the_contract_says(tmp_path: Path) -> None:
    lines = _framing.hard()
    path = tmp_path / "python-1-0123456789abcdef.000001.ndjson"
    path.write_text("\n".join([lines[0], "not of ours", '{"ts": "half', *lines[1:], ""]))
    with sink() as store, _engines.otelcol(tmp_path, tmp_path / "state", store.url) as engine:
        assert _engines.wait(lambda: len(store.events) >= len(lines) + 2), engine.log.read_text()
    foreign = [event for event in store.events if event.body in ("not of ours", '{"ts": "half')]
    assert len(foreign) == 2
    assert [event.metadata for event in foreign] == [{}, {}]
    ours = {_contract.unique_id(event.body): event for event in store.events if event not in foreign}
    assert len(ours) == len(lines) == len(store.events) - 2
    for stored in lines:
        _live.compare(ours[_contract.unique_id(stored)], stored)


def test_what_the_small_collector_leaves_out_is_what_keeps_positions_and_knows_the_host() -> None:
    """That build has neither; what is checked here of the rest is what decides whether events are lost or doubled."""
    receiver, exporter = CONFIG["receivers"]["filelog"], CONFIG["exporters"]["otlphttp"]
    assert receiver["storage"] == exporter["sending_queue"]["storage"] == "file_storage"
    assert CONFIG["service"]["extensions"] == ["file_storage"] == list(CONFIG["extensions"])
    assert CONFIG["service"]["pipelines"]["logs"]["processors"] == ["resourcedetection"] == list(CONFIG["processors"])
    assert receiver["start_at"] == "beginning"
    assert receiver["force_flush_period"] == "0s"
    assert exporter["sending_queue"]["block_on_overflow"] is True
    assert receiver["retry_on_failure"]["max_elapsed_time"] == exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
