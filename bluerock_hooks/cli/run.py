"""``run``: becomes the program, with ``BLUEROCK_ENABLE=1`` in its environment.

There is an ``exec`` and nothing after it, so arguments, standard streams, signals and exit status are the program's
own. Nothing heavy is imported (no argparse, no msgspec), and nothing but ``--help`` writes to stdout: the program may
be a stdio server, whose stdout is the wire.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
import sys

from ..config import TRUE
from ..errors import BluerockError, UsageError
from ._say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

USAGE = """\
usage: {prog} [PYTHON OPTIONS] SCRIPT [ARGS ...]
       {prog} [PYTHON OPTIONS] -m MODULE [ARGS ...]
       {prog} -- COMMAND [ARGS ...]

Sets BLUEROCK_ENABLE=1 and becomes the program: arguments, standard streams, signals and exit status are its own.
SCRIPT and MODULE run with this command's own interpreter; COMMAND is looked up on PATH, then beside the interpreter.
PYTHON OPTIONS are the interpreter's, such as -X dev, -W error, -u, -O.

Exit status: the program's; 127 if it is not found, 126 if it cannot be started."""

_FLAGS = "bBdEiIOPqsSuvx"  # single letters of the interpreter that take no value
_VALUED = "WX"
_LONG_VALUED = ("--check-hash-based-pycs",)


class NotFoundError(BluerockError):
    """There is no such script or command; the status a shell gives."""

    exit_code = 127


class NotStartedError(BluerockError):
    """It is there and cannot be started; the status a shell gives."""

    exit_code = 126


def main(args: list[str], prog: str) -> int:
    """Never returns where there is a program to become."""
    if args and args[0] in ("-h", "--help"):
        print(USAGE.format(prog=prog))
        return 0
    if args and args[0] == "--":
        if len(args) == 1:
            raise UsageError("no command after --", f"{prog} -- COMMAND [ARGS ...]")
        options: list[str] = []
        path, argv = find_command(args[1]), args[1:]
    else:
        path, argv, options = _python(args, prog)
    if _ours(path):
        reason = inactive_reason(options)
        if reason:
            say(f"the sensor will not start: {reason}; `bluerock-hooks doctor` tells more")
    if os.environ.get("BLUEROCK_DISABLED", "").strip().lower() in TRUE:
        say("BLUEROCK_DISABLED is set and wins: the program runs without the sensor")
    return _become(path, argv)


def _python(args: list[str], prog: str) -> tuple[str, list[str], list[str]]:
    """Interpreter, its argv for a script or module, and the options among it."""
    count, kind = split_options(args)
    if count >= len(args):
        raise UsageError("nothing to run", f"{prog} SCRIPT, {prog} -m MODULE or {prog} -- COMMAND")
    if kind == "script":
        _check_script(args[count], prog)
    if not sys.executable:
        raise NotStartedError("this interpreter does not know its own path", f"use {prog} -- /path/to/python ...")
    return sys.executable, [sys.executable, *args], args[:count]


def split_options(args: list[str]) -> tuple[int, str]:
    """How many leading words are the interpreter's options, and what follows: ``script``, ``-m`` or ``-c``.

    Options are read as the interpreter reads them: clusters (``-Bu``), values attached or apart (``-Xdev``, ``-X
    dev``); ``-m`` and ``-c`` end them, their own value included in what follows.
    """
    index = 0
    while index < len(args):
        word = args[index]
        if word == "-" or not word.startswith("-"):
            return index, "script"
        if word.startswith("--"):
            if word not in _LONG_VALUED:
                raise UsageError(f"{word}: not an option of the interpreter", "a command goes after --, alone")
            index += 2
            continue
        width = 1
        for position, letter in enumerate(word[1:], 2):
            rest = word[position:]
            if letter in "mc":
                # What follows -m or -c belongs to it, in this word or the next: a missing one is a usage error.
                return (index if rest or index + 1 < len(args) else len(args)), "-" + letter
            if letter in _VALUED:
                width = 1 if rest else 2
                break
            if letter not in _FLAGS:
                raise UsageError(f"{word}: not an option that can stand before a script")
        index += width
    return index, "script"


