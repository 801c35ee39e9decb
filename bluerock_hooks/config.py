"""Settings: defaults < file < environment, read once at start-up; what is wrong with them is a list, never an error.

No msgspec here, on purpose: this runs in every interpreter of the environment, and most never touch MCP.
"""

from __future__ import annotations

import os

from . import _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parser = Callable[[str], object]

PREFIX = "BLUEROCK_"
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "")

DARK_PROGRAMS = (
    # Tools are not hosts: package installers, build back ends (pip runs them through _in_process.py), linters,
    # environment makers, and our own readers.
    "pip pip3 pip3.* uv uvx pipx poetry pdm hatch hatchling flit build pyproject-build _in_process.py setup.py "
    "ensurepip venv virtualenv conda mamba twine wheel cibuildwheel "
    "ruff mypy dmypy pyright black isort flake8 pylint pyflakes pre-commit "
    "bluerock-hooks bluerock_hooks"
)

# Files whose opening says nothing of a program: the kernel's own, and bytecode.
IGNORED_FILES = "/proc/* /sys/* /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/pts/* *.pyc"

# Modules that open files and make code for a living: the import system, tracebacks, and what writes classes for others.
IGNORED_CALLERS = (
    "importlib._bootstrap importlib._bootstrap_external _frozen_importlib _frozen_importlib_external zipimport "
    "importlib.metadata importlib.metadata.* importlib_metadata importlib_metadata.* "
    "site linecache tokenize collections dataclasses enum typing typing_extensions inspect ast annotationlib "
    "pydantic pydantic.* attr attr.* msgspec msgspec.* multiprocessing.* concurrent.*"
)


class Setting:
    """One row of the settings table: attribute, default, how text becomes a value, what it means."""

    __slots__ = ("attribute", "default", "doc", "parse", "variable")

    def __init__(self, attribute: str, default: object, parse: Parser, doc: str) -> None:
        self.attribute = attribute
        self.variable = PREFIX + attribute.upper()
        self.default = default
        self.parse = parse
        self.doc = doc


def parse_bool(text: str) -> bool:
    """``1 true yes on`` and ``0 false no off``, any case."""
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError("expected on or off")


def parse_bytes(text: str) -> int:
    """A size in bytes, with an optional binary unit: ``65536``, ``64k``, ``16 MiB``."""
    word = text.strip().lower().removesuffix("b").removesuffix("i")
    scale = 1
    if word and word[-1] in "kmg":
        scale = 1 << (10 * ("kmg".index(word[-1]) + 1))
        word = word[:-1]
    try:
        size = int(word.strip()) * scale
    except ValueError:
        raise ValueError("expected a size in bytes, such as 65536 or 16MiB") from None
    if size <= 0:
        raise ValueError("expected a size above zero")
    return size


def parse_path(text: str) -> str:
    """An absolute path; a leading ``~`` is the home directory."""
    path = text.strip()
    if path == "~" or path.startswith("~/"):
        home, _ = home_directory(os.environ)
        path = home + path[1:] if home else path
    if not path.startswith("/"):
        raise ValueError("expected an absolute path")
    return os.path.normpath(path)


def _names(default: str) -> Parser:
    def parse(text: str) -> str:
        """Names or globs, separated by spaces or commas; a leading ``+`` adds to the default list."""
        words = text.replace(",", " ").split()
        if words and words[0].startswith("+"):
            words[0] = words[0][1:]
            words = default.split() + [word for word in words if word]
        return " ".join(words)

    return parse


parse_programs = _names(DARK_PROGRAMS)


def parse_log(text: str) -> str:
    """``off``, a level (to stderr), or ``level:/absolute/file``."""
    word = text.strip()
    if word.lower() in FALSE:
        return ""
    level, _, path = word.partition(":")
    if level.lower() not in ("error", "info", "debug") or (path and not path.startswith("/")):
        raise ValueError("expected off, error, info or debug, with an optional :/absolute/file")
    return level.lower() + (f":{path}" if path else "")


def _one_of(*words: str) -> Parser:
    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in words:
            raise ValueError("expected one of " + ", ".join(words))
        return word

    return parse


def _scope(text: str) -> str:
    """``off``, ``tool``, ``all``; the plain words for no and yes mean off and all."""
    word = text.strip().lower()
    return _one_of("off", "tool", "all")("off" if word in FALSE else "all" if word in TRUE else word)  # type: ignore[return-value]


def _switch_or_all(text: str) -> str:
    """``off``, ``on``, ``all``; and the other plain words for no and yes."""
    word = text.strip().lower()
    return _one_of("off", "on", "all")("off" if word in FALSE else "on" if word in TRUE else word)  # type: ignore[return-value]


_KEPT = _one_of("full", "redacted", "shape", "none")

