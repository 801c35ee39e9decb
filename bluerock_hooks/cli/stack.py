"""``stack``: Loki, Grafana and a collector that follows the spool, as containers on this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import datetime, timedelta, timezone

from ..errors import BluerockError
from ..spool import Spool
from ._compose import SERVICES, Stack, sample
from ._say import say
from ._selection import add_spool, open_spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PORT = 3000
_HOUR = 3600
_COUNT = f'sum(count_over_time({{service_name=~".+"}}[{_HOUR}s]))'
_NEWEST = '{service_name=~".+"}'
_QUERIES = "/api/datasources/proxy/uid/bluerock-loki/loki/api/v1"


def main(args: list[str], prog: str) -> int:
    """Start, stop, or say how it is: 1 where a part of it does not run."""
    options = _parser(prog).parse_args(args)
    stack = Stack()
    if options.verb == "up":
        return _up(stack, options)
    if not stack.installed():
        raise BluerockError("the stack was never started", f"`{prog} up` does it")
    if options.verb == "down":
        stack.compose("down", *(["--volumes"] if options.volumes else []))
        return 0
    return _status(stack, as_json=options.json)


def _up(stack: Stack, options: argparse.Namespace) -> int:
    spool = _demo(stack) if options.demo else open_spool(options.spool)
    spool.prepare()
    changed = stack.install()
    env = {
        "BLUEROCK_SPOOL_DIR": spool.path,
        "BLUEROCK_UID": str(os.getuid()),
        "BLUEROCK_GID": str(os.getgid()),
        "BLUEROCK_HOST_NAME": options.host_name or platform.node() or "localhost",
        "BLUEROCK_GRAFANA_PORT": str(options.port),
        "OTEL_SERVICE_NAME": options.service or os.environ.get("OTEL_SERVICE_NAME") or "bluerock-hooks",
    }
    # Compose looks at its own file only, not at what is mounted.
    stack.compose("up", "--detach", "--wait", *(["--force-recreate"] if changed else []), env=env)
    print(f"http://127.0.0.1:{options.port} shows what is recorded in {spool.path}")
    return 0


def _demo(stack: Stack) -> Spool:
    """A spool with the sample in it, as if its last event had happened now."""
    spool = Spool(stack.demo_spool)
    spool.prepare()
    for segment in spool.segments():  # the directory stays: a collector that runs has it mounted
        os.unlink(segment.path)
    blob = "".join(shifted(sample().splitlines(), datetime.now(timezone.utc))).encode()
    spool.append(f"1-{time.time_ns():016x}", 0, 0, blob)
    return spool


def shifted(lines: list[str], now: datetime) -> list[str]:
    """The lines, each with its newline, with times moved so that the last is ``now``."""
    times = [json.loads(line)["ts"] for line in lines]
    past: timedelta = now - max(map(_moment, times))
    return [
        line.replace(stamp, (_moment(stamp) + past).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), 1) + "\n"
        for line, stamp in zip(lines, times, strict=True)
    ]


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


def _status(stack: Stack, *, as_json: bool) -> int:
    states = stack.states()
    services = {name: _state(states.get(name)) for name in SERVICES}
    address = _address(states.get("grafana"))
    events, age = _events(address)
    healthy = all(state.startswith("running") and "unhealthy" not in state for state in services.values())
    if as_json:
        print(json.dumps({"services": services, "url": address, "events_last_hour": events, "newest_seconds_ago": age}))
    else:
        for name, state in services.items():
            print(f"{name:<10} {state}")
        if address:
            print(f"{'url':<10} {address}")
        print(f"{'events':<10} {_arrived(events, age)}")
    return 0 if healthy else 1


def _state(container: dict[str, Any] | None) -> str:
    """Such as ``running, healthy``."""
    if container is None:
        return "not started"
    return ", ".join(filter(None, (container.get("State"), container.get("Health"))))


def _address(container: dict[str, Any] | None) -> str:
    """Where a browser finds Grafana; empty where it does not run. No port is published in the network of the host."""
    if container is None or container.get("State") != "running":
        return ""
    ports = [each["PublishedPort"] for each in container.get("Publishers") or () if each.get("PublishedPort")]
    return f"http://127.0.0.1:{ports[0] if ports else _PORT}"


def _arrived(events: int | None, age: float | None) -> str:
    if events is None:
        return "Loki does not answer"
    newest = "" if age is None else f", the newest {age:.0f} seconds old"
    return f"{events} in the last hour{newest}"


def _events(address: str) -> tuple[int | None, float | None]:
    """How many events Loki has of the last hour, and how old the newest is in seconds; None where it does not tell."""
    if not address:
        return None, None
    try:
        counted = _ask(address, "query", {"query": _COUNT})
        lines = _ask(address, "query_range", {"query": _NEWEST, "limit": "1", "since": f"{_HOUR}s"})
    except (OSError, ValueError, KeyError) as exc:
        say(f"{address} does not answer: {exc}")
        return None, None
    newest = max((int(value[0]) for stream in lines for value in stream["values"]), default=None)
    age = None if newest is None else max(0.0, time.time() - newest / 1e9)
    return sum(int(float(each["value"][1])) for each in counted), age


def _ask(address: str, what: str, fields: dict[str, str]) -> list[Any]:
    """A query of Loki through Grafana, past any proxy that the environment names."""
    from urllib.parse import urlencode
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{address}{_QUERIES}/{what}?{urlencode(fields)}", timeout=5) as answer:
        found: list[Any] = json.loads(answer.read())["data"]["result"]
    return found


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run Loki, Grafana and a collector of this spool as containers, by docker compose. Grafana listens "
        "on 127.0.0.1 and shows everything to whoever opens it there.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|down|status")
    up = verbs.add_parser("up", help="start it, or take over what changed", description="Start the stack.")
    add_spool(up)
    up.add_argument("--demo", action="store_true", help="show a recorded sample instead of the spool")
    up.add_argument("--port", type=int, default=_PORT, help=f"of Grafana on 127.0.0.1 (default: {_PORT})")
    up.add_argument("--service", metavar="NAME", help="label service_name (default: OTEL_SERVICE_NAME, bluerock-hooks)")
    up.add_argument("--host-name", metavar="NAME", help="label host_name (default: of this machine)")
    down = verbs.add_parser("down", help="stop it and keep what Loki has", description="Stop the stack.")
    down.add_argument("--volumes", action="store_true", help="delete what Loki and Grafana keep, too")
    status = verbs.add_parser("status", help="what runs, and what has arrived", description="Say how the stack is.")
    status.add_argument("--json", action="store_true", help="one JSON object")
    return parser
