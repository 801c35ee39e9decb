"""What MCP's hooks need is loaded when something of the SDK is used, and nothing is lost of that first use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

IMPORTED = """
import sys, threading, concurrent.futures
import mcp, mcp.server
threading.Thread(target=int).start()
concurrent.futures.ThreadPoolExecutor(1).submit(int).result()
heavy = ("msgspec", "wrapt", "bluerock_hooks.encode", "bluerock_hooks.events", "bluerock_hooks.redact",
         "bluerock_hooks.hooks.activity", "bluerock_hooks.hooks.mcp._wrappers")
print(*[name for name in heavy if name in sys.modules])
"""

# Four threads use the SDK for the first time, at once, and then open a file on behalf of a request.
AT_ONCE = """
import json, sys, threading
from mcp.server.lowlevel import Server
start, made = threading.Barrier(4), []
def use(number):
    start.wait()
    made.append(Server(f"server-{number}"))
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
from bluerock_hooks import events
from bluerock_hooks.hooks import _attribution
_attribution.enter(events.Span("tools/call", "tool", 1, None, "0123456789abcdef", None, 0))
exec("open('/etc/hosts').close()", {"__name__": "program"})
print(Server.__init__.__code__.co_filename.rpartition("/")[2])
"""


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_an_import_of_the_sdk_loads_no_more_than_the_table(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    done = peer_venv("3.11", sdk).run("python", "-c", IMPORTED, env=sensor_env)
    assert (done.stdout, done.stderr) == ("\n", "")
    outcomes = {hook["outcome"] for event in named(read_spool(spool), "sensor_hooks") for hook in event["hooks"]}
    assert outcomes == {"applied"}


@pytest.mark.parametrize("sdk", ["mcp==1.30.0", "mcp==2.3.0"])
def test_what_threads_do_first_at_once_is_told_once_each(
    sdk: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    done = peer_venv("3.11", sdk).run("python", "-c", AT_ONCE, env=sensor_env)
    assert (done.stdout, done.stderr) == ("_catalog.py\n", "")
    events = read_spool(spool)
    names = sorted(event["server"]["name"] for event in named(events, "python_mcp_server_init"))
    assert names == [f"server-{number}" for number in range(4)]
    (opened,) = named(events, "python_file_open")
    assert opened["path"] == "/etc/hosts"


def test_a_program_that_cannot_have_msgspec_runs_on_and_says_so(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    code = """
import json, sys
sys.modules["msgspec"] = None
from mcp.server.lowlevel import Server
before = Server.__init__
made = [Server("a"), Server("b")]
print(json.dumps([each.name for each in made]), before is Server.__init__)
"""
    done = peer_venv("3.11", "mcp==2.3.0").run("python", "-c", code, env=sensor_env)
    assert done.stderr == ""
    names, same = done.stdout.rsplit(" ", 1)
    assert json.loads(names) == ["a", "b"]
    assert same.strip() == "False"  # put back
    events = read_spool(spool, failures=True)
    failed = [hook for event in named(events, "sensor_hooks") for hook in event["hooks"] if hook["outcome"] == "failed"]
    assert [(hook["target"], hook["required"]) for hook in failed] == [("msgspec", True)]
    assert len(named(events, "python_internal_exception")) == 1
