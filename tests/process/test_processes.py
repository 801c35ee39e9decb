"""Every way to start a process: one event of its start and one of its end, with what the program itself was told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

STARTS = Path(__file__).with_name("_starts.py")
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")

# way -> api, argv or None for a fork, how it ends: a return code, a signal, an exception that kept it from starting
SH = ["/bin/sh", "-c"]
WAYS: dict[str, tuple[str, list[str] | None, object]] = {
    "popen": ("subprocess.Popen", ["true", "mark-of-popen"], 0),
    "run_shell": ("subprocess.Popen", [*SH, ": mark-of-run_shell; exit 3"], 3),
    "without_close_fds": ("subprocess.Popen", ["/bin/true", "mark-of-without_close_fds"], 0),
    "with_preexec": ("subprocess.Popen", ["true", "mark-of-with_preexec"], 0),
    "missing": ("subprocess.Popen", ["/no/such/program", "mark-of-missing"], "FileNotFoundError"),
    "missing_name": ("subprocess.Popen", ["no-such-program", "mark-of-missing_name"], "FileNotFoundError"),
    "killed": ("subprocess.Popen", ["sleep", "60"], "SIGTERM"),
    "os_popen": ("subprocess.Popen", [*SH, "echo mark-of-os_popen"], 0),
    "system": ("os.system", ["sh", "-c", ": mark-of-system; exit 4"], 4),
    "posix_spawn": ("os.posix_spawn", ["true", "mark-of-posix_spawn"], 0),
    "posix_spawnp": ("os.posix_spawnp", ["true", "mark-of-posix_spawnp"], 0),
    "posix_spawn_missing": ("os.posix_spawn", ["true", "mark-of-"], "FileNotFoundError"),
    "spawnlp_wait": ("os.spawn", ["true", "mark-of-spawnlp"], 0),
    "spawnve": ("os.spawn", ["true", "mark-of-spawnve"], 0),
    "spawn_missing": ("os.spawn", ["x", "mark-of-"], 127),
    "fork": ("os.fork", None, 5),
    "fork_exec": ("os.fork", None, 0),
    "fork_exec_missing": ("os.fork", None, 6),
    "forkpty": ("os.forkpty", None, 7),
    "pty_spawn": ("pty.spawn", ["true", "mark-of-pty_spawn"], 0),
    "asyncio_exec": ("subprocess.Popen", ["true", "mark-of-asyncio_exec"], 0),
    "asyncio_killed": ("subprocess.Popen", [*SH, "exec sleep 60"], "SIGKILL"),
    "mp_fork": ("multiprocessing", None, 0),
}


def start(peer: Peer, env: dict[str, str], *ways: str) -> tuple[dict[str, tuple[object, int]], str]:
    """Do it; what the calls gave, and everything on stderr."""
    done = peer.run("python", STARTS, *ways, env=env)
    return {row[0]: (row[1], row[2]) for row in map(json.loads, done.stdout.splitlines())}, done.stderr


def parent_of(events: list[dict[str, Any]]) -> int:
    """Pid of the program."""
    (startup,) = [
        event
        for event in named(events, "sensor_startup")
        if str(STARTS) in event["argv"] and not event.get("forked") and "-c" not in event["argv"]
    ]
    pid: int = startup["context"]["process"]["pid"]
    return pid


def of(events: list[dict[str, Any]], pid: int) -> list[dict[str, Any]]:
    return [event for event in events if event["context"]["process"]["pid"] == pid]


@pytest.mark.parametrize("python", VERSIONS)
def test_one_process_is_one_start_and_one_end(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv(python)
    off = {**sensor_env, "BLUEROCK_DISABLED": "1"}
    without, stderr_without = start(peer, off, *WAYS)
    told, stderr = start(peer, sensor_env, *WAYS)
    assert {way: result for way, (result, _) in told.items()} == {way: result for way, (result, _) in without.items()}
    assert stderr == stderr_without

    events = read_spool(spool)
    parent = parent_of(events)
    spawns = of(named(events, "python_process_spawn"), parent)
    exits = of(named(events, "python_process_exit"), parent)
    assert [(event["api"], event.get("argv")) for event in spawns] == [(api, argv) for api, argv, _ in WAYS.values()]
    ends = {event["spawn_id"]: event for event in exits}
    assert len(ends) == len(exits)
    for (way, (_, _, end)), spawn in zip(WAYS.items(), spawns, strict=True):
        ended = ends.pop(spawn["spawn_id"], None)
        if end == "FileNotFoundError":
            assert (spawn["error"], ended) == (end, None), way
            continue
        assert "error" not in spawn, way
        assert ended is not None, way
        assert ended.get("returncode", ended.get("signal")) == end, way
        assert ended["duration_ms"] > 0
        _, pid = told[way]
        if pid:
            assert spawn["pid"] == ended["pid"] == pid, way
        if way != "system":
            assert spawn["start"] == ended["start"] > 0, way
            assert spawn["pid"] == ended["pid"], way
    assert not ends


def test_what_a_start_says(peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path) -> None:
    peer = peer_venv()
    start(peer, sensor_env, "run_shell", "popen", "spawnve", "missing_name")
    shell, popen, spawnve, missing = named(read_spool(spool), "python_process_spawn")
    assert (shell["cwd"], shell["executable"], shell["env_set"]) == ("/", "/bin/sh", ["ACTIVITY_TEST"])
    assert "env_set" not in popen
    assert popen["cwd"] == str(peer.directory)
    assert popen["executable"] in ("/usr/bin/true", "/bin/true")
    assert (spawnve["executable"], spawnve["env_set"]) == ("/bin/true", ["ACTIVITY_TEST"])
    assert "executable" not in missing
    for segment in spool.glob("*.ndjson"):
        assert b"secret-of-the-environment" not in segment.read_bytes()


@pytest.mark.parametrize("python", VERSIONS)
def test_an_exec_says_what_it_becomes(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    told, _ = start(peer_venv(python), sensor_env, "fork_exec", "fork_exec_missing", "spawn_missing", "spawnve")
    events = read_spool(spool)
    execs = {event["context"]["process"]["pid"]: event for event in named(events, "python_process_exec")}
    became, failed = execs.pop(told["fork_exec"][1]), execs.pop(told["fork_exec_missing"][1])
    assert (became["argv"], became["executable"]) == (["true", "mark-of-fork_exec"], became["executable"])
    assert became["executable"].endswith("bin/true")
    assert "error" not in became
    assert (failed["argv"], failed["error"]) == (["x", "mark-of-"], "FileNotFoundError")
    # What os.spawn* starts is told by the parent; its child speaks only where that does not come true.
    (other,) = execs.values()
    assert (other["executable"], other["error"]) == ("/no/such/program", "FileNotFoundError")
    for pid in (told["fork_exec"][1], told["fork_exec_missing"][1]):
        (startup,) = of(named(events, "sensor_startup"), pid)
        assert startup["forked"] is True
        assert startup["ancestors"][0]["pid"] == parent_of(events)


@pytest.mark.parametrize("python", VERSIONS)
@pytest.mark.parametrize("way", ["mp_spawn", "mp_forkserver"])
def test_a_child_of_multiprocessing_names_its_parent(
    python: str, way: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    told, _ = start(peer_venv(python), sensor_env, way)
    events = read_spool(spool)
    parent = parent_of(events)
    spawns = {event.get("pid"): event for event in of(named(events, "python_process_spawn"), parent)}
    exits = of(named(events, "python_process_exit"), parent)
    code, pid = told[way]
    child = spawns[pid]
    assert [event["returncode"] for event in exits if event["spawn_id"] == child["spawn_id"]] == [code]
    apis = [event["api"] for event in spawns.values()]
    if way == "mp_forkserver":
        assert sorted(apis) == ["multiprocessing", "multiprocessing", "multiprocessing.forkserver"]
        assert child["api"] == "multiprocessing.forkserver"
    else:
        assert sorted(apis) == ["multiprocessing", "multiprocessing"]  # the child, and the tracker of resources
        (startup,) = of(named(events, "sensor_startup"), pid)
        assert startup["start"] == child["start"]
        assert startup["ancestors"][0]["pid"] == parent
    # Nobody else tells of it.
    assert len([event for event in named(events, "python_process_spawn") if event.get("pid") == pid]) == 1


def test_a_secret_in_a_command_line_is_redacted(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    secret = "hunter2-of-the-test"
    code = f"""
