"""How the sensor starts with the interpreter: off costs nothing, on comes first, broken is silent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import _peers
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PROBE = """
import json, sys
ours = sorted(name for name in sys.modules if name.partition(".")[0] == "bluerock_hooks")
boot = sys.modules.get("bluerock_hooks._bootstrap")
print(json.dumps({"modules": ours, "status": boot.status() if boot else None}))
"""

# The sensor of a process that never touches MCP must not load these; typing and re are in every list of slow starts.
HEAVY = (
    "asyncio dataclasses email enum importlib.metadata importlib_metadata inspect json logging msgspec pathlib re "
    "socket ssl subprocess tempfile threading traceback typing wrapt"
)


@pytest.fixture(scope="module")
def venv(peer_venv: Callable[..., _peers.Peer]) -> _peers.Peer:
    return peer_venv()


@pytest.fixture
def damaged(wheel: Path, tmp_path: Path) -> _peers.Peer:
    """An environment whose files a test may delete."""
    return _peers.fresh(wheel, tmp_path / "damaged")


def probe(venv: _peers.Peer, env: Mapping[str, str], *options: str) -> dict[str, Any]:
    done = venv.run("python", *options, "-c", PROBE, env=env)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def active(venv: _peers.Peer, env: Mapping[str, str], *options: str) -> bool:
    status = probe(venv, env, *options)["status"]
    return bool(status and status["active"])


# --- off


@pytest.mark.parametrize("value", [None, "", "0", "false", "no", "off", "2", "enable"])
def test_off_imports_nothing_of_ours(
    value: str | None, venv: _peers.Peer, sensor_env: dict[str, str], spool: Path
) -> None:
    env = {name: text for name, text in sensor_env.items() if name != "BLUEROCK_ENABLE"}
    if value is not None:
        env["BLUEROCK_ENABLE"] = value
    assert probe(venv, env) == {"modules": [], "status": None}
    assert not spool.exists()


def test_unset_a_start_file_loads_the_bootstrap_and_no_more(
    peer_venv: Callable[..., _peers.Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """The interpreter calls what a ``.start`` file names without asking: so much is unavoidable on 3.15."""
    env = {name: text for name, text in sensor_env.items() if name != "BLUEROCK_ENABLE"}
    found = probe(peer_venv("3.15"), env)
    assert found["modules"] == ["bluerock_hooks", "bluerock_hooks._bootstrap"]
    assert not active(peer_venv("3.15"), {**env, "BLUEROCK_ENABLE": "0"})
    assert not spool.exists()


def test_off_imports_nothing_at_all(venv: _peers.Peer, tmp_path: Path) -> None:
    """Beside site's own work, the line loads no module that a bare interpreter does not have."""
    code = "import sys; print(*sorted(sys.modules))"
    env = _peers.environment(tmp_path)
    with_line = venv.run("python", "-c", code, env=env).stdout.split()
    bare = _peers.interpreter()
    without = subprocess.run([str(bare), "-I", "-c", code], env=env, capture_output=True, text=True).stdout.split()
    extra = {name for name in set(with_line) - set(without) if not name.startswith(("_virtualenv", "_distutils"))}
    assert extra == set()


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_disabled_wins(value: str, venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    found = probe(venv, {**sensor_env, "BLUEROCK_DISABLED": value})
    assert not found["status"]["active"]
    assert "DISABLED" in found["status"]["reason"]
    assert not spool.exists()


def test_without_site_there_is_no_sensor(venv: _peers.Peer, sensor_env: dict[str, str]) -> None:
    assert probe(venv, sensor_env, "-S") == {"modules": [], "status": None}


# --- on


@pytest.mark.parametrize("value", ["1", "true", "YES", "on", "True"])
def test_on(value: str, venv: _peers.Peer, sensor_env: dict[str, str]) -> None:
    assert active(venv, {**sensor_env, "BLUEROCK_ENABLE": value})


@pytest.mark.parametrize("option", ["-I", "-E", "-s", "-B", "-O", "-Xdev", "-Wignore"])
def test_the_interpreter_s_options_do_not_matter(option: str, venv: _peers.Peer, sensor_env: dict[str, str]) -> None:
    """The ``.pth`` line runs under ``-I`` and ``-E``: they ignore ``PYTHON*`` variables, not the environment."""
    assert active(venv, sensor_env, option)


@pytest.mark.parametrize("version", _peers.SUPPORTED)
def test_on_under_every_supported_python(
    version: str, peer_venv: Callable[..., _peers.Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    assert active(peer_venv(version), sensor_env)
    (startup,) = _peers.named(_peers.read_spool(spool), "sensor_startup")
    assert startup["python"].startswith(version)
    assert startup["activation"] == "pth"


@pytest.mark.parametrize("version", ["3.14", "3.15"])
def test_on_under_pythons_to_come(
    version: str, peer_venv: Callable[..., _peers.Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """From 3.15 on a ``.start`` file of the same name stands in for the ``.pth`` line."""
    assert active(peer_venv(version), sensor_env)
    (startup,) = _peers.named(_peers.read_spool(spool), "sensor_startup")
    assert startup["activation"] == ("pth" if version == "3.14" else "start")


def test_the_sensor_is_there_before_the_application(venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    """Even a process that is killed by its first statement has said that it started, with its own arguments."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = venv.run("python", "-c", code, "an argument", env=sensor_env, check=False)
    assert done.returncode == -signal.SIGKILL
    (startup,) = _peers.named(_peers.read_spool(spool), "sensor_startup")
    assert startup["argv"][-1] == "an argument"


def test_starting_twice_is_starting_once(venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    """In most virtual environments the line runs twice by itself (lib and lib64 are one directory)."""
    code = "import bluerock_hooks as b; from bluerock_hooks import _bootstrap; print(b.start(), _bootstrap.start())"
    assert venv.run("python", "-c", code, env=sensor_env).stdout == "True True\n"
    assert len(_peers.named(_peers.read_spool(spool), "sensor_startup")) == 1


def test_start_by_call_where_no_pth_file_runs(
    venv: _peers.Peer, sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    env = {**sensor_env, "PYTHONPATH": str(venv.site)}
    code = "import bluerock_hooks; print(bluerock_hooks.start())"
    assert venv.run("python", "-S", "-c", code, env=env).stdout == "True\n"
    (startup,) = _peers.named(_peers.read_spool(spool), "sensor_startup")
    assert startup["activation"] == "call"
    off = {**env, "BLUEROCK_ENABLE": "0"}
    assert venv.run("python", "-S", "-c", code, env=off).stdout == "False\n"


def test_a_process_without_mcp_hardly_notices_us(venv: _peers.Peer, sensor_env: dict[str, str], tmp_path: Path) -> None:
    """Its command line holds nothing that looks like a secret: else the redactor would be loaded for it."""
    script = tmp_path / "s.py"
    script.write_text(f"import sys; print(*[name for name in {HEAVY.split()!r} if name in sys.modules])")
    bare = venv.run("python", script, env={**sensor_env, "BLUEROCK_ENABLE": "0"}).stdout
    assert venv.run("python", script, env=sensor_env).stdout == bare


def test_no_thread_before_there_is_work(venv: _peers.Peer, sensor_env: dict[str, str]) -> None:
    code = "import os; print(len(os.listdir('/proc/self/task')))"
    assert venv.run("python", "-c", code, env=sensor_env).stdout == "1\n"


# --- silent when something is missing


def remove_bootstrap(venv: _peers.Peer) -> None:
    (venv.site / "bluerock_hooks" / "_bootstrap.py").unlink()


def remove_sensor(venv: _peers.Peer) -> None:
    (venv.site / "bluerock_hooks" / "sensor.py").unlink()


def remove_package(venv: _peers.Peer) -> None:
    shutil.rmtree(venv.site / "bluerock_hooks")


def leave_an_empty_directory(venv: _peers.Peer) -> None:
    remove_package(venv)
    (venv.site / "bluerock_hooks").mkdir()


def leave_only_bytecode(venv: _peers.Peer) -> None:
    for path in (venv.site / "bluerock_hooks").rglob("*.py"):
        path.unlink()


def break_the_package(venv: _peers.Peer) -> None:
    (venv.site / "bluerock_hooks" / "config.py").write_text("this is no Python\n")


def exit_from_the_package(venv: _peers.Peer) -> None:
    (venv.site / "bluerock_hooks" / "config.py").write_text("raise SystemExit(3)\n")


@pytest.mark.parametrize(
    "damage",
    [
        remove_bootstrap,
        remove_sensor,
        remove_package,
        leave_an_empty_directory,
        leave_only_bytecode,
        break_the_package,
        exit_from_the_package,
    ],
)
def test_a_half_removed_package_is_silent(
    damage: Callable[[_peers.Peer], None], damaged: _peers.Peer, sensor_env: dict[str, str]
) -> None:
    assert active(damaged, sensor_env)  # and bytecode is written
    damage(damaged)
    done = damaged.run("python", "-c", "print('the program')", env=sensor_env)
    assert (done.stdout, done.stderr) == ("the program\n", "")


def test_missing_dependencies_are_silent(damaged: _peers.Peer, sensor_env: dict[str, str]) -> None:
    """A process that never touches MCP needs none of them."""
    for name in ("wrapt", "msgspec"):
        shutil.rmtree(damaged.site / name)
    done = damaged.run("python", "-c", "print('the program')", env=sensor_env)
    assert (done.stdout, done.stderr) == ("the program\n", "")


def test_no_spool_is_one_line_and_a_dark_sensor(venv: _peers.Peer, sensor_env: dict[str, str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    env = {**sensor_env, "BLUEROCK_SPOOL_DIR": str(blocked / "spool")}
    done = venv.run("python", "-c", "print('the program')", env=env)
    assert done.stdout == "the program\n"
    assert done.stderr.startswith("bluerock-hooks: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_line_and_the_program_runs(
    venv: _peers.Peer, sensor_env: dict[str, str], spool: Path
) -> None:
    env = {**sensor_env, "BLUEROCK_PAYLOADS": "most", "BLUEROCK_RING_BYTES": "big"}
    done = venv.run("python", "-c", "print('the program')", env=env)
    assert done.stdout == "the program\n"
    assert "BLUEROCK_PAYLOADS" in done.stderr
    assert done.stderr.count("\n") == 1
    (startup,) = _peers.named(_peers.read_spool(spool), "sensor_startup")
    assert len(startup["problems"]) == 2


# --- tools are not hosts


def test_pip_stays_dark(wheel: Path, tmp_path: Path, sensor_env: dict[str, str], spool: Path) -> None:
    venv = _peers.fresh(wheel, tmp_path / "venv", "pip", "ruff")
    for command in (["pip", "--version"], ["python", "-m", "pip", "--version"], ["python", "-m", "ruff", "--version"]):
        done = venv.run(*command, env=sensor_env)
        assert done.stderr == ""
    assert not spool.exists()
    venv.run("pip", "--version", env={**sensor_env, "BLUEROCK_EXCLUDE": "something-else"})
    assert _peers.named(_peers.read_spool(spool), "sensor_startup")


def test_our_own_command_stays_dark(venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    venv.run("bluerock-hooks", "--version", env=sensor_env)
    venv.run("python", "-m", "bluerock_hooks", "--version", env=sensor_env)
    assert not spool.exists()


# --- the program stays what it is


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("import sys; sys.exit(7)", 7),
        ("raise RuntimeError('mine')", 1),
        ("import os; os._exit(9)", 9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("import sys; sys.exit('a message')", 1),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_output_and_exit_status_are_the_program_s(
    code: str, status: int, venv: _peers.Peer, sensor_env: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"print('out', flush=True)\n{code}\n")
    on = venv.run("python", script, env=sensor_env, check=False)
    off = venv.run("python", script, env={**sensor_env, "BLUEROCK_ENABLE": "0"}, check=False)
    assert on.returncode == status
    assert (on.returncode, on.stdout, on.stderr) == (off.returncode, off.stdout, off.stderr)


@pytest.mark.parametrize("option", ["-Wdefault", "-Werror", "-Xdev", "-Ximporttime", "-v"])
def test_nothing_of_ours_on_stdout_whatever_the_interpreter_is_asked_to_say(
    option: str, venv: _peers.Peer, sensor_env: dict[str, str]
) -> None:
    done = venv.run("python", option, "-c", "print('the program')", env=sensor_env)
    assert done.stdout == "the program\n"
    if not option.startswith(("-v", "-Ximport")):
        assert done.stderr == ""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_stay_the_program_s(
    closed: tuple[int, ...], venv: _peers.Peer, sensor_env: dict[str, str], tmp_path: Path
) -> None:
    """The first descriptors that are free belong to whatever the program opens next, not to us."""
    script = tmp_path / "program.py"
    report = tmp_path / "report"
    script.write_text(
        "import os\n"
        f"fds = [os.open({os.devnull!r}, os.O_RDONLY) for _ in range({len(closed)})]\n"
        f"open({str(report)!r}, 'w').write(repr(fds))\n"
    )
    redirections = " ".join(f"{fd}>&-" for fd in closed)
    shell = f'exec "$0" "$1" {redirections}'
    subprocess.run(["sh", "-c", shell, str(venv.python), str(script)], env=sensor_env, timeout=60)
    assert report.read_text() == repr(list(closed))


def test_children_of_multiprocessing_spawn_have_their_own_sensor(
    venv: _peers.Peer, sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import multiprocessing as m, os\n"
        "def work(queue): queue.put(os.getpid())\n"
        "if __name__ == '__main__':\n"
        "    context = m.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    children = [context.Process(target=work, args=(queue,)) for _ in range(2)]\n"
        "    [child.start() for child in children]\n"
        "    print(*sorted(queue.get() for _ in children))\n"
        "    [child.join() for child in children]\n"
        "    print(*[child.exitcode for child in children])\n"
    )
    done = venv.run("python", script, env=sensor_env)
    assert done.stderr == ""
    pids, codes = (line.split() for line in done.stdout.splitlines())
    assert codes == ["0", "0"]
    startups = _peers.named(_peers.read_spool(spool), "sensor_startup")
    recorded = {startup["context"]["process"]["pid"] for startup in startups}
    assert set(map(int, pids)) <= recorded
    components = [startup["meta"]["component_id"] for startup in startups]
    assert len(set(components)) == len(components)


def test_children_of_fork_have_their_own_sensor(
    venv: _peers.Peer, sensor_env: dict[str, str], spool: Path, tmp_path: Path
) -> None:
    """A forked child that has nothing to record is not obliged to say so; its parent's events stay its parent's."""
    script = tmp_path / "program.py"
    script.write_text("import os\npid = os.fork()\nif pid: print(os.waitpid(pid, 0)[1])\n")
    done = venv.run("python", "-Wdefault", script, env=sensor_env)
    assert (done.stdout, done.stderr) == ("0\n", "")
    events = _peers.read_spool(spool)
    ids = [(line["event"]["meta"]["component_id"], line["event"]["meta"]["source_event_id"]) for line in events]
    assert len(ids) == len(set(ids))
    by_component: dict[str, set[int]] = {}
    for line in events:
        pid = line["event"]["context"]["process"]["pid"]
        by_component.setdefault(line["event"]["meta"]["component_id"], set()).add(pid)
    assert all(len(pids) == 1 for pids in by_component.values())


def test_a_clean_process_says_that_it_ended(venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    venv.run("python", "-c", "", env=sensor_env)
    events = _peers.read_spool(spool, recover=False)
    names = [line["event"]["meta"]["name"] for line in events]
    assert names == ["sensor_startup", "python_import_stdlib", "sensor_shutdown"]
    (shutdown,) = _peers.named(events, "sensor_shutdown")
    assert (shutdown["events"], shutdown["dropped"], shutdown["errors"]) == (3, 0, 0)


def test_files_are_for_their_owner_only(venv: _peers.Peer, sensor_env: dict[str, str], spool: Path) -> None:
    before = os.umask(0)
    try:
        venv.run("python", "-c", "", env=sensor_env)
    finally:
        os.umask(before)
    for path in [spool, *spool.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_suite_itself_runs_without_a_sensor() -> None:
    """Else the tests' own processes would write into somebody's home."""
    assert "bluerock_hooks.sensor" not in sys.modules or not os.environ.get("BLUEROCK_ENABLE")
