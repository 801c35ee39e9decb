"""Every other collector that can be had, with our configuration, from a real spool to a sink as Loki is one."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import _engines
import _framing
import _live
import pytest
from _peers import ROOT
from _sink import sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

pytestmark = pytest.mark.pipelines

SAMPLE = (ROOT / "deploy" / "grafana-loki" / "demo" / "events.ndjson").read_text()
ENGINES = [
    _engines.fluent_bit,
    _engines.rsyslog,
    pytest.param(_engines.syslog_ng, id="syslog_ng_3"),
    pytest.param(partial(_engines.syslog_ng, suite="forky"), id="syslog_ng_4"),
]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("make", ENGINES)
def test_every_event_arrives_once_whatever_happens(
    make: Callable[..., _engines.Engine],
    how: signal.Signals,
    peer_venv: Callable[..., Peer],
    sensor_env: dict[str, str],
    spool: Path,
    tmp_path: Path,
) -> None:
    spool.mkdir(0o700)
    peer = peer_venv("3.11", "mcp==2.3.0")
    with sink() as store:
        _live.Day(peer, sensor_env, spool, store, make(spool, tmp_path / "state", store.url)).run(how)


@pytest.mark.parametrize("make", ENGINES)
def test_every_kind_of_event_becomes_what_the_contract_says(
    make: Callable[..., _engines.Engine], tmp_path: Path
) -> None:
    lines = _framing.hard()
    (tmp_path / "python-1-0123456789abcdef.000001.ndjson").write_text("\n".join([*lines, "not of ours", ""]))
    with sink() as store, make(tmp_path, tmp_path / "state", store.url) as engine:
        assert _engines.wait(lambda: len(store.events) > len(lines)), engine.log.read_text()
    assert {event.body for event in store.events} == {*lines, "not of ours"}
    assert len(store.events) == len(lines) + 1
    for event in store.events:
        if event.body != "not of ours":
            _live.compare(event, event.body, loki=True)


@pytest.mark.parametrize("make", [*ENGINES, _engines.otelcol])
def test_a_backlog_waits_for_a_store_that_is_away(make: Callable[..., _engines.Engine], tmp_path: Path) -> None:
    count = _live.backlog(tmp_path, SAMPLE)
    with sink() as store:
        store.refusing = True
        with make(tmp_path, tmp_path / "state", store.url) as engine:
            _live.store_comes_back(store, engine, count)
