"""``bluerock-hooks stack``: what it hands to compose, and what it says where there is none."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import _command
import _peers
import pytest
import yaml
from _peers import ROOT

from bluerock_hooks.cli import _compose
from bluerock_hooks.errors import BluerockError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

STACK = ROOT / "deploy" / "grafana-loki"
COMPOSE: dict[str, Any] = yaml.safe_load((STACK / "compose.yaml").read_text())

# Stands where docker-compose is looked for: notes how it was called, and prints what compose 2.40 printed here.
STAND_IN = """#!/bin/sh
case "$1" in version) echo 2.40.3; exit;; esac
{ printf '%s\\n' "$@"; env | grep -E '^(BLUEROCK|OTEL)_'; } >> "$HOME/called"
case "$*" in *" ps "*) cat "$HOME/ps.json";; *" down"*) exit "${DOWN:-0}";; esac
"""
PS = {
    "loki": {"Service": "loki", "State": "running", "Health": "healthy", "Publishers": []},
    "positions": {"Service": "positions", "State": "exited", "Health": "", "ExitCode": 0, "Publishers": []},
    "collector": {"Service": "collector", "State": "running", "Health": "", "Publishers": []},
    "grafana": {"Service": "grafana", "State": "exited", "Health": "", "Publishers": [{"PublishedPort": 0}]},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the stand-in on its path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker-compose").write_text(STAND_IN)
    (programs / "docker-compose").chmod(0o755)
    return tmp_path


def stack(home: Path, *words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no other compose can be found."""
    tools = {name: shutil.which(name) for name in ("sh", "cat", "env", "grep")}
    for name, found in tools.items():
        link = home / "tools" / name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(str(found))
    path = f"{home}/bin:{home}/tools"
    done: subprocess.CompletedProcess[str] = _command.call(home, "stack", *words, env={"PATH": path, **env}, text=True)
    return done


def test_without_compose_one_line_says_so(tmp_path: Path) -> None:
    for verb in ("up", "down", "status"):
        done = stack(tmp_path, verb)
        assert done.returncode == 1
        assert done.stdout == ""
        assert re.fullmatch(r"bluerock-hooks: there is no `docker compose` .*; install Docker .*\n", done.stderr)
    assert not (tmp_path / ".bluerock").exists()


def test_before_it_was_started_there_is_nothing_to_stop(home: Path) -> None:
    done = stack(home, "down")
    assert (done.returncode, done.stderr) == (
        1,
        "bluerock-hooks: the stack was never started; `python -m bluerock_hooks stack up` does it\n",
    )


def test_up_makes_the_spool_and_says_where_it_is(home: Path) -> None:
    done = stack(home, "up", "--port", "3100", "--service", "shop", "--host-name", "vm7")
    assert (done.returncode, done.stderr) == (0, "")
    spool = home / ".bluerock" / "event-spool"
    assert done.stdout == f"http://127.0.0.1:3100 shows what is recorded in {spool}\n"
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700  # made by us: what Docker makes belongs to root
    called = (home / "called").read_text().splitlines()
    compose = home / ".bluerock" / "stack" / "grafana-loki" / "compose.yaml"
    assert called[:6] == ["--file", str(compose), "up", "--detach", "--wait", "--force-recreate"]
    assert set(called[6:]) >= {
        f"BLUEROCK_SPOOL_DIR={spool}",
        f"BLUEROCK_UID={os.getuid()}",
        f"BLUEROCK_GID={os.getgid()}",
        "BLUEROCK_HOST_NAME=vm7",
        "BLUEROCK_GRAFANA_PORT=3100",
        "OTEL_SERVICE_NAME=shop",
    }


def test_users_in_containers_can_read_what_they_are_given(home: Path) -> None:
    assert stack(home, "up").returncode == 0
    installed = home / ".bluerock" / "stack"
    mounted = [
        volume["source"]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind" and not volume["source"].startswith("$")
    ]
    assert len(mounted) == 4
    for source in mounted:
        path = (installed / "grafana-loki" / source).resolve()
        for each in (path, *path.rglob("*")):
            assert stat.S_IMODE(each.stat().st_mode) == (0o755 if each.is_dir() else 0o644), each
    for name in ("grafana-loki/compose.yaml", "grafana-loki/loki.yaml", "collectors/otelcol.yaml"):
        assert (installed / name).read_bytes() == (ROOT / "deploy" / name).read_bytes()


def test_what_runs_keeps_what_it_has_mounted(home: Path) -> None:
    """A second start changes files in place, and has containers made anew only where one changed."""
    assert stack(home, "up", "--demo").returncode == 0
    installed = home / ".bluerock" / "stack"
    mounted = [
        installed / "demo-spool",
        installed / "grafana-loki/loki.yaml",
        installed / "grafana-loki/grafana/dashboards",
    ]
    before = [path.stat().st_ino for path in mounted]
    (home / "called").unlink()
    assert stack(home, "up", "--demo").returncode == 0
    assert "--force-recreate" not in (home / "called").read_text()
    assert len(list(mounted[0].glob("*.ndjson"))) == 1
    mounted[1].write_text("of an older version")
    gone = mounted[2] / "gone.json"
    gone.touch()
    assert stack(home, "up", "--demo").returncode == 0
    assert "--force-recreate" in (home / "called").read_text()
    assert mounted[1].read_bytes() == (STACK / "loki.yaml").read_bytes()
    assert [path.stat().st_ino for path in mounted] == before
    assert not gone.exists()


