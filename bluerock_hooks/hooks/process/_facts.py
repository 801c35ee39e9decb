"""What a process is started with, as it may be recorded: arguments, program, directory, environment names.

What the host passed is looked at, never called: only exact built-in types, and ``pathlib``'s own.
"""

from __future__ import annotations

import os

from ... import _guard, _stdlib
from ..._plain import quote
from .._text import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Given = tuple[object, object, object, object]

_MAX_WORDS = 64
_MAX_NAMES = 64
_MAX_NAME = 128
_KNOWN = 512  # command lines that are remembered
_KNOWN_LENGTH = 1024  # bytes of JSON
_EXECUTABLE = 1  # posix.X_OK
_ROOTS = ("/", b"/")
_environ_type = type(os.environ)


class Facts:
    """What is said of a program; ``redacted`` is ``Recording.arguments``.

    Command lines come again and again: what has been looked at, and may be recorded as it is, is remembered as JSON.
    """

    __slots__ = ("_known", "_redacted")

    def __init__(self, redacted: Callable[[list[str]], list[str]]) -> None:
        self._redacted = redacted
        self._known: dict[tuple[bytes | str, ...], bytes] = {}
        """By program, directory and arguments."""

    def of(self, given: Given) -> bytes:
        """Members, each behind a comma.

        ``given``: arguments, program (a path, a bare name, or the paths that are tried), directory, environment.
        """
        argv, programs, cwd, env = given
        if cwd is None:
            try:
                cwd = _stdlib.getcwd()
            except OSError as exc:  # that directory is gone
                _guard.give_back(exc)
        key = said = None
        if (  # as subprocess has them, and of exact types: no __hash__ and __eq__ of the host's is called
            type(argv) is list
            and type(programs) is tuple
            and len(programs) == 1
            and type(programs[0]) is bytes
            and type(cwd) is str
        ):
            for word in argv:  # a set of the types takes twice as long
                if type(word) is not str:
                    break
            else:
                key = (programs[0], cwd, *argv)
                said = self._known.get(key)
        if said is None:
            said = self._said(given, cwd, key)
        if env is not None and env is not os.environ:
            for name, names in zip(("env_set", "env_unset"), environment_names(env), strict=True):
                if names:
                    said += f',"{name}":[{",".join(map(quote, names))}]'.encode()
        return said

    def _said(self, given: Given, cwd: object, key: tuple[bytes | str, ...] | None) -> bytes:
        """Arguments, program and directory; remembered as those of ``key`` where they depend on nothing else."""
        argv, programs, _, env = given
        said, kept, line = "", None, words(argv)
        if line is not None:
            kept = self._redacted(line)
            said = f',"argv":[{",".join(map(quote, kept))}]'
        directory = None if cwd is None else text(cwd)
        program = resolved(programs, directory, env)
        if program is not None:
            said += f',"executable":{quote(program)}'
        if directory is not None:
            said += f',"cwd":{quote(directory)}'
        members = said.encode()
        if key is not None and kept is line and b"/" in key[0]:
            self._remember(key, members)
        return members

    def _remember(self, key: tuple[bytes | str, ...], members: bytes) -> None:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        if len(key) <= _MAX_WORDS and len(members) <= _KNOWN_LENGTH:
            self._known[key] = members


def words(argv: object) -> list[str] | None:
    """A command line as text, cut."""
    if type(argv) is str or type(argv) is bytes:
        return [text(argv)]
    if type(argv) is list or type(argv) is tuple:
        return [text(word) for word in argv[:_MAX_WORDS]]
    return None


def resolved(programs: object, cwd: str | None, env: object) -> str | None:
    """The first of ``programs`` that can be run; a bare name is looked for where the child's ``PATH`` says."""
    tried = programs if type(programs) is tuple or type(programs) is list else (programs,)
    paths = [text(path) for path in tried]
    if len(paths) == 1 and paths[0] and "/" not in paths[0]:
        paths = [f"{directory or '.'}/{paths[0]}" for directory in _search_path(env).split(":")]
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