def _check_script(script: str, prog: str) -> None:
    if script == "-":
        return
    try:
        os.stat(script)
    except OSError as exc:
        hint = ""
        if exc.errno == errno.ENOENT and "/" not in script and _search(script)[0]:
            hint = f"to run the command of that name: {prog} -- {script}"
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFoundError(f"{script}: no such file", hint) from None
        raise NotStartedError(f"{script}: {exc.strerror}") from None
    if not os.access(script, os.R_OK):
        raise NotStartedError(f"{script}: {os.strerror(errno.EACCES)}")


def find_command(name: str) -> str:
    """Path of a command: as given if it has a slash, else from PATH, else beside the interpreter.

    The last is for environments that are not activated: their console scripts are in no directory of PATH.
    """
    if not name:
        raise NotFoundError("the name of the command is empty")
    if "/" in name:
        return name
    found, denied = _search(name)
    if found:
        return found
    if denied:
        raise NotStartedError(f"{denied}: {os.strerror(errno.EACCES)}")
    raise NotFoundError(f"{name}: command not found")


def _search(name: str) -> tuple[str, str]:
    """The first executable file of that name, and one that is there but may not be executed; either may be empty."""
    denied = ""
    beside = os.path.dirname(sys.executable) if sys.executable else ""
    for directory in [*os.environ.get("PATH", os.defpath).split(os.pathsep), beside]:
        path = os.path.join(directory, name)  # an empty entry of PATH is the current directory
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path, ""
            denied = denied or path
    return "", denied


def _ours(path: str) -> bool:
    """Is it this command's own interpreter, or a script that names it in its first line?"""
    if path == sys.executable:
        return True
    try:
        with open(path, "rb") as file:
            first = file.readline(512)
    except OSError:
        return False
    return first.startswith(b"#!") and first[2:].split(b" ")[0].strip() == os.fsencode(sys.executable or "")


def inactive_reason(options: list[str]) -> str:
    """Why the sensor cannot start in a child of this interpreter given ``options``; empty where it can."""
    letters = "".join(word[1:] for word in options if word[:1] == "-" and word[1:2] not in ("-", "W", "X"))
    if "S" in letters:
        return "-S skips site, and with it every .pth file"
    import site  # loaded already, except in a command that itself runs with -S

    directories = list(site.getsitepackages())
    if "s" not in letters and "I" not in letters and site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    for directory in directories:
        if os.path.exists(f"{directory}/bluerock_hooks.pth") or os.path.exists(f"{directory}/bluerock_hooks.start"):
            return ""
    return f"bluerock_hooks.pth is in no site directory of {sys.executable}, so nothing there loads it"


def _become(path: str, argv: list[str]) -> NoReturn:
    environ = dict(os.environ)
    environ["BLUEROCK_ENABLE"] = "1"
    _forget_coerced_locale(environ)
    # Python ignores these two from its start, and what is ignored stays so across exec.
    for name in ("SIGPIPE", "SIGXFSZ"):
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    try:
        os.execve(path, argv, environ)  # noqa: S606 - starting a program is what this command is for
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            if os.path.exists(path):  # its #! line names an interpreter that is not there
                raise NotStartedError(f"{path}: its interpreter is missing") from None
            raise NotFoundError(f"{path}: no such file") from None
        raise NotStartedError(f"{path}: {exc.strerror}") from None


def _forget_coerced_locale(environ: dict[str, str]) -> None:
    """Take out the ``LC_CTYPE`` that this interpreter gave itself in the C locale (PEP 538), not its caller."""
    if environ.get("LC_CTYPE") not in ("C.UTF-8", "C.utf8", "UTF-8"):
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read()
    except OSError:
        return
    if not any(entry.startswith(b"LC_CTYPE=") for entry in given.split(b"\0")):
        del environ["LC_CTYPE"]
