"""What a process is started with, as it may be recorded: arguments, program, directory, environment names.

What the host passed is looked at, never called: only exact built-in types, and ``pathlib``'s own.
"""

from __future__ import annotations

import os

from ... import _stdlib
from ..._plain import quote
from .._text import text, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Given = tuple[object, object, object, object]

_MAX_WORDS = 64
_MAX_NAMES = 64
_MAX_NAME = 128
_KNOWN = 512  # words that are remembered
_KNOWN_LENGTH = 256
_EXECUTABLE = 1  # posix.X_OK
_ROOT = ("/", b"/")
_environ_type = type(os.environ)


class Facts:
    """What is said of a program; ``redacted`` is ``Recording.arguments``.

    Programs, directories and options come again and again: a word that has been looked at, and may be recorded as it
    is, is remembered as JSON.
    """

    __slots__ = ("_paths", "_redacted", "_words")

    def __init__(self, redacted: Callable[[list[str]], list[str]]) -> None:
        self._redacted = redacted
        self._words: dict[str, str] = {}
        """Arguments behind the first."""
        self._paths: dict[str | bytes, str] = {}
        """Programs and directories, which nobody redacts."""

    def of(self, given: Given) -> str:
        """Members, each behind a comma.

        ``given``: arguments, program (a path, a bare name, or the paths that are tried), directory, environment.
        """
        argv, programs, cwd, env = given
        line, where = self._line(argv), text(cwd) if cwd is not None else working_directory()
        program = None
        if type(programs) is tuple and len(programs) == 1 and type(programs[0]) is bytes:
            program = self._paths.get(programs[0])
        if program is None:
            program = self._program(programs, where, env)
        said = "" if line is None else f',"argv":[{line}]'
        if program is not None:
            said += f',"executable":{program}'
        if where is not None:
            said += f',"cwd":{self._paths.get(where) or self._remembered(where)}'
        if env is not None and env is not os.environ:
            for name, names in zip(("env_set", "env_unset"), environment_names(env), strict=True):
                if names:
                    said += f',"{name}":[{",".join(map(quote, names))}]'
        return said

    def _line(self, argv: object) -> str | None:
        """A command line, as what stands between the brackets."""
        if (type(argv) is list or type(argv) is tuple) and len(argv) <= _MAX_WORDS:
            said, known = [], self._paths
            for word in argv:
                if type(word) is not str or word not in known:
                    return self._look(argv)
                said.append(known[word])
                known = self._words  # type: ignore[assignment]
            return ",".join(said)
        return self._look(argv)

    def _look(self, argv: object) -> str | None:
        line = words(argv)
        if line is None:
            return None
        kept = self._redacted(line)
        said = [quote(word) for word in kept]
        if kept is line:  # else the redactor was asked, and what it says of a word depends on those beside it
            for index, word in enumerate(line):
                _remember(self._words if index else self._paths, word, said[index])
        return ",".join(said)

    def _program(self, programs: object, where: str | None, env: object) -> str | None:
        path = programs[0] if type(programs) is tuple and len(programs) == 1 else programs
        if (type(path) is bytes or type(path) is str) and path[:1] in _ROOT:
            return self._remembered(path)
        found = resolved(programs, where, env)
        return None if found is None else quote(found)

    def _remembered(self, path: str | bytes) -> str:
        return _remember(self._paths, path, quote(text(path)))


def _remember(table: dict[Any, str], word: str | bytes, said: str) -> str:
    if len(table) >= _KNOWN:
        table.clear()
    if len(word) <= _KNOWN_LENGTH:
        table[word] = said
    return said


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
