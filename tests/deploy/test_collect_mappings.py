"""Vector and Grafana Alloy are in no registry; what they make of an event is run all the same, in their languages.

Vector's program runs in Vector's own interpreter, as a Python package has it; Alloy's expressions, which are JMESPath,
in another implementation of that language.
"""

from __future__ import annotations

import calendar
import json
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _engines
import _framing
import _live
import jmespath
import yaml
from _engines import COLLECTORS
from _sink import Received

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

_RUNNER = Path(__file__).with_name("_vrl.py")
ALLOY = (COLLECTORS / "config.alloy").read_text()


def test_vector_makes_of_an_event_what_the_contract_says(peer_venv: Callable[..., Peer], tmp_path: Path) -> None:
    peer = peer_venv("3.12", "vector-vrl==1.0.7")
    config = yaml.safe_load((COLLECTORS / "vector.yaml").read_text())
    program = tmp_path / "contract.vrl"
    program.write_text(_interpolated(config["transforms"]["contract"]["source"]))
    lines = _framing.hard()
    done = subprocess.run(
        [str(peer.python), str(_RUNNER), str(program)],
        input="\n".join([*lines, "not of ours"]),
        capture_output=True,
        text=True,
        check=True,
    )
    *events, foreign = (json.loads(text) for text in done.stdout.splitlines())
    assert len(events) == len(lines)
    for event, stored in zip(events, lines, strict=True):
        _live.compare(_received(event), stored, loki=True)
    assert (foreign["message"], json.loads(foreign["beside"])) == ("not of ours", {})


def test_vector_loses_and_doubles_nothing_as_far_as_its_configuration_says() -> None:
    config = yaml.safe_load((COLLECTORS / "vector.yaml").read_text())
    (source,), (sink,) = config["sources"].values(), config["sinks"].values()
    assert config["data_dir"] == "${BLUEROCK_STATE_DIR}"
    assert (source["type"], source["read_from"], source["fingerprint"]["strategy"]) == ("file", "beginning", "checksum")
    assert source["max_line_bytes"] > 1 << 20
    assert sink["acknowledgements"] == {"enabled": True}
    assert sink["buffer"]["when_full"] == "block"
    assert (sink["labels"], sink["structured_metadata"]) == ({"*": "{{ label }}"}, {"*": "{{ beside }}"})


def test_alloy_makes_of_an_event_what_the_contract_says() -> None:
    rows = re.findall(r'^ +(\w+) += "((?:[^"\\]|\\.)+)",$', _block("stage.json"), re.M)
    expressions = {name: jmespath.compile(json.loads(f'"{text}"')) for name, text in rows}
    labels, beside = _names("stage.labels"), _names("stage.structured_metadata")
    pattern = re.search(r'expression = "(.+)"', _block("stage.regex"))
    assert pattern
    for stored in _framing.hard():
        found = {name: each.search(json.loads(stored)) for name, each in expressions.items()}
        found |= ((match := re.match(pattern[1], found["trace_parent"] or "")) and match.groupdict()) or {}
        texts = {name: _text(value) for name, value in found.items() if value is not None}
        fixed = {"service_name": _engines.SERVICE, "host_name": _engines.HOST}
        event = Received(
            stored,
            _nanoseconds(texts["ts"], "%Y-%m-%dT%H:%M:%S"),
            {**fixed, **{name: texts[name] for name in labels}},
            {name: texts[name] for name in beside if name in texts},
        )
        _live.compare(event, stored, loki=True)
    assert {jmespath.search("event.meta.name", {}), *(each.search({}) for each in expressions.values())} == {None}


def _interpolated(text: str) -> str:
    """As Vector does it with the environment that ``_engines`` gives."""
    text = text.replace("${BLUEROCK_HOST_NAME:-}", _engines.HOST)
    text = text.replace("${OTEL_SERVICE_NAME:-bluerock-hooks}", _engines.SERVICE)
    assert "$" not in text, "the rest would be taken for variables too"
    return text


def _received(event: dict[str, Any]) -> Received:
    stamp = _nanoseconds(event["timestamp"].removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S")
    return Received(event["message"], stamp, json.loads(event["label"]), json.loads(event["beside"]))


def _nanoseconds(text: str, layout: str) -> int:
    seconds, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, layout)) * 10**9 + int(rest.ljust(9, "0"))


def _block(name: str) -> str:
    found = re.search(rf"^  {re.escape(name)} {{\n(.*?)^  }}$", ALLOY, re.S | re.M)
    assert found
    return found[1]


def _names(stage: str) -> list[str]:
    return re.findall(r'^ +(\w+) += "",$', _block(stage), re.M)


def _text(value: Any) -> str:
    """As Alloy writes a value that is no text."""
    return value if isinstance(value, str) else json.dumps(value)
