"""``doctor``: says healthy where the sensor starts, and names what is wrong, with a remedy, where it does not."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from _command import line
from _peers import EXAMPLES, ROOT, fresh, read_spool

from bluerock_hooks import config
from bluerock_hooks.cli._installation import START_UP_FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer


@pytest.fixture
def peer(peer_venv: Callable[..., Peer]) -> Peer:
    return peer_venv("3.11", "mcp==1.30.0")


@pytest.fixture
def broken(wheel: Path, tmp_path: Path) -> Peer:
    """An environment to damage."""
    return fresh(wheel, tmp_path / "venv")


def examine(peer: Peer, env: dict[str, str], *words: str) -> dict[str, Any]:
    """The findings as JSON, after a look at the exit status."""
    done = peer.run("bluerock-hooks", "doctor", "--json", *words, env=env, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == (0 if found["healthy"] else 1)
    assert found["healthy"] == (not found["problems"])
    return found


def problems(found: dict[str, Any]) -> str:
    assert all(row["remedy"] for row in found["problems"])
    return "\n".join(row["problem"] for row in found["problems"])


def put(spool: Path, *lines: bytes, stem: str = "4242-aaaaaaaaaaaaaaaa") -> None:
    spool.mkdir(mode=0o700, exist_ok=True)
    (spool / f"python-{stem}.000001.ndjson").write_bytes(b"".join(each + b"\n" for each in lines))


def test_the_digests_are_those_of_the_shipped_files() -> None:
    for name, digest in START_UP_FILES.items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, name


def test_an_installed_environment_is_healthy_and_the_trial_leaves_no_trace(
    peer: Peer, sensor_env: dict[str, str], spool: Path
) -> None:
    found = examine(peer, sensor_env)
    assert found["healthy"], found["problems"]
    assert found["trial"]["status"]["active"] is True
    assert found["trial"]["status"]["activation"] in ("pth", "start")
    assert all(row["as_shipped"] for row in found["start_up_files"])
    assert found["versions"]["mcp"] == "1.30.0"
    assert not spool.exists()
    put(spool, line(1))
    before = sorted(os.listdir(spool))
    assert examine(peer, sensor_env)["healthy"]
    assert sorted(set(os.listdir(spool)) - {"rings"}) == before


def test_the_verdict_is_the_last_line(peer: Peer, sensor_env: dict[str, str]) -> None:
    done = peer.run("bluerock-hooks", "doctor", env=sensor_env)
    assert done.stdout.splitlines()[-1].startswith("HEALTHY: ")
    done = peer.run("bluerock-hooks", "doctor", env={**sensor_env, "BLUEROCK_DISABLED": "1"}, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "NOT HEALTHY: 1 problem"
    assert "BLUEROCK_DISABLED is set here" in done.stdout
    assert "what to do: unset BLUEROCK_DISABLED" in done.stdout


def test_a_shell_without_the_variable_is_a_note(peer: Peer, sensor_env: dict[str, str]) -> None:
    del sensor_env["BLUEROCK_ENABLE"]
    found = examine(peer, sensor_env)
    assert found["healthy"]
    assert any("BLUEROCK_ENABLE is not on" in note for note in found["notes"])


def test_every_setting_is_listed_with_its_source(peer: Peer, sensor_env: dict[str, str]) -> None:
    env = {**sensor_env, "BLUEROCK_RING_BYTES": "2MiB", "BLUEROCK_PAYLOADS": "everything", "BLUEROCK_TYPO": "hunter2"}
    found = examine(peer, env)
    assert "hunter2" not in json.dumps(found)
    assert set(found["settings"]) == {row.attribute for row in config.TABLE}
    assert found["settings"]["ring_bytes"] == {
        "value": 2 << 20,
        "source": "BLUEROCK_RING_BYTES",
        "meaning": next(row.doc for row in config.TABLE if row.attribute == "ring_bytes"),
    }
    assert "BLUEROCK_PAYLOADS='everything'" in problems(found)
    assert "BLUEROCK_TYPO: no such setting" in problems(found)
    text = peer.run("bluerock-hooks", "doctor", "--settings", env=sensor_env).stdout
    assert all(f"  {row.variable}=" in text for row in config.TABLE)


def test_a_missing_start_up_file_is_named(broken: Peer, sensor_env: dict[str, str]) -> None:
    (broken.site / "bluerock_hooks.pth").unlink()
    found = examine(broken, sensor_env)
    assert "bluerock_hooks.pth is in no site directory" in problems(found)


def test_a_changed_start_up_file_is_named(broken: Peer, sensor_env: dict[str, str]) -> None:
    path = broken.site / "bluerock_hooks.pth"
    path.write_text(path.read_text() + "import os\n")
    found = examine(broken, sensor_env)
    assert f"{path} is not the file of version" in problems(found)


def test_a_half_removed_package_is_named(broken: Peer, sensor_env: dict[str, str]) -> None:
    (broken.site / "bluerock_hooks" / "sensor.py").unlink()
    found = examine(broken, sensor_env)
    assert "stays dark" in problems(found) or "did not load the sensor" in problems(found)


def test_an_import_path_that_is_no_site_directory_is_explained(tmp_path: Path, sensor_env: dict[str, str]) -> None:
    bare = tmp_path / "bare"
    from _peers import install, interpreter

    install("venv", "--quiet", "--python", str(interpreter()), str(bare))
    from _peers import Peer

    env = {**sensor_env, "PYTHONPATH": str(ROOT)}
    done = Peer(bare).run(bare / "bin" / "python", "-m", "bluerock_hooks", "doctor", env=env, check=False)
    assert done.returncode == 1
    assert "bluerock_hooks.pth is in no site directory" in done.stdout
    assert f"the package is used from {ROOT}, which is no site directory" in done.stdout
    assert "msgspec is not installed" in done.stdout


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: (path.mkdir(), path.chmod(0o777)), "writable by others"),
        (lambda path: path.symlink_to("/tmp"), "is a symbolic link"),
        (lambda path: path.write_text(""), "is not a directory"),
        (lambda path: (path.mkdir(), path.chmod(0o700), os.chown(path, 12345, -1)), "belongs to user 12345"),
    ],
)
def test_a_spool_that_the_sensor_refuses_is_named(
    peer: Peer, sensor_env: dict[str, str], spool: Path, make: Callable[[Path], object], said: str
) -> None:
    if "12345" in said and os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    make(spool)
    assert said in problems(examine(peer, sensor_env))


def test_a_missing_promise_is_a_problem_and_a_missing_extra_is_not(
    peer: Peer, sensor_env: dict[str, str], spool: Path
) -> None:
    applied = {"target": "mcp.a:A.x", "outcome": "applied", "required": True}
    extra = {"target": "mcp.b:B.y", "outcome": "absent", "feature": "catalogue"}
    startup = line(1, "sensor_startup", argv=["python", "server.py"], start=1)
    hooks = {"module": "mcp", "sdk": "1"}
    put(spool, startup, line(2, "sensor_hooks", **hooks, hooks=[applied, extra]))
    found = examine(peer, sensor_env)
    assert found["healthy"], found["problems"]
    row = found["processes"][-1]
    assert (row["pid"], row["state"], row["hooks_applied"], row["hooks"], row["sdk"]) == (
        4242,
        "killed",
        1,
        2,
        "MCP SDK 1",
    )
    assert row["missed"] == [{"target": "mcp.b:B.y", "outcome": "absent", "required": None, "detail": None}]

    promise = {**applied, "outcome": "absent", "feature": "requests"}
    put(spool, startup, line(2, "sensor_hooks", **hooks, hooks=[promise, extra]))
    said = problems(examine(peer, sensor_env))
    assert "process 4242: hook mcp.a:A.x is absent" in said
    assert "process 4242: MCP was imported and no hook that sees its messages applied" in said


def test_losses_and_failures_of_ours_are_problems_and_retention_is_not(
    peer: Peer, sensor_env: dict[str, str], spool: Path
) -> None:
    put(spool, line(1, "sensor_startup"), line(2, "python_events_dropped", dropped=9, bytes=1, reason="retention"))
    assert examine(peer, sensor_env)["healthy"]
    put(
        spool,
        line(1, "sensor_startup"),
        line(2, "python_events_dropped", dropped=9, bytes=1, reason="ring_full"),
        line(3, "python_internal_exception", place="mcp.tap", message="KeyError: 'x'", count=2),
        line(4, "sensor_shutdown", events=4, dropped=9, bytes=1, errors=2, duration_ms=1.0),
    )
    found = examine(peer, sensor_env)
    assert "process 4242 lost 9 events (ring_full)" in problems(found)
    assert "code of ours failed at mcp.tap: KeyError: 'x' (2 times)" in problems(found)
    assert found["processes"][-1]["state"] == "ended"


def test_only_the_latest_ten_processes_are_looked_at(peer: Peer, sensor_env: dict[str, str], spool: Path) -> None:
    for number in range(60):
        startup = line(1, "sensor_startup", component=f"c{number}", pid=5000 + number, second=number)
        put(
            spool,
            startup,
            *[line(each, component=f"c{number}") for each in range(2, 9)],
            stem=f"{5000 + number}-{number:016x}",
        )
    found = examine(peer, sensor_env)
    assert [row["pid"] for row in found["processes"]] == list(range(5050, 5060))
    assert found["spool"]["segments"] == 60


def test_the_hooks_of_a_real_run_are_shown(peer: Peer, sensor_env: dict[str, str], spool: Path) -> None:
    peer.run("python", EXAMPLES / "client.py", env=sensor_env)
    read_spool(spool)
    found = examine(peer, sensor_env)
    assert found["healthy"], found["problems"]
    rows = [row for row in found["processes"] if row["hooks"]]
    assert len(rows) == 2  # client and server
    assert all(row["state"] == "ended" and row["sdk"] == "MCP SDK 1" for row in rows)
