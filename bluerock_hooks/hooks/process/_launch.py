"""One start of a process, and its facts as they may be recorded: arguments, program, directory, environment names.

What the host passed is looked at, never called: only exact built-in types, and ``pathlib``'s own.
"""

from __future__ import annotations

import os

from ... import _stdlib
from .._text import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...events import Span

_MAX_WORDS = 64
_MAX_NAMES = 64
_MAX_NAME = 128
_EXECUTABLE = 1  # posix.X_OK
_environ_type = type(os.environ)


class Launch:
    """A process that is being started, or runs: from the call that starts it until its status is asked for."""

    __slots__ = (
        "api",
        "argv",
        "cwd",
        "ended",
        "env_set",
        "env_unset",
        "executable",
        "id",
        "known_children",
        "outer",
        "pid",
        "span",
        "start",
        "started",
        "thread",
        "told",
    )

    def __init__(self, api: str, launch_id: str, span: Span | None, outer: Launch | None) -> None:
        self.api = api
        self.id = launch_id
        self.span = span
        self.outer = outer
        """What was going on in this thread already, such as ``os.spawnv`` around its ``os.fork``."""
        self.argv: list[str] | None = None
        self.executable: str | None = None
        self.cwd: str | None = None
        self.env_set: list[str] | None = None
        self.env_unset: list[str] | None = None
        self.pid = 0
        self.start = 0
        self.thread = 0
        self.started = _stdlib.monotonic_ns()
        self.told = False
        """The event of its start has been recorded."""
        self.ended: int | None = None
        """The wait status, where somebody asked for it before the event of the start."""
        self.known_children: frozenset[bytes] | None = None
        """Children of this thread just before a fork."""

    def describe(self, argv: object, programs: object, cwd: object, env: object) -> None:
        """Take down what is started: ``programs`` is a path or bare name, or the paths that are tried in turn."""
        self.argv = words(argv)
        self.cwd = text(cwd) if cwd is not None else _working_directory()
        paths = list(programs) if type(programs) is list or type(programs) is tuple else [programs]
        self.executable = resolved([text(path) for path in paths], self.cwd, env)
        self.env_set, self.env_unset = environment_names(env)

    def facts(self) -> dict[str, object]:
        """What the events of a start and of an exec have in common; the caller redacts ``argv``."""
        return {
            "executable": self.executable,
            "cwd": self.cwd,
            "env_set": self.env_set or None,
            "env_unset": self.env_unset or None,
        }


def words(argv: object) -> list[str] | None:
    """A command line as text, cut."""
    if type(argv) is str or type(argv) is bytes:
        return [text(argv)]
    if type(argv) is list or type(argv) is tuple:
        return [text(word) for word in argv[:_MAX_WORDS]]
    return None


def resolved(paths: Sequence[str], cwd: str | None, env: object = None) -> str | None:
    """The first of ``paths`` that can be run; a bare name is looked for where the child's ``PATH`` says."""
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
    theirs = None if env is os.environ else _variables(env)
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
