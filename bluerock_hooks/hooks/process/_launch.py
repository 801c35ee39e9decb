"""One start of a process, and its facts as they may be recorded: arguments, program, directory, environment names.

What the host passed is looked at, never called: only exact built-in types, and ``pathlib``'s own.
"""

from __future__ import annotations

import os

from ... import _clock, _stdlib
from .._text import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...events import Span

_MAX_WORDS = 64
_MAX_NAMES = 64
_MAX_NAME = 128
_EXECUTABLE = 1  # posix.X_OK
_environ_type = type(os.environ)


class Launch:
    """A process that is being started, or runs: from the call that starts it until its status is asked for.

    The code around a start runs with cold caches, before and after another program had the processor: it is kept small.
    """

    given: tuple[object, object, object, object] | None = None
    """Arguments, program (a path or bare name, or the paths that are tried in turn), directory and environment."""
    id = ""
    pid = 0
    start = 0
    thread = 0
    told = False
    """The event of its start has been recorded."""
    ended: int | None = None
    """The wait status, where somebody asked for it before the event of the start."""
    known_children: frozenset[bytes] | None = None
    """Children of this thread just before a fork."""

    def __init__(self, api: str, span: Span | None, outer: Launch | None) -> None:
        self.api = api
        self.span = span
        self.outer = outer
        """What was going on in this thread already, such as ``os.spawnv`` around its ``os.fork``."""
        self.since = _clock.since_boot_ns()

    def is_made(self, pid: int) -> None:
        """Its process has this pid."""
        self.pid = pid
        tick = _clock.tick(self.since)
        self.start = tick if tick == _clock.tick(_clock.since_boot_ns()) else _clock.start_tick(pid)

    def facts(self, redacted: Callable[[list[str]], list[str]]) -> dict[str, object]:
        """What the events of a start and of an exec say of the program."""
        if self.given is None:
            return {}
        argv, programs, cwd, env = self.given
        self.given = None
        line = words(argv)
        where = _working_directory() if cwd is None else text(cwd)
        paths = [text(path) for path in programs] if type(programs) in (list, tuple) else [text(programs)]  # type: ignore[attr-defined]
        fields: dict[str, object] = {
            "argv": None if line is None else redacted(line),
            "executable": resolved(paths, where, env),
            "cwd": where,
        }
        if env is not None and env is not os.environ:
            added, missing = environment_names(env)
            fields["env_set"], fields["env_unset"] = added or None, missing or None
        return fields


def words(argv: object) -> list[str] | None:
    """A command line as text, cut."""
    if type(argv) is str or type(argv) is bytes:
        return [text(argv)]
    if type(argv) is list or type(argv) is tuple:
        return [text(word) for word in argv[:_MAX_WORDS]]
    return None


def resolved(paths: Sequence[str], cwd: str | None, env: object = None) -> str | None:
    """The first of ``paths`` that can be run; a bare name is looked for where the child's ``PATH`` says."""
    if len(paths) == 1 and paths[0].startswith("/"):
        return paths[0]
    if len(paths) == 1 and paths[0] and "/" not in paths[0]:
        path = _search_path(env)
        paths = [f"{directory or '.'}/{paths[0]}" for directory in path.split(":")] or paths
    absolute = [path if path.startswith("/") or not cwd else f"{cwd}/{path}" for path in paths if path]
    if len(absolute) > 1:
        return next((path for path in absolute if can_run(path)), None)
    return absolute[0] if absolute else None


def can_run(path: str) -> bool:
    """Would an exec of this path find something?"""
    try:
        return _stdlib.access(path, _EXECUTABLE)
    except ValueError:  # an embedded zero byte
        return False


def environment_names(env: object) -> tuple[list[str], list[str]]:
    """Names that ``env`` has beside or unlike our environment, and names of ours that it lacks. Values stay here."""
    theirs = _variables(env)
    if theirs is None:
        return [], []
    ours = _variables(os.environ) or {}
    added = [name for name, value in theirs.items() if ours.get(name) != value]
    missing = [name for name in ours if name not in theirs]
    return [text(name[:_MAX_NAME]) for name in added[:_MAX_NAMES]], [text(name) for name in missing[:_MAX_NAMES]]


def _variables(env: object) -> Mapping[bytes, bytes] | None:
    """A copy of an environment, as bytes; None where it is nothing that can be looked at."""
    if type(env) is _environ_type:
        return env._data.copy()  # type: ignore[attr-defined,no-any-return]
    if type(env) is list or type(env) is tuple:
        pairs = [item.partition(b"=") for item in env if type(item) is bytes]
        return {name: value for name, _, value in pairs}
    if type(env) is dict:
        return {_bytes(name): _bytes(value) for name, value in env.copy().items()}
    return None


def _bytes(value: object) -> bytes:
    if type(value) is str:
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return b""  # what it is for will fail
    return value if type(value) is bytes else b""


def _search_path(env: object) -> str:
    found = (_variables(env) or _variables(os.environ) or {}).get(b"PATH")
    return text(found) if found is not None else os.defpath


def _working_directory() -> str | None:
    try:
        return text(os.getcwd())
    except OSError:
        return None
