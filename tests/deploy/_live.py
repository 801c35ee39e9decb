"""One day in the life of a spool, in some seconds: what every collector has to come through without a loss.

A server under the sensor serves while the collector follows; segments are sealed and begun; the log store is away for a
while; a line is there in half; the collector is started anew; the server is killed, and what it left is recovered.
"""

from __future__ import annotations

import collections
import signal
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _contract
from _command import call, line
from _engines import HOST, SERVICE, wait
from _peers import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _engines import Engine
    from _peers import Peer
    from _sink import Received, Sink

_CHATTER = Path(__file__).with_name("_chatter.py")
_SEGMENT = 65536  # the smallest


class Day:
    """What is needed for it; ``spool`` is the sensor's directory, which the collector follows."""

    def __init__(self, peer: Peer, env: Mapping[str, str], spool: Path, sink: Sink, engine: Engine) -> None:
        self.peer, self.spool, self.sink, self.engine = peer, spool, sink, engine
        self.env = {**env, "BLUEROCK_SEGMENT_BYTES": str(_SEGMENT)}

    def run(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Live through it, and compare what arrived with what the spool holds.

        The collector is stopped with ``how``. Only one that is killed may send an event again, and the same.
        """
        with self._server() as server, self.engine:
            self._calls(server, 60)
            self._arrived("while the server writes")
            rest = self._half_a_line()
            self.sink.refusing = True
            self._calls(server, 40)
            assert wait(lambda: self.sink.refused), "nothing was sent"
            self.sink.refusing = False
            rest()
            self._arrived("after the store was away")
            if self.engine.keeps_positions:
                self.engine.stop(how)
                self._calls(server, 20)  # nobody looks
                self.engine.start()
                self._arrived("after the collector's restart")
            self._calls(server, 20, kill=True)
            done = call(self.spool.parent, "recover", "--spool", self.spool)
            assert done.returncode == 0, done.stderr
            self._arrived("after the server was killed, and recovered")
            assert len(list(self.spool.glob(f"python-{server.pid}-*"))) > 2, "no rotation happened"
        self._compare(again=how == signal.SIGKILL)

    # -- what happens

    @contextmanager
    def _server(self) -> Iterator[subprocess.Popen[str]]:
        command = [self.peer.python, EXAMPLES / "http_server.py"]
        with subprocess.Popen(
            [str(word) for word in command], env=self.env, cwd=self.peer.directory, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            self.url = server.stdout.readline().strip()
            try:
                yield server
            finally:
                server.kill()

    def _calls(self, server: subprocess.Popen[str], count: int, *, kill: bool = False) -> None:
        command = [self.peer.python, _CHATTER, EXAMPLES, self.url]
        with subprocess.Popen(
            [str(word) for word in command],
            env=self.env,
            cwd=self.peer.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == "connected\n"
            client.stdin.write(f"{count}\n")
            client.stdin.flush()
            assert client.stdout.readline() == "done\n"
            if kill:
                server.kill()
                server.wait(30)
                client.kill()

    def _half_a_line(self) -> Any:
        """A segment of a process that is in the middle of its write; call the result for the other half."""
        component = str(uuid.uuid4())
        text = line(1, component=component) + b"\n" + line(2, component=component, text="ä" * 5000) + b"\n"
        path = self.spool / f"python-4242-{component[:8]}.000001.ndjson"
        path.touch(0o600)
        with path.open("ab") as file:
            file.write(text[: len(text) // 2])

        def rest() -> None:
            with path.open("ab") as file:
                file.write(text[len(text) // 2 :])

        time.sleep(1)  # longer than any collector waits before it takes half a line for a whole one
        return rest

    # -- what arrived

    def _lines(self, *, at_rest: bool = False) -> list[str]:
        """What the spool holds; while servers write, up to the last line that is whole."""
        texts = [each.read_text() for each in self.spool.glob("python-*.ndjson")]
        assert not at_rest or all(text == "" or text.endswith("\n") for text in texts)
        return [line for text in texts for line in text[: text.rfind("\n") + 1].splitlines()]

    def _arrived(self, when: str) -> None:
        """All that is in the spool by now, and nothing twice where positions are kept."""

        def missing() -> set[tuple[str, int]]:
            there = {_contract.unique_id(text) for text in self._lines()}
            return there - {_contract.unique_id(event.body) for event in self.sink.events}

        assert wait(lambda: not missing()), f"{len(missing())} events did not arrive {when}\n{self._said()}"

    def _said(self) -> str:
        return self.engine.log.read_text(errors="replace")[-4000:]

    def _compare(self, *, again: bool) -> None:
        stored = {_contract.unique_id(text): text for text in self._lines(at_rest=True)}
        counts = collections.Counter(_contract.unique_id(event.body) for event in self.sink.events)
        assert set(counts) == set(stored)
        assert len(stored) > 500
        twice = [each for each, count in counts.items() if count > 1]
        assert again or not twice, f"{len(twice)} events arrived more than once, such as {stored[twice[0]]}"
        for event in self.sink.events:
            compare(event, stored[_contract.unique_id(event.body)], loki=self.engine.loki)


def backlog(spool: Path, sample: str) -> int:
    """Twenty segments that are there before the collector; how many events."""
    for number in range(20):
        path = spool / f"python-{number + 1}-0123456789abcdef.000001.ndjson"
        path.write_text(sample.replace('"component_id":"', f'"component_id":"{number:02d}'))
    return sample.count("\n") * 20


def store_comes_back(sink: Sink, engine: Engine, count: int) -> None:
    """It refused for some seconds, and the collector waited: every event arrives, and none twice."""
    assert wait(lambda: sink.refused), "nothing was sent"
    time.sleep(5)
    sink.refusing = False
    assert wait(lambda: len(sink.events) >= count), engine.log.read_text(errors="replace")[-4000:]
    time.sleep(1)
    assert len(sink.events) == len({_contract.unique_id(event.body) for event in sink.events}) == count


def compare(event: Received, stored: str, *, loki: bool = False) -> None:
    """What arrived is what the contract makes of the line. ``loki``: under Loki's names, where all values are texts."""
    assert event.body == stored
    assert event.time_ns == _contract.time_ns(stored)
    labels, metadata = _contract.labels(stored, HOST, SERVICE), _contract.metadata(stored)
    if loki:
        trace = dict(zip(("trace_id", "span_id"), _contract.trace(stored), strict=True))
        assert event.labels == _flattened(labels)
        assert _numbered(event.metadata) == _flattened({**metadata, **trace} if trace["trace_id"] else metadata)
    else:
        assert event.labels == labels
        assert event.metadata == metadata
        assert event.trace == _contract.trace(stored)
        number = {"info": 9, "warn": 13, "error": 17}[labels["severity"]]
        assert event.severity == (number, labels["severity"].upper())


def _flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in values.items()}


def _numbered(metadata: Mapping[str, str]) -> dict[str, Any]:
    """With numbers where the contract says so: every collector writes them as it likes."""
    numbers = {name.replace(".", "_") for name in _contract.NUMBERS}
    assert all(isinstance(value, str) for value in metadata.values())
    return {name: float(value) if name in numbers else value for name, value in metadata.items()}