TABLE: tuple[Setting, ...] = (
    Setting("enable", False, parse_bool, "Master switch."),
    Setting("spool_dir", "", parse_path, "Where rings and segments live."),
    Setting("mcp", True, parse_bool, "Record MCP protocol activity."),
    Setting("imports", "on", _switch_or_all, "Record module imports: off, on, all (the standard library too)."),
    Setting(
        "process",
        True,
        parse_bool,
        "Record child processes, their ends, and what an exec becomes.",
    ),
    Setting("network", "tool", _scope, "Record sockets and name look-ups: off, tool, all."),
    Setting("files", "tool", _scope, "Record files opened, removed, renamed: off, tool, all."),
    Setting("native", "tool", _scope, "Record native libraries that ctypes loads: off, tool, all."),
    Setting("code", "tool", _scope, "Record code made at run time, marshal and pickle loads: off, tool, all."),
    Setting("ignore_files", IGNORED_FILES, _names(IGNORED_FILES), "Files (globs on the path) that are not recorded."),
    Setting("ignore_callers", IGNORED_CALLERS, _names(IGNORED_CALLERS), "Modules whose files and code are not."),
    Setting("payloads", "redacted", _KEPT, "What is kept of request and notification parameters."),
    Setting("results", "redacted", _KEPT, "What is kept of results."),
    Setting("max_event_bytes", 65536, parse_bytes, "Larger events become size, keyed hash and a prefix."),
    Setting("log", "", parse_log, "The sensor's own diagnostics, to stderr or a file, never stdout."),
    Setting("ring", "mmap", _one_of("mmap", "write"), "mmap, or write: one write an event where mmap cannot serve."),
    Setting("ring_bytes", 1 << 20, parse_bytes, "Capacity of one process's ring."),
    Setting("segment_bytes", 16 << 20, parse_bytes, "A segment is sealed at this size."),
    Setting("spool_bytes", 256 << 20, parse_bytes, "The oldest sealed segments go above this sum."),
    Setting("exit_hash_bytes", 256 << 20, parse_bytes, "Bytes of files that are read and hashed when a process ends."),
    Setting("exclude", DARK_PROGRAMS, parse_programs, "Programs (globs on argv[0] or the -m name) that stay dark."),
    Setting("propagate", False, parse_bool, "Put trace context into the _meta of client requests."),
)

# Variables that are ours but no setting of the file.
OTHER_VARIABLES = (PREFIX + "CONFIG", PREFIX + "DISABLED")
VARIABLES = tuple(sorted({row.variable for row in TABLE} | set(OTHER_VARIABLES)))

# Smaller rings would drain in place all the time, larger ones waste the page cache of every process.
_BOUNDS = {
    "ring_bytes": (64 << 10, 1 << 30),
    "segment_bytes": (64 << 10, 1 << 30),
    "spool_bytes": (1 << 20, 1 << 40),
    "max_event_bytes": (1 << 10, 1 << 20),
}


class Settings:
    """The settings in force. ``sources`` says where each that is not a default came from."""

    enable: bool
    spool_dir: str
    mcp: bool
    imports: str
    process: bool
    network: str
    files: str
    native: str
    code: str
    ignore_files: str
    ignore_callers: str
    payloads: str
    results: str
    max_event_bytes: int
    log: str
    ring: str
    ring_bytes: int
    segment_bytes: int
    spool_bytes: int
    exit_hash_bytes: int
    exclude: str
    propagate: bool

    def __init__(self) -> None:
        for row in TABLE:
            setattr(self, row.attribute, row.default)
        self.problems: list[str] = []
        self.sources: dict[str, str] = {}
        self.file = ""

    def changed(self) -> dict[str, object]:
        """Settings that differ from their defaults, by attribute."""
        return {
            row.attribute: getattr(self, row.attribute)
            for row in TABLE
            if row.attribute != "enable" and row.attribute in self.sources
        }


def home_directory(environ: Mapping[str, str]) -> tuple[str, str]:
    """The home directory and a problem to report, either may be empty.

    ``expanduser`` answers with a relative or literal ``~`` path where ``HOME`` is unset or odd; files of ours must
    never land in the current directory.
    """
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return home.rstrip("/") or "/", ""
    what = "HOME is not set" if "HOME" not in environ else f"HOME is not an absolute path ({home!r})"
    try:
        import pwd

        found = pwd.getpwuid(_stdlib.geteuid()).pw_dir
    except (ImportError, KeyError):
        found = ""
    if found.startswith("/"):
        return found, f"{what}, using {found}; set HOME or BLUEROCK_SPOOL_DIR"
    return "", f"{what} and the user has no home directory; set BLUEROCK_SPOOL_DIR to an absolute path"


