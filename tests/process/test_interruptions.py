"""Exceptions that a host's signal handler raises through our code, at any moment: each arrives, no event is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from _hosts import play
from _peers import SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

PROGRAM = """
import random
dice = random.Random(4)
class Late(Exception):
    pass
fired = 0
def handler(*_):
    global fired
    fired += 1
    raise kind
signal.signal(signal.SIGALRM, handler)
done = []
number = 0
def work(who):
    global number
    for _ in range(400):
        mine, number = number, number + 1
        try:
            os.open("/nonexistent/%d/%s/%d" % (os.getpid(), who, mine), os.O_RDONLY)
        except FileNotFoundError:
            pass
        done.append(mine)
report = {}
act(-1, "KeyboardInterrupt")  # has the redactor loaded: what is raised amid an import may meet a weakref callback
for kind in (Late, TimeoutError, KeyboardInterrupt):
    fired = arrived = number = 0
    done.clear()
    while fired < int(os.environ["MANY"]):
        try:  # once, not again and again: nothing interrupts the handler
            signal.setitimer(signal.ITIMER_REAL, dice.random() * 0.002 + 0.00005)
            work(kind.__name__)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except kind:
            arrived += 1
    report[kind.__name__] = done[:]
    print(kind.__name__, fired - arrived)
with open(REPORT + ".done", "w") as file:
    json.dump(report, file)
"""


@pytest.mark.parametrize(
    ("python", "many"),
    [("3.12", 60), *(pytest.param(each, 3400, marks=pytest.mark.stress) for each in SUPPORTED)],
)
def test_none_is_swallowed(
    python: str, many: int, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    run = play(peer_venv(python), PROGRAM, tmp_path, sensor_env, MANY=str(many), BLUEROCK_SPOOL_BYTES=str(4 << 30))
    assert run.done.stdout == "Late 0\nTimeoutError 0\nKeyboardInterrupt 0\n"
    report = json.loads((tmp_path / "with" / "report.done").read_text())
    for doer, found in run.acts.items():
        complete = report[doer[1]]
        assert len(set(found)) == len(found)
        assert len(set(complete) - set(found)) <= sum(run.folded.get(doer, ()))
        assert len(complete) > many
