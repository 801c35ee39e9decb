"""Processes: every child that is started and ends, once, whatever chain of calls starts it, and what an exec becomes.

Audit events tell of attempts only, twice for one process or not at all (multiprocessing). So the few functions that
make processes are wrapped: they know the pid, and whether it failed. ``os.fork`` is not: Python shows its deprecation
warning to the module that calls it, which would be ours. It is told by the audit hook and what runs around every fork.

Ends are seen where a status is asked for: ``os.waitpid`` and its relatives, to which everything else comes down.
"""

from __future__ import annotations

from ... import _guard, _stdlib
from .._rows import Patch
from .._text import text
from . import _status
from ._exec import Execs
from ._launches import FORKSERVER, Launches
from ._popen import Popens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .. import Recording
    from .._audit import Audit
    from ._launch import Launch

    Call = Callable[..., Any]

__all__ = ["Processes"]

_FAILED = 255 << 8  # what a shell that cannot be started is said to have ended with


class Processes:
    """The hooks of processes: ``rows()`` are wrapped, ``listen()`` asks for audit events."""

    def __init__(self, recording: Recording) -> None:
        self._launches = Launches(recording)
        self._execs = Execs(self._launches)
        self._popens = Popens(self._launches)

    def rows(self) -> list[Patch]:
        """What is wrapped."""
        starts, ends = "processes started by ", "the end of processes"
        return [
            Patch("os", "posix_spawn", self._posix_spawn("os.posix_spawn"), sees=starts + "os.posix_spawn"),
            Patch("os", "posix_spawnp", self._posix_spawn("os.posix_spawnp"), sees=starts + "os.posix_spawnp"),
            Patch("os", "system", self._system, sees="the end of os.system"),
            Patch("os", "_spawnvef", self._spawnvef, sees="what os.spawn* starts"),
            Patch("os", "execv", self._execs.wrap, sees="that an exec failed"),
            Patch("os", "execve", self._execs.wrap, sees="that an exec failed"),
            Patch("os", "_execvpe", self._execs.wrap, sees="which of the tries of os.execvp is the one"),
            Patch("os", "waitpid", self._wait, sees=ends, required=True),
            *(Patch("os", name, self._wait, sees=ends) for name in ("wait", "wait3", "wait4")),
            Patch("os", "waitid", self._waitid, sees=ends),
            Patch("_posixsubprocess", "fork_exec", self._fork_exec, sees=starts + "multiprocessing", required=True),
            Patch("multiprocessing.popen_forkserver", "Popen._launch", self._forkserver_launch,
                  sees=starts + "a fork server"),
            Patch("multiprocessing.popen_forkserver", "Popen.poll", self._forkserver_poll, sees=ends),
            *self._popens.rows(),
        ]  # fmt: skip

    def listen(self, audit: Audit) -> None:
        """Ask for the audit events of processes."""
        audit.on("os.fork", self._launches.forking)
        audit.on("os.forkpty", self._launches.forking)
        audit.on("pty.spawn", self._pty_spawn)
        audit.on("os.exec", self._execs.heard)
        audit.on("os.system", self._unwrapped)
        audit.on("os.posix_spawn", self._unwrapped)

    def quiet(self) -> None:
        """Record nothing any more: the interpreter ends."""
        self._launches.silent = True

    # -- what starts processes

    def _fork_exec(self, original: Call) -> Call:
        """``fork_exec(args, executables, close_fds, pass_fds, cwd, env, ...)``, positional in every version."""

        def given(args: tuple[Any, ...], _: dict[str, Any]) -> tuple[object, object, object, object] | None:
            return (args[0], args[1], args[4], args[5]) if len(args) > 5 else None  # or else it fails

        return self._maker(original, "_posixsubprocess.fork_exec", given)

    def _posix_spawn(self, api: str) -> Callable[[Call], Call]:
        """``posix_spawn(path, argv, env, ...)``; all three may be given by name."""

        def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[object, object, object, object]:
            named = dict(zip(("path", "argv", "env"), args, strict=False), **kwargs)
            return named.get("argv"), named.get("path"), None, named.get("env")

        return lambda original: self._maker(original, api, given)

    def _maker(self, original: Call, api: str, given: Call) -> Call:
        """A wrapper of a function that makes one process and returns its pid."""
        launches = self._launches

        def make(*args: Any, **kwargs: Any) -> Any:
            launch, own = None, False
            try:
                launch, own = launches.join(api)
                if launch is not None:
                    launch.given = given(args, kwargs)
            except Exception as exc:
                _guard.swallow("process.make", exc)
            try:
                pid = original(*args, **kwargs)
            except BaseException as exc:
                if own:
                    launches.settle(launch, exc)
                raise
            launches.born(launch, pid)
            if own:
                launches.settle(launch)
            return pid

        return make

    def _spawnvef(self, original: Call) -> Call:
        """``_spawnvef(mode, file, args, env, func)``: forks, which tells; the child calls ``func``, an exec."""
        launches = self._launches

        def _spawnvef(*args: Any, **kwargs: Any) -> Any:
            launch = launches.begin("os.spawn")
            try:
                if launch is not None:
                    launch.given = args[2], args[1], None, args[3]
            except Exception as exc:
                _guard.swallow("process.spawnv", exc)
            try:
                return original(*args, **kwargs)
            except BaseException as exc:
                launches.settle(launch, exc)
                raise
            finally:
                launches.leave(launch)

        return _spawnvef

    def _system(self, original: Call) -> Call:
        """``os.system(command)``: told before it blocks; the pid of its shell is known to C alone."""
        launches = self._launches

        def system(*args: Any, **kwargs: Any) -> Any:
            launch = launches.begin("os.system")
            try:
                if launch is not None:
                    self._shell(launch, args[0] if args else kwargs.get("command"))
            except Exception as exc:
                _guard.swallow("process.system", exc)
            try:
                status = original(*args, **kwargs)
            finally:
                launches.leave(launch)
            try:
                if launch is not None:
                    launches.ended(launch, _FAILED if status < 0 else status)
            except Exception as exc:
                _guard.swallow("process.system", exc)
            return status

        return system

    def _shell(self, launch: Launch, command: object) -> None:
        launch.given = ["sh", "-c", text(command)], "/bin/sh", None, None
        launch.thread = _stdlib.get_native_id()
        self._launches.tell(launch)

    def _forkserver_launch(self, original: Call) -> Call:
        """``popen_forkserver.Popen._launch``: the fork server, a process of its own, forks and tells the pid."""

        def launch_(self_: Any, *args: Any, **kwargs: Any) -> Any:
            launch = self._launches.begin(FORKSERVER)
            try:
                result = original(self_, *args, **kwargs)
            except BaseException:
                self._launches.leave(launch)
                raise
            self._launches.born(launch, vars(self_).get("pid"))
            self._launches.settle(launch)
            return result

        return launch_

    # -- what ends them

    def _wait(self, original: Call) -> Call:
        """``os.waitpid`` and its relatives, which begin their result with pid and status: whose status was that?"""
        launches = self._launches

        def wait(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            try:
                launch = launches.children.get(result[0])
                if launch is not None:
                    launches.ended(launch, result[1])
                else:
                    launches.reaped(result[0], result[1])
            except Exception as exc:
                _guard.swallow("process.wait", exc)
            return result

        return wait

    def _waitid(self, original: Call) -> Call:
        """``os.waitid``, whose result has names."""
        launches = self._launches

        def waitid(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            try:
                if result is not None:
                    launches.reaped(result.si_pid, _status.of_waitid(result))
            except Exception as exc:
                _guard.swallow("process.wait", exc)
            return result

        return waitid

    def _forkserver_poll(self, original: Call) -> Call:
        """``popen_forkserver.Popen.poll``: the exit status comes through a pipe."""
        launches = self._launches

        def poll(self_: Any, *args: Any, **kwargs: Any) -> Any:
            code = original(self_, *args, **kwargs)
            try:
                launch = launches.children.get(vars(self_).get("pid", 0)) if type(code) is int else None
                if launch is not None:
                    launches.ended(launch, _status.of_code(code))
            except Exception as exc:
                _guard.swallow("process.poll", exc)
            return code

        return poll

    # -- audit events, in the thread that raises them

    def _pty_spawn(self, _event: str, args: tuple[Any, ...]) -> None:
        """Before the ``os.forkpty`` of ``pty.spawn``, which tells."""
        launch = self._launches.begin("pty.spawn")
        if launch is not None:
            argv = args[0]
            launch.given = argv, argv[0] if argv and type(argv) in (list, tuple) else argv, None, None

    def _unwrapped(self, event: str, args: tuple[Any, ...]) -> None:
        """``posix.system`` and ``posix.posix_spawn``, called by those names, past the wrappers."""
        launches = self._launches
        launch = launches.begin(event) if launches.here() is None else None
        if launch is None:
            return
        if event == "os.system":
            self._shell(launch, args[0])
        else:
            launch.given = args[1], args[0], None, args[2]
        launches.settle(launch)
