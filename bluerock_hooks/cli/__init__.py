"""The command at the end of the flow: reads what sensors recorded, and starts programs with the sensor on.

Each command is a module of this package with ``main(args, prog) -> int``, imported when it is called: ``run`` must cost
its program nothing.
"""

from __future__ import annotations

import os
import sys

from ..errors import BluerockError, UsageError
from ._say import PROG, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Command(Protocol):
        def main(self, args: list[str], prog: str) -> int: ...


COMMANDS: tuple[tuple[str, str], ...] = (
    ("run", "start a Python script, module or any command with the sensor on"),
    ("show", "print recorded events, one readable line each"),
    ("tail", "print the last events, then follow"),
    ("trace", "print what a request caused, as a tree"),
    ("stats", "count calls, errors, durations and what tools touch"),
    ("imports", "which code ran, by distribution, and is it what was installed"),
    ("doctor", "is the sensor active here, and if not, why"),
    ("recover", "move what killed processes left behind into the spool"),
    ("stack", "run Grafana, Loki and a collector of this spool, with docker compose"),
    ("schema", "print the JSON Schema of all events"),
)

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Run one command; the exit status. ``argv`` is without the program name, ``prog`` the name that help shows."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(args, prog)
        _flush()
    except BluerockError as exc:
        say(str(exc))
        return exc.exit_code
    except BrokenPipeError:
        _drop_stdout()  # the reader (head, less) went away and has all it wanted
        return 0
    except OSError as exc:
        _drop_stdout()
        say(str(exc))
        return 1
    except SystemExit as exc:  # argparse: --help, or a usage error that it has printed
        return exc.code if isinstance(exc.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _dispatch(args: list[str], prog: str) -> int:
    if not args:
        raise UsageError("no command", f"`{prog} --help` lists them")
    name = args[0]
    if name != "run":
        _prepare_stdout()
    if name in ("-h", "--help", "help"):
        print(usage(prog))
        return 0
    if name in ("-V", "--version"):
        from .._version import __version__

        print(f"{PROG} {__version__}")
        return 0
    if name not in (command for command, _ in COMMANDS):
        raise UsageError(f"{name!r} is no command", f"`{prog} --help` lists them")
    return load(name).main(args[1:], f"{prog} {name}")


def load(name: str) -> Command:
    """The module of one command of the table."""
    return __import__(f"{__name__}.{name}", fromlist=("main",))


def usage(prog: str) -> str:
    """What ``--help`` prints."""
    rows = "\n".join(f"  {name:<9} {summary}" for name, summary in COMMANDS)
    return (
        f"usage: {prog} [--help] [--version] COMMAND ...\n\n"
        f"See what really runs inside a Python MCP server.\n\n{rows}\n\n"
        f"`{prog} COMMAND --help` tells more."
    )


def _prepare_stdout() -> None:
    if sys.stdout is None:  # closed by whoever started the command
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a C locale must not turn a name into a UnicodeEncodeError
        reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_stdout() -> None:
    # Python flushes stdout once more at exit: give it somewhere to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
