"""A connection on its own, in a process of its own: what no SDK sends in a test of whole programs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from _peers import ROOT, environment, named, read_spool

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import bluerock_hooks
assert bluerock_hooks.start()
from bluerock_hooks import _bootstrap
sensor = _bootstrap.sensor()
sensor.prepare()
from bluerock_hooks.hooks.mcp._sessions import Connection
from bluerock_hooks.hooks.mcp._spans import unnamed
from bluerock_hooks.hooks.mcp._transports import Endpoint
connection = Connection(sensor, "server", Endpoint("http"))
"""


def run(code: str, home: Path) -> tuple[str, Path]:
    """What ``code`` prints, and the spool."""
    spool = home / "spool"
    env = environment(home, PYTHONPATH=str(ROOT), BLUEROCK_ENABLE="1", BLUEROCK_SPOOL_DIR=str(spool))
    done = subprocess.run([sys.executable, "-c", BEGIN + code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, spool


def test_an_answer_to_a_request_that_nobody_could_name_is_a_whole_event(tmp_path: Path) -> None:
    span_id, spool = run(
        """
span = unnamed(sensor, None)
connection.expect(7, span)
connection.message({"id": 7, "result": {"ok": True}}, False)
print(span.span_id, end="")
""",
        tmp_path,
    )
    (answer,) = named(read_spool(spool), "python_mcp_event")
    assert answer["context"]["mcp"] == {"span_id": span_id}
    assert (answer["id"], answer["outcome"]) == (7, "ok")


def test_an_id_that_no_number_of_ours_can_hold_is_told_all_the_same(tmp_path: Path) -> None:
    _, spool = run(
        """
connection.message({"id": 2**70, "error": {"code": 1, "message": "late"}}, False)
connection.message({"id": 10**4000, "error": {"code": 1, "message": "late"}}, False)
""",
        tmp_path,
    )
    one, other = named(read_spool(spool), "python_mcp_event")
    assert one["id"] == hex(2**70)
    assert len(other["id"]) == 256