import os, subprocess
subprocess.run(["true", "--password", "{secret}"])
subprocess.run("true --token={secret}", shell=True)
os.system("true; DB_PASSWORD={secret} true")
"""
    script = spool.parent / "script.py"
    script.write_text(code)
    peer_venv().run("python", script, env=sensor_env)
    assert len(named(read_spool(spool), "python_process_spawn")) == 3
    for segment in spool.glob("*.ndjson"):
        assert secret.encode() not in segment.read_bytes()


def test_off_is_off(peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path) -> None:
    env = {**sensor_env, "BLUEROCK_PROCESS": "off", "BLUEROCK_IMPORTS": "off"}
    start(peer_venv(), env, "popen", "system", "fork_exec")
    names = {line["event"]["meta"]["name"] for line in read_spool(spool)}
    assert names == {"sensor_startup", "sensor_shutdown"}


def test_the_functions_that_stand_in_behave_like_those_of_c(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """A class may hold one without binding it; a pickle and a copy find it by name; its signature is the original's."""
    code = """
import copy, inspect, os, pickle
class Holder: call = os.waitpid
for stand_in in (os.system, os.waitpid, os.posix_spawn, os.execv):
    assert pickle.loads(pickle.dumps(stand_in)) is stand_in
    assert copy.copy(stand_in) is copy.deepcopy(stand_in) is stand_in
    assert stand_in.__text_signature__ == stand_in.__wrapped__.__text_signature__
    assert stand_in.__doc__ == stand_in.__wrapped__.__doc__ and repr(stand_in) == repr(stand_in.__wrapped__)
assert inspect.signature(os.waitpid) == inspect.signature(os.waitpid.__wrapped__)
assert pickle.dumps(os.system, 0) == b"cos\\nsystem\\np0\\n."
pid = os.posix_spawn("/bin/true", ["true"], os.environ)
assert Holder().call(pid, 0) == (pid, 0)
"""
    script = spool.parent / "script.py"
    script.write_text(code)
    peer_venv().run("python", script, env=sensor_env)
    (end,) = named(read_spool(spool), "python_process_exit")
    assert end["returncode"] == 0


