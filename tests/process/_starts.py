"""Starts processes in every way there is, and prints what it did: name, what the call gave, pid where it is told.

Run as ``python _starts.py WAY...``; each line is ``[way, result, pid]``, the truth that the events are held against.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import pty
import signal
import subprocess
import sys

MARK = "mark-of-"
ENV = {**os.environ, "ACTIVITY_TEST": "secret-of-the-environment"}


def popen() -> tuple[object, int]:
    child = subprocess.Popen(["true", MARK + "popen"])
    return child.wait(), child.pid


def run_shell() -> tuple[object, int]:
    done = subprocess.run(f": {MARK}run_shell; exit 3", shell=True, env=ENV, cwd="/")
    return done.returncode, 0


def without_close_fds() -> tuple[object, int]:
    """Before 3.13 the way to ``os.posix_spawn``."""
    child = subprocess.Popen(["/bin/true", MARK + "without_close_fds"], close_fds=False)
    return child.wait(), child.pid


def with_preexec() -> tuple[object, int]:
    child = subprocess.Popen(["true", MARK + "with_preexec"], preexec_fn=os.getpid)  # noqa: PLW1509
    return child.wait(), child.pid


def missing() -> tuple[object, int]:
    try:
        subprocess.run(["/no/such/program", MARK + "missing"])
    except FileNotFoundError:
        return "failed", 0
    return "ran", 0


def missing_name() -> tuple[object, int]:
    try:
        subprocess.run(["no-such-program", MARK + "missing_name"])
    except FileNotFoundError:
        return "failed", 0
    return "ran", 0


def killed() -> tuple[object, int]:
    child = subprocess.Popen(["sleep", "60"])
    child.send_signal(signal.SIGTERM)
    return child.wait(), child.pid


def os_popen() -> tuple[object, int]:
    with os.popen(f"echo {MARK}os_popen") as pipe:
        pipe.read()
    return 0, 0


def system() -> tuple[object, int]:
    return os.waitstatus_to_exitcode(os.system(f": {MARK}system; exit 4")), 0


def posix_spawn() -> tuple[object, int]:
    pid = os.posix_spawn("/bin/true", ["true", MARK + "posix_spawn"], os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pid


def posix_spawnp() -> tuple[object, int]:
    pid = os.posix_spawnp("true", ["true", MARK + "posix_spawnp"], os.environ)
    return os.waitid(os.P_PID, pid, os.WEXITED).si_status, pid


def posix_spawn_missing() -> tuple[object, int]:
    try:
        os.posix_spawn("/no/such/program", ["true", MARK], os.environ)
    except FileNotFoundError:
        return "failed", 0
    return "ran", 0


def spawnlp_wait() -> tuple[object, int]:
    return os.spawnlp(os.P_WAIT, "true", "true", MARK + "spawnlp"), 0


def spawnve() -> tuple[object, int]:
    pid = os.spawnve(os.P_NOWAIT, "/bin/true", ["true", MARK + "spawnve"], ENV)
    return os.waitstatus_to_exitcode(os.wait()[1]), pid


def spawn_missing() -> tuple[object, int]:
    return os.spawnv(os.P_WAIT, "/no/such/program", ["x", MARK]), 0


def fork() -> tuple[object, int]:
    pid = os.fork()
    if pid == 0:
        os._exit(5)
    return os.waitstatus_to_exitcode(os.wait4(pid, 0)[1]), pid


def fork_exec() -> tuple[object, int]:
    pid = os.fork()
    if pid == 0:
        os.execlp("true", "true", MARK + "fork_exec")
    return os.waitstatus_to_exitcode(os.wait3(0)[1]), pid


def fork_exec_missing() -> tuple[object, int]:
    pid = os.fork()
    if pid == 0:
        try:
            os.execvp("no-such-program", ["x", MARK])
        finally:
            os._exit(6)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pid


def forkpty() -> tuple[object, int]:
    pid, fd = pty.fork()
    if pid == 0:
        os._exit(7)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return code, pid


def pty_spawn() -> tuple[object, int]:
    return os.waitstatus_to_exitcode(pty.spawn(["true", MARK + "pty_spawn"])), 0


def asyncio_exec() -> tuple[object, int]:
    async def main() -> tuple[object, int]:
        child = await asyncio.create_subprocess_exec("true", MARK + "asyncio_exec")
        return await child.wait(), child.pid

    return asyncio.run(main())


def asyncio_killed() -> tuple[object, int]:
    async def main() -> tuple[object, int]:
        child = await asyncio.create_subprocess_shell("exec sleep 60")
        child.kill()
        return await child.wait(), child.pid

    return asyncio.run(main())


def work() -> None:
    """What a child of multiprocessing does."""


def of_multiprocessing(method: str) -> tuple[object, int]:
    child = multiprocessing.get_context(method).Process(target=work)
    child.start()
    pid = child.pid or 0
    child.join()
    return child.exitcode, pid


def mp_fork() -> tuple[object, int]:
    return of_multiprocessing("fork")


def mp_spawn() -> tuple[object, int]:
    return of_multiprocessing("spawn")


def mp_forkserver() -> tuple[object, int]:
    return of_multiprocessing("forkserver")


if __name__ == "__main__":
    for way in sys.argv[1:]:
        print(json.dumps([way, *globals()[way]()]), flush=True)
