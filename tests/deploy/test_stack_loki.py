"""A real Loki, with the stack's configuration: the sample goes there by the stack's collector and is asked for.

Loki is in no registry: ``BLUEROCK_TEST_LOKI`` names a binary.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import _engines
import _logql
import _peers
import pytest
from test_stack_dashboards import QUIET, SAMPLE, STACK, asked

from bluerock_hooks.cli.stack import shifted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.pipelines


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def loki(data: Path) -> Iterator[str]:
    """The address of one that has nothing yet."""
    program = os.environ.get("BLUEROCK_TEST_LOKI")
    if not program:
        _peers.missing("Loki (BLUEROCK_TEST_LOKI names a binary)")
    port = free_port()
    env = {
        "LOKI_ADDRESS": "127.0.0.1",
        "LOKI_PORT": str(port),
        "LOKI_GRPC_PORT": str(free_port()),
        "LOKI_DATA": str(data),
    }
    command = [str(program), f"-config.file={STACK / 'loki.yaml'}", "-config.expand-env=true"]
    with (data.parent / "loki.log").open("wb") as log, subprocess.Popen(command, env=env, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            assert _engines.wait(lambda: ready(url)), (data.parent / "loki.log").read_text()[-2000:]
            yield url
        finally:
            process.terminate()


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ask(url: str, what: str, **fields: Any) -> Any:
    """The result of a query; Loki's own words where it refuses."""
    try:
        with urllib.request.urlopen(f"{url}/loki/api/v1/{what}?{urllib.parse.urlencode(fields)}", timeout=30) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{fields}: {refused.read().decode()}") from None


def test_every_query_finds_in_loki_what_our_evaluation_finds(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    lines = shifted(SAMPLE.read_text().splitlines(), now)
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "python-1-0000000000000001.000000.ndjson").write_text("".join(lines))
    stored = _logql.lines([line.rstrip("\n") for line in lines], _engines.HOST, _engines.SERVICE)
    end = max(line.seconds for line in stored) + 1
    count = 'sum(count_over_time({service_name=~".+"}[1h]))'
    with loki(tmp_path / "loki") as url, _engines.otelcol(spool, tmp_path / "state", url):

        def arrived() -> bool:
            found = ask(url, "query", query=count)["result"]
            return bool(found) and found[0]["value"][1] == str(len(lines))

        assert _engines.wait(arrived)
        assert len(ask(url, "series", **{"match[]": '{service_name=~".+"}'})) < 50
        # A range of a series is asked for as a whole: our evaluation knows no steps.
        expressions = [each.expr.replace("[1m]", "[6h]") for each in asked()]
        for each, expr, tree in zip(asked(), expressions, _logql.parse(expressions), strict=True):
            expected = _logql.Query(tree, stored).result()
            assert expected or each.place in QUIET
            if isinstance(expected, list):
                found = ask(url, "query_range", query=expr, start=end - 3600, end=end, limit=5000)["result"]
                assert sum(len(stream["values"]) for stream in found) == len(expected), each.place
            else:
                assert samples(ask(url, "query", query=expr, time=end)["result"]) == pytest.approx(expected), each.place


def samples(found: list[dict[str, Any]]) -> dict[_logql.Labels, float]:
    """Values by labels; Loki has empty ones where we have none."""
    return {
        tuple(sorted((name, value) for name, value in sample["metric"].items() if value)): float(sample["value"][1])
        for sample in found
    }