def test_a_refused_audit_hook_is_said_and_found_by_doctor(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """Somebody's hook that raises at ``sys.addaudithook``: ours is refused, and the interpreter tells nobody."""
    peer = peer_venv()
    script = spool.parent / "script.py"
    script.write_text("""
import os, sys
def refuse(event, args):
    if event == "sys.addaudithook": raise RuntimeError
sys.addaudithook(refuse)
import bluerock_hooks
bluerock_hooks.start()
os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
""")
    peer.run("python", "-S", script, env={**sensor_env, "PYTHONPATH": str(peer.site)})
    events = read_spool(spool)
    (said,) = named(events, "sensor_hooks")
    assert (said["module"], said["hooks"][0]["outcome"]) == ("sys", "failed")
    assert len(named(events, "python_process_spawn")) == 1  # what is wrapped is seen all the same
    doctor = peer.run("bluerock-hooks", "doctor", env=sensor_env, check=False)
    assert doctor.returncode == 1
    assert "sys:addaudithook" in doctor.stdout
    assert "MCP was imported" not in doctor.stdout


def test_the_start_tick_is_the_kernels(peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path) -> None:
    """It is known without a look at ``/proc`` where a start takes no longer than a tick: then, too, it is the same."""
    code = """
import json, subprocess
children = [subprocess.Popen(["sleep", "60"]) for _ in range(40)]
stat = lambda pid: open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
print(json.dumps({child.pid: int(stat(child.pid)[19]) for child in children}))
for child in children: child.kill()
for child in children: child.wait()
"""
    done = peer_venv().run("python", "-c", code, env=sensor_env)
    spawns = named(read_spool(spool), "python_process_spawn")
    assert {str(event["pid"]): event["start"] for event in spawns} == json.loads(done.stdout)


def test_calls_by_the_names_of_c_are_seen_too(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """They go around the wrappers: that there was a call is known, not how it went."""
    code = """
import os, posix
posix.system(": by-posix")
posix.waitpid(posix.posix_spawn("/bin/true", ["true", "by-posix"], os.environ), 0)
"""
    peer_venv().run("python", "-c", code, env=sensor_env)
    events = read_spool(spool)
    rows = [(event["api"], event["argv"], event.get("pid")) for event in named(events, "python_process_spawn")]
    assert rows == [("os.system", ["sh", "-c", ": by-posix"], None), ("os.posix_spawn", ["true", "by-posix"], None)]
    assert named(events, "python_process_exit") == []


def test_a_process_that_nobody_waits_for_has_no_end(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    code = """
import os, signal, subprocess, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
subprocess.Popen(["true"]).wait()  # the kernel has forgotten it: subprocess makes its 0 up
pid = os.fork()
if not pid: os._exit(3)
time.sleep(0.2)
"""
    peer_venv().run("python", "-c", code, env=sensor_env)
    events = read_spool(spool)
    assert [event["api"] for event in named(events, "python_process_spawn")] == ["subprocess.Popen", "os.fork"]
    assert [event.get("error") for event in named(events, "python_process_spawn")] == [None, None]
    assert named(events, "python_process_exit") == []


def test_starts_are_told_where_bytes_and_text_may_not_be_compared(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """``python -bb`` makes an error of that, and ``subprocess`` has the program as bytes beside its arguments."""
    code = """
import os, subprocess
subprocess.run(["/bin/true", "text"])
subprocess.run([b"/bin/true", b"text"])
os.waitpid(os.posix_spawn("/bin/true", ["/bin/true", "text"], os.environ), 0)
"""
    peer_venv().run("python", "-bb", "-c", code, env=sensor_env)
    spawns = named(read_spool(spool), "python_process_spawn")
    assert [(event["executable"], event["argv"]) for event in spawns] == [("/bin/true", ["/bin/true", "text"])] * 3


@pytest.mark.parametrize("python", VERSIONS)
def test_a_start_that_made_no_process_says_what_was_to_be_started(
    python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """Refused before the fork: by C, which has the arguments, by ``posix_spawn``, or by Python, which may not yet."""
    code = """
import subprocess
def start(*args, **options):
    try: subprocess.run(*args, **options)
    except (ValueError, OSError, TypeError): pass
start(["/bin/true", "of\\0c"])
start(["/no/such/program"], close_fds=False)
start(["/bin/true"], env={"a=b": "c"})
start(["/bin/true", "well"])
"""
    peer_venv(python).run("python", "-c", code, env=sensor_env)
    spawns = named(read_spool(spool), "python_process_spawn")
    rows = [(event["api"], event.get("argv"), event.get("error"), "pid" in event) for event in spawns]
    popen = "subprocess.Popen"
    assert rows[0] == (popen, ["/bin/true", "of\0c"], "ValueError", False)
    assert rows[1][:3] == (popen, ["/no/such/program"], "FileNotFoundError")
    assert (rows[2][0], *rows[2][2:]) == (popen, "ValueError", False)
    assert rows[3:] == [(popen, ["/bin/true", "well"], None, True)]


REAPED = """
import os, signal, subprocess, threading
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
def starts(part):
    children = [subprocess.Popen(["/bin/true", part, str(n)]) for n in range(100)]
    for child in children: child.wait()
"""


@pytest.mark.parametrize("python", VERSIONS)
@pytest.mark.parametrize(
    "how",
    [
        'signal.signal(signal.SIGCHLD, reap); starts("a")',
        """
done = threading.Event()
def reaper():
    while not done.wait(0.0001): reap()
threads = [threading.Thread(target=starts, args=(part,)) for part in "abc"]
other = threading.Thread(target=reaper)
for thread in (*threads, other): thread.start()
for thread in threads: thread.join()
done.set(); other.join(); reap()
""",
    ],
    ids=["a_signal_handler", "another_thread"],
)
def test_what_somebody_else_reaps_while_it_starts_has_one_end(
    python: str, how: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    peer_venv(python).run("python", "-c", REAPED + how, env=sensor_env)
    events = read_spool(spool)
    spawns, exits = named(events, "python_process_spawn"), named(events, "python_process_exit")
    parts = "a" if "SIGCHLD" in how else "abc"
    assert sorted(event["argv"][1:] for event in spawns) == sorted([p, str(n)] for p in parts for n in range(100))
    ids = [event["spawn_id"] for event in spawns]
    assert len(set(ids)) == len(ids)
    assert sorted(event["spawn_id"] for event in exits) == sorted(ids)
    assert {event["returncode"] for event in exits} == {0}
    pids = {event["spawn_id"]: event["pid"] for event in spawns}
    assert {event["spawn_id"]: event["pid"] for event in exits} == pids


def test_processes_of_one_that_lives_and_of_one_that_was_killed(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    """Their events are in the ring as numbers: whoever reads it, or recovers it, spells them out."""
    peer = peer_venv()
    code = """
import subprocess, sys, time
subprocess.run(["/bin/true", "mark"])
subprocess.run("kill -HUP $$", shell=True)
subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([peer.python, "-c", code], env=sensor_env, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        shown = peer.run("bluerock-hooks", "show", "--json", env=sensor_env).stdout
        program.kill()
    alive = [json.loads(line)["event"] for line in shown.splitlines() if "python_process_" in line]
    events = [line["event"] for line in read_spool(spool) if line["event"]["meta"]["name"].startswith("python_process")]
    assert alive == [event for event in events if event["context"]["process"]["pid"] == program.pid]
    true, ended, shell, killed, cat = alive
    assert (true["argv"], ended["spawn_id"], ended["returncode"]) == (["/bin/true", "mark"], true["spawn_id"], 0)
    assert (killed["spawn_id"], killed["signal"], killed["pid"]) == (shell["spawn_id"], "SIGHUP", shell["pid"])
    assert cat["executable"] == "/bin/cat"
