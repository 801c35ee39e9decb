"""What the hooks replaced looks as before, and when every step of ours fails the host does not notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _peers import EXAMPLES, Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
SDKS = ("mcp==1.30.0", "mcp==2.3.0")


@pytest.mark.parametrize(
    "packages",
    [
        *SDKS,
        "fastmcp==4.1.6",
        pytest.param("mcp==1.9.4 pydantic<2.12 websockets", marks=pytest.mark.stress),
        pytest.param("mcp==2.0.0", marks=pytest.mark.stress),
        pytest.param("fastmcp==2.14.7 mcp<2", marks=pytest.mark.stress),
        pytest.param("fastmcp==3.4.11", marks=pytest.mark.stress),
    ],
)
def test_what_the_hooks_replaced_looks_and_behaves_as_before(
    packages: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str]
) -> None:
    done = peer_venv("3.11", *packages.split()).run("python", HERE / "_harmless.py", EXAMPLES, env=sensor_env)
    found = json.loads(done.stdout)
    assert found.pop("replaced") >= 25
    optional = ("docket", "fastmcp", "mcp.client.websocket", "mcp.server.websocket")
    assert [module for module in found.pop("not installed", []) if not module.startswith(optional)] == []
    assert all(seen >= 9 for seen in found.pop("conversations").values())
    assert found.pop("statistics", True) is True
    assert found == {
        "isinstance": True,
        "equal": True,
        "last_context": True,
        "undone": True,
        "not applied": ["mcp.client.streamable_http:streamable_http_client"] if "1.9.4" in packages else [],  # of 1.26
        "looks": [],
        "pickles": [],
        "by name": ["same"],
        "behaves": [],
    }


CATALOG = ("registered", "constructed", "listed")
RECORDING = ("encode", "clean", "emit")
STREAMS = ("connection", "message", "shared", "form", "context", "terminated", "tap", "endpoint", "opened")
PLACES = [
    *(("mcp==1.30.0", "legacy", place) for place in (*STREAMS, *CATALOG, "request-1")),
    *(("mcp==2.3.0", "legacy", place) for place in (*STREAMS, "request-2")),
    *(
        ("mcp==2.3.0", "auto", place)
        for place in ("load", "message", "direct", *CATALOG, "request-2", "encode", "clean", "emit")
    ),
]


@pytest.mark.parametrize(("sdk", "mode", "place"), PLACES)
def test_a_failure_of_ours_at_any_step_never_reaches_the_host(
    sdk: str, mode: str, place: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", sdk)
    whole = peer.run("python", HERE / "_sabotaged.py", EXAMPLES, mode, place, env=sensor_env)
    lines = whole.stdout.splitlines()
    assert lines[-1] == "swallowed True"
    assert lines[0].startswith("tools: add, count, divide, sign_in")
    assert lines[-2] == "summarise: Summarise tides in one sentence."
    assert not whole.stderr
    if place != "emit":  # nothing can tell of itself when nothing can be written
        failures = named(read_spool(spool, failures=True), "python_internal_exception")
        assert any("sabotage" in failure["message"] for failure in failures)


@pytest.mark.parametrize(
    ("payloads", "wanted"),
    [
        ("redacted", {"user": "ada", "api_key": "[redacted]"}),
        ("full", {"user": "ada", "api_key": "[redacted]"}),
        ("none", None),
    ],
)
def test_payloads_are_kept_as_far_as_the_setting_says(
    payloads: str, wanted: object, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    env = {**sensor_env, "BLUEROCK_PAYLOADS": payloads, "BLUEROCK_RESULTS": "shape"}
    peer_venv("3.11", "mcp==1.30.0").run("python", EXAMPLES / "client.py", env=env)
    events = read_spool(spool)
    calls = [
        event for event in named(events, "server_received_request") if event["context"]["mcp"].get("tool") == "sign_in"
    ]
    assert len(calls) == 1
    params = calls[0]["message"].get("params")
    assert (params["arguments"] if params else None) == wanted
    answers = [event["message"] for event in named(events, "server_send_response")]
    assert "Hello, Ada" not in json.dumps(answers)
    assert named(events, "python_mcp_event")[0]["meta"]["name"] == "python_mcp_event"


@pytest.mark.parametrize("sdk", SDKS)
def test_a_session_does_not_keep_the_http_requests_that_it_had(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str]
) -> None:
    done = peer_venv("3.11", sdk, "uvicorn").run("python", HERE / "_retained.py", EXAMPLES, env=sensor_env)
    # The stream that the client holds open, and the last request, which the SDK's own loop still has in a variable.
    assert int(done.stdout) <= 2
