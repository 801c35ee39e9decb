"""What the program does beside talking: processes that it starts."""

from __future__ import annotations

from typing import ClassVar

from ._base import Argv, Event, Known


class ProcessSpawn(Event, kw_only=True):
    """A child process was started, or failed to start. One real process is one event."""

    NAME: ClassVar[str] = "python_process_spawn"

    spawn_id: Known
    """Random id of this start; the process's end carries the same."""
    api: Known
    """What started it: ``subprocess.Popen``, ``os.system``, ``os.fork``, ``multiprocessing`` and so on."""
    argv: Argv | None = None
    """Redacted. Of a fork: absent, the child is this same program."""
    executable: Known | None = None
    """The program's file, as the search path of its start finds it."""
    cwd: Known | None = None
    pid: int | None = None
    start: int | None = None
    """Its start tick since boot; pid and tick together name a process."""
    thread: int | None = None
    """Where the pid is not known (``os.system``): kernel id of the thread that waits for the process."""
    env_set: list[Known] | None = None
    """Names of environment variables that the child has and we have not, or not with that value. Never values."""
    env_unset: list[Known] | None = None
    """Names of ours that the child does not have."""
    error: Known | None = None
    """It did not start: the type of the exception."""


class ProcessExit(Event, kw_only=True):
    """A child process ended, and its status was asked for."""

    NAME: ClassVar[str] = "python_process_exit"

    spawn_id: Known
    """As in its ``python_process_spawn``."""
    api: Known | None = None
    pid: int | None = None
    start: int | None = None
    """Its start tick since boot."""
    returncode: int | None = None
    """Its exit status, where it ended by itself."""
    signal: Known | None = None
    """The signal that ended it, by name."""
    duration_ms: float | None = None
    """From its start until its status was asked for."""


class ProcessExec(Event, kw_only=True):
    """This process is about to become another program; told before, since there is no after."""

    NAME: ClassVar[str] = "python_process_exec"

    argv: Argv | None = None
    executable: Known | None = None
    cwd: Known | None = None
    env_set: list[Known] | None = None
    """Names of environment variables that the program gets and we have not, or not with that value. Never values."""
    env_unset: list[Known] | None = None
    """Names of ours that it does not get."""
    error: Known | None = None
    """It did not become that program: the type of the exception."""
