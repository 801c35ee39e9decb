"""``run`` becomes the program: what the program sees and leaves is what it would be without us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from _command import call, command_env, command_line
from _peers import EXAMPLES, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

TELL = """\
import os, sys
print(sys.argv, sys.stdin.read(), os.environ.get("BLUEROCK_ENABLE"), sys.flags.dev_mode, sys.flags.optimize)
sys.exit(7)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "tell me.py"
    path.write_text(TELL)
    return path


def test_a_script_has_its_own_arguments_stdin_and_exit_status(tmp_path: Path, script: Path) -> None:
    words = ["--help", "-m", "--", "a b", ""]
    done = call(tmp_path, "run", script, *words, input=b"typed", stdin=None)
    assert done.returncode == 7
    assert done.stdout.decode() == f"{[str(script), *words]} typed 1 False 0\n"


def test_interpreter_options_before_the_script_pass_through(tmp_path: Path, script: Path) -> None:
    for options in (["-X", "dev", "-O"], ["-Xdev", "-uO"], ["-W", "error", "-OuX", "dev"]):
        done = call(tmp_path, "run", *options, script, "-X", text=True)
        assert done.stdout == f"{[str(script), '-X']}  1 True 1\n", options


def test_a_module_and_a_program_text_run_as_the_interpreter_runs_them(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text(TELL)
    for words in (["-m", "mod"], ["-mmod"], ["-um", "mod"]):
        done = call(tmp_path, "run", *words, "x", text=True)
        assert (done.returncode, done.stdout) == (7, f"{[str(tmp_path / 'mod.py'), 'x']}  1 False 0\n"), words
    done = call(tmp_path, "run", "-c", "import sys; print(sys.argv)", "-u", text=True)
    assert done.stdout == "['-c', '-u']\n"


def test_a_command_comes_from_path_and_keeps_its_status(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "greet"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$0" "$BLUEROCK_ENABLE" "$@"; exit 3\n')
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = call(tmp_path, "run", "--", "greet", "--x", env=env, text=True)
    assert (done.returncode, done.stdout) == (3, f"{program} 1 --x\n")


def test_a_console_script_beside_the_interpreter_is_found_without_path(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--", "pytest", "--version", env={"PATH": "/usr/bin:/bin"}, text=True)
    assert done.returncode == 0
    assert "pytest" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nowhere.py"], 127, "nowhere.py: no such file"),
        (["ls"], 127, "to run the command of that name: python -m bluerock_hooks run -- ls"),
        (["--", "no-such-command"], 127, "no-such-command: command not found"),
        (["--", "/no/such/command"], 127, "/no/such/command: no such file"),
        (["--", "./plain"], 126, "./plain: Permission denied"),
        (["--", "./orphan"], 126, "./orphan: its interpreter is missing"),
        (["--", "./noformat"], 126, "./noformat: Exec format error"),
        (["--"], 2, "no command after --"),
        ([], 2, "nothing to run"),
        (["-X", "dev"], 2, "nothing to run"),
        (["-m"], 2, "nothing to run"),
        (["--frob", "x.py"], 2, "--frob: not an option of the interpreter"),
    ],
)
def test_what_cannot_run_ends_as_a_shell_says_it(tmp_path: Path, words: list[str], status: int, said: str) -> None:
    (tmp_path / "plain").write_text("text")
    for name, text in (("orphan", "#!/no/such/interpreter\n"), ("noformat", "text\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    done = call(tmp_path, "run", *words, text=True)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert done.stderr.startswith("bluerock-hooks: ")
    assert done.stderr.count("\n") == 1


def test_a_missing_start_up_file_is_said_in_one_line_and_the_program_runs(tmp_path: Path, script: Path) -> None:
    # The sources are used through PYTHONPATH here: no site directory has the .pth file.
    env = command_env(tmp_path)
    here = subprocess.run(
        [sys.executable, "-c", "import site; print(site.getsitepackages())"], env=env, capture_output=True, text=True
    )
    if any(os.path.exists(f"{directory}/bluerock_hooks.pth") for directory in eval(here.stdout)):
        script_line = call(tmp_path, "run", "-S", "-c", "print(1)", text=True).stderr
        assert "-S skips site" in script_line
    else:
        done = call(tmp_path, "run", script, text=True)
        assert done.returncode == 7
        assert "the sensor will not start: bluerock_hooks.pth is in no site directory" in done.stderr
        assert done.stderr.count("\n") == 1


def test_with_stderr_closed_nothing_of_ours_is_on_stdout(tmp_path: Path) -> None:
    for words in ("run -S -c 'print(1)'", "run nowhere.py", "frob"):
        command = " ".join(command_line()) + f" {words} 2>&-"
        done = subprocess.run(["sh", "-c", command], env=command_env(tmp_path), capture_output=True, text=True)
        assert done.stdout == ("1\n" if "print" in words else "")


def test_the_kill_switch_wins_and_is_mentioned(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "--", "true", env={"BLUEROCK_DISABLED": "1"}, text=True)
    assert done.returncode == 0
    assert "BLUEROCK_DISABLED is set and wins" in done.stderr


def test_a_signal_ends_the_program_as_it_would_without_us(tmp_path: Path) -> None:
    program = "import time; print('up', flush=True); time.sleep(30)"
    with subprocess.Popen(
        command_line("run", "-c", program), env=command_env(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_signals_and_locale_of_the_program_are_not_those_of_an_interpreter_before_it(tmp_path: Path) -> None:
    look = ["sh", "-c", "grep SigIgn /proc/self/status; env | sort"]
    env = {name: value for name, value in command_env(tmp_path).items() if not name.startswith(("LC_", "LANG"))}
    options = {"env": env, "capture_output": True, "text": True, "cwd": tmp_path}
    plain = subprocess.run(look, **options).stdout
    ours = subprocess.run(command_line("run", "--", *look), **options).stdout
    assert sorted(ours.splitlines()) == sorted([*plain.splitlines(), "BLUEROCK_ENABLE=1"])


def test_run_imports_nothing_heavy_before_it_execs(tmp_path: Path) -> None:
    # Bare interpreters import runpy for -m; what counts is what comes with our own modules.
    code = (
        "import os, sys\n"
        "def execve(path, argv, env): print(*sorted(set(sys.modules) - before)); os._exit(0)\n"
        "os.execve = execve; before = set(sys.modules)\n"
        "from bluerock_hooks.cli import main; main(['run', '--', 'true'])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=command_env(tmp_path), capture_output=True, text=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("bluerock_hooks")}
    assert loaded <= {"__future__", "errno", "_signal", "_thread", "posix", "time", "site"}, loaded


def test_run_costs_little_more_than_the_interpreter_it_needs(tmp_path: Path) -> None:
    env = command_env(tmp_path)

    def best(code: str) -> float:
        found = []
        for _ in range(15):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL, check=True)
            found.append(time.perf_counter() - started)
        return min(found)

    bare = best("import os; os.execv('/bin/true', ['true'])")
    ours = best("from bluerock_hooks.cli import main; main(['run', '--', '/bin/true'])")
    assert ours - bare < 0.015, f"{(ours - bare) * 1000:.1f} ms"  # some 3 ms on a quiet machine


def test_the_installed_command_records_the_example(
    peer_venv: Callable[..., Peer], tmp_path: Path, sensor_env: dict[str, str], spool: Path
) -> None:
    peer = peer_venv("3.11", "mcp==1.30.0")
    env = {name: value for name, value in sensor_env.items() if name != "BLUEROCK_ENABLE"}
    plain = peer.run("python", EXAMPLES / "client.py", env=env)
    ours = peer.run("bluerock-hooks", "run", EXAMPLES / "client.py", env=env)
    assert (ours.stdout, ours.stderr) == (plain.stdout, plain.stderr)
    started = named(read_spool(spool), "sensor_startup")
    assert any(str(EXAMPLES / "client.py") in event["argv"] for event in started)
