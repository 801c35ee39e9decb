"""Two containers on one volume: real pid namespaces, both processes have pid 1, and the same start tick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _peers
import pytest
from _storage import lines_of, numbers

from bluerock_hooks.ring import owner_state
from bluerock_hooks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 50
PROGRAM = Path(__file__).parent.parent / "_contained.py"


class Container:
    """One process that is alone in its pid namespace."""

    def __init__(self, spool: Path, name: str) -> None:
        self.name = name
        # Killed with its parent: what unshare makes dies with its first process, and that one is our grandchild.
        command = [sys.executable, str(PROGRAM), str(spool), name, str(EVENTS)]
        env = _peers.environment(spool.parent, PYTHONPATH=str(_peers.ROOT))
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        error = self.answer().get("error")
        if error:
            self.end()
            _peers.missing(f"a pid namespace ({error})")

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, word: str) -> dict[str, Any]:
        self.say(word)
        return self.answer()

    def kill(self) -> None:
        """SIGKILL to the process that has pid 1 in there."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            subprocess.run(["kill", "-9", child], check=True)
        self.end()

    def end(self) -> None:
        """Wait for the end, and close what is open."""
        self.process.communicate(timeout=30)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Spool, Container, Container]]:
    """Both are made at the same moment, until they have begun within the same tick of 10 ms."""
    for turn in range(60):
        path = tmp_path / f"spool{turn}"
        containers = [Container(path, name) for name in ("one", "two")]
        try:
            for each in containers:
                each.say("begin")
            born = [each.answer() for each in containers]
            assert [each["pid"] for each in born] == [1, 1]
            if born[0]["start"] == born[1]["start"]:
                yield Spool(str(path)), containers[0], containers[1]
                return
        finally:
            for each in containers:
                if each.process.poll() is None:
                    each.kill()
    _peers.missing("two processes that begin within one tick: 60 tries were not enough")


def written(spool: Spool) -> list[str]:
    return sorted(str(number) for number in numbers(lines_of(spool)))


def told(*names: str) -> list[str]:
    return sorted(f"{name}-{number}" for name in names for number in range(EVENTS))


def test_two_containers_share_a_spool(pair: tuple[Spool, Container, Container]) -> None:
    spool, one, two = pair
    rings = spool.peek()
    assert len({ring.stem for ring in rings}) == 2
    assert [(ring.pid, ring.start) for ring in rings] == [(rings[0].pid, rings[0].start)] * 2
    assert [owner_state(ring) for ring in rings] == ["unknown", "unknown"]
    # From outside, and from the other one, while both live: nothing is taken.
    assert spool.recover().left == 2
    assert one.ask("recover") == {"rings": 0, "left": 2, "events": 0}
    assert one.ask("more") == two.ask("more") == {}
    # One is killed. Its neighbour, which has the same pid, finds that out by the lock alone.
    one.kill()
    assert two.ask("recover")["rings"] == 1
    assert spool.recover().left == 1
    # The other one is killed; somebody outside comes by.
    two.kill()
    done = spool.recover()
    assert (done.rings, done.left) == (1, 0)
    assert written(spool) == sorted([*told("one", "two"), "one-more", "two-more"])
    assert spool.rings() == []


def test_a_clean_end_in_one_leaves_the_other_alone(pair: tuple[Spool, Container, Container]) -> None:
    spool, one, two = pair
    assert one.ask("close") == {}
    assert len(spool.rings()) == 1
    two.kill()
    assert spool.recover().rings == 1
    assert written(spool) == told("one", "two")