def load(environ: Mapping[str, str]) -> Settings:
    """The settings that ``environ`` and the configuration file give. Never raises for what a user wrote."""
    settings = Settings()
    home, home_problem = home_directory(environ)
    named = environ.get(PREFIX + "CONFIG", "")
    path = named or (f"{home}/.bluerock/bluerock-hooks.json" if home else "")
    if named and not named.startswith("/"):
        settings.problems.append(f"BLUEROCK_CONFIG={named!r}: expected an absolute path; the file is not read")
    elif path:
        _read_file(settings, path, required=bool(named))
    for row in TABLE:
        text = environ.get(row.variable)
        if text is not None and (text != "" or row.attribute in ("enable", "log")):
            _assign(settings, row, text, row.variable)
    for name in environ:
        if name.startswith(PREFIX) and name not in VARIABLES:
            settings.problems.append(f"{name}: no such setting; see `bluerock-hooks doctor --settings`")
    if not settings.spool_dir:
        if home_problem:
            settings.problems.append(home_problem)
        if home:
            settings.spool_dir = f"{home}/.bluerock/event-spool"
    return settings


def _read_file(settings: Settings, path: str, *, required: bool) -> None:
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except FileNotFoundError:
        if required:
            settings.problems.append(f"{path}: no such file; unset BLUEROCK_CONFIG or write it")
        return
    except OSError as exc:
        settings.problems.append(f"{path}: {exc.strerror}; the file is not read")
        return
    import json  # 5 ms, and only where there is a file

    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as exc:
        settings.problems.append(f"{path}: not valid JSON ({exc}); mend or remove the file, defaults are in force")
        return
    if not isinstance(content, dict):
        settings.problems.append(f"{path}: expected a JSON object; defaults are in force")
        return
    settings.file = path
    rows = {row.attribute: row for row in TABLE}
    for key, value in content.items():
        row = rows.get(key.lower().removeprefix("bluerock_"))
        if row is None:
            settings.problems.append(f"{path}: {key}: no such setting")
        elif isinstance(value, (list, dict)) or value is None:
            settings.problems.append(f"{path}: {key}: expected a plain value")
        else:
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            _assign(settings, row, text, path)


def _assign(settings: Settings, row: Setting, text: str, source: str) -> None:
    where = source if source == row.variable else f"{source}: {row.attribute}"
    try:
        value = row.parse(text)
    except ValueError as exc:
        settings.problems.append(f"{where}={text[:60]!r}: {exc}; {row.default!r} is in force")
        return
    bounds = _BOUNDS.get(row.attribute)
    if bounds and isinstance(value, int) and not bounds[0] <= value <= bounds[1]:
        value = min(max(value, bounds[0]), bounds[1])
        settings.problems.append(f"{where}={text[:60]!r}: outside {bounds[0]} to {bounds[1]}; {value} is in force")
    setattr(settings, row.attribute, value)
    settings.sources[row.attribute] = source


def enabled(environ: Mapping[str, str]) -> bool:
    """The master switch as the ``.pth`` line reads it, and the kill switch that wins over it."""
    if environ.get(PREFIX + "DISABLED", "").strip().lower() in TRUE:
        return False
    return environ.get(PREFIX + "ENABLE", "").strip().lower() in TRUE


def program_names(orig_argv: list[str]) -> list[str]:
    """What the interpreter was started to run, as names for the exclusion list: argv[0]'s file name, or the -m name."""
    takes_value = "WX"
    index = 1
    while index < len(orig_argv):
        word = orig_argv[index]
        if word == "-m":
            module = orig_argv[index + 1] if index + 1 < len(orig_argv) else ""
            return [module, module.partition(".")[0]]
        if word.startswith("-m") and not word.startswith("--"):
            return [word[2:], word[2:].partition(".")[0]]
        if word == "-c" or word == "-" or not word.startswith("-"):
            break
        index += 2 if word in ("-" + takes_value[0], "-" + takes_value[1], "--check-hash-based-pycs") else 1
    if index < len(orig_argv) and orig_argv[index] not in ("-", "-c"):
        path = orig_argv[index]
        name = path.rpartition("/")[2]
        if name == "__main__.py":  # python DIR/__main__.py, and what `python -m DIR` re-executes as
            return [path.rpartition("/")[0].rpartition("/")[2]]
        return [name]
    return []


def excluded(settings: Settings, orig_argv: list[str]) -> str:
    """The pattern of ``BLUEROCK_EXCLUDE`` that keeps this program dark, or an empty string."""
    names = program_names(orig_argv)
    for pattern in settings.exclude.split():
        for name in names:
            if name == pattern:
                return pattern
            if any(mark in pattern for mark in "*?["):
                stem = pattern.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
                if name.startswith(stem):  # fnmatch brings re along: only for a name that may match
                    import fnmatch

                    if fnmatch.fnmatchcase(name, pattern):
                        return pattern
    return ""