def test_the_demo_is_the_sample_as_if_it_had_just_happened(home: Path) -> None:
    before = datetime.now(timezone.utc)
    assert stack(home, "up", "--demo").returncode == 0
    spool = home / ".bluerock" / "stack" / "demo-spool"
    events = _peers.read_spool(spool)  # held against the schema
    recorded = [json.loads(line) for line in (STACK / "demo/events.ndjson").read_text().splitlines()]
    assert [line["event"] for line in events] == [line["event"] for line in recorded]

    def moment(line: dict[str, Any]) -> datetime:
        return datetime.fromisoformat(line["ts"].replace("Z", "+00:00"))

    assert before <= moment(events[-1]) <= datetime.now(timezone.utc)
    assert moment(events[-1]) - moment(events[0]) == moment(recorded[-1]) - moment(recorded[0])
    assert f"BLUEROCK_SPOOL_DIR={spool}" in (home / "called").read_text()
    assert not (home / ".bluerock" / "event-spool").exists()


def test_the_wheel_has_what_it_needs(home: Path, peer_venv: Callable[..., Peer]) -> None:
    peer = peer_venv(_peers.CURRENT, "mcp==2.3.0")
    env = _peers.environment(home, PATH=f"{home}/bin:{os.environ['PATH']}")
    done = peer.run("bluerock-hooks", "stack", "up", "--demo", env=env)
    assert done.stdout.endswith("/.bluerock/stack/demo-spool\n")
    installed = home / ".bluerock" / "stack"
    names = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    boards = {f"grafana-loki/grafana/dashboards/{path.name}" for path in STACK.glob("grafana/dashboards/*")}
    assert len(boards) == 5
    assert boards | {"collectors/otelcol.yaml", "grafana-loki/compose.yaml", "grafana-loki/loki.yaml"} <= names


def test_down_passes_on_how_it_ended(home: Path) -> None:
    stack(home, "up")
    assert stack(home, "down", "--volumes").returncode == 0
    assert (home / "called").read_text().count("--volumes") == 1
    done = stack(home, "down", DOWN="17")
    assert (done.returncode, done.stderr) == (
        1,
        "bluerock-hooks: `docker-compose down` ended with 17; it says why above\n",
    )


@pytest.mark.parametrize("form", ["lines", "list"])
def test_status_says_what_runs(home: Path, form: str) -> None:
    stack(home, "up")
    objects = [json.dumps(each) for each in PS.values()]
    (home / "ps.json").write_text("\n".join(objects) if form == "lines" else f"[{','.join(objects)}]")
    done = stack(home, "status", "--json")
    assert done.returncode == 1  # Grafana does not run
    assert json.loads(done.stdout) == {
        "services": {"loki": "running, healthy", "collector": "running", "grafana": "exited"},
        "url": "",
        "events_last_hour": None,
        "newest_seconds_ago": None,
    }
    assert "grafana    exited\n" in stack(home, "status").stdout


def test_the_sample_is_of_the_schema_and_of_nobodys_machine() -> None:
    text = (STACK / "demo/events.ndjson").read_text()
    for word in ("/root", "/home", "/work", "sandbox"):
        assert word not in text
    kinds = {json.loads(line)["event"]["meta"]["name"] for line in text.splitlines()}
    assert len(kinds) > 20


def test_nothing_is_open_to_others() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(published) == ["grafana"]
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])
    grafana = COMPOSE["services"]["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert grafana["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert not [name for name in grafana if "PASSWORD" in name]
    assert COMPOSE["networks"]["logs"] == {"internal": True}


def test_every_service_is_pinned_and_has_no_rights() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.search(r":v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$", service["image"]), name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        if name == "positions":  # runs once, and can do nothing but give a directory away
            assert (service["cap_add"], service["network_mode"]) == (["CHOWN"], "none")
        else:
            assert service["restart"] == "unless-stopped"
            assert not service["user"].startswith("0")


def test_loki_and_contract_have_the_same_labels() -> None:
    limits = yaml.safe_load((STACK / "loki.yaml").read_text())["limits_config"]
    rules = limits["otlp_config"]["resource_attributes"]
    contract = json.loads((ROOT / "deploy/contract.json").read_text())
    assert rules["ignore_defaults"] is True
    assert rules["attributes_config"] == [{"action": "index_label", "attributes": list(contract["labels"])}]
    assert limits["retention_period"] == "168h"


def test_compose_takes_the_file(tmp_path: Path) -> None:
    try:
        program = _compose.find()
    except BluerockError as exc:
        _peers.missing(str(exc))
    command = [*program, "--file", str(STACK / "compose.yaml"), "config", "--format", "json"]
    env = {**os.environ, "BLUEROCK_SPOOL_DIR": str(tmp_path), "BLUEROCK_UID": "4711"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["services"]["collector"]["user"] == "4711:1000"
    assert str(tmp_path) in {volume["source"] for volume in found["services"]["collector"]["volumes"]}
    assert found["services"]["grafana"]["ports"][0]["host_ip"] == "127.0.0.1"
