"""Run inside an environment with the sensor and an SDK: fail at every line of ours that runs, and watch the host.

Usage: ``python _every_line.py EXAMPLES_DIRECTORY MODE ROUNDS SINGLE``. The same work is done again and again. In each
round the lines of ours that have not failed yet raise as they are reached: one a round where SINGLE is 1, else each.
Prints, as JSON, what the work gave the first time (when nothing failed), the rounds that gave something else with the
lines that had failed in them, and how many lines failed. With no sensor, or no rounds, it only does the work.

Left out is what cannot fail: ``except`` and ``finally`` clauses, which have nothing but the guard's and the locks' own
calls, and lines outside of a ``try`` that call nothing. And, since it is the host's, the call of what was replaced.
"""

from __future__ import annotations

import ast
import contextlib
import faulthandler
import io
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

examples, mode, rounds, single = sys.argv[1:]
sys.path[:0] = [examples, str(Path(__file__).parent.parent)]
import asyncio

import _in_memory
import bluerock_hooks._bootstrap as bootstrap
from bluerock_hooks.hooks import _audit

warnings.simplefilter("ignore", DeprecationWarning)  # tools run in threads of the SDK, and one of them forks
PACKAGE = Path(_audit.__file__).parent.parent
APART = ("cli/", "_stored.py", "reader.py", "_guard.py")  # another process's, and the guard itself
# What is called outside of any ``try`` and does not fail: looks at variables, and functions that are guarded inside.
SAFE = (
    *(
        "current",
        "enter",
        "leave",
        "run",
        "set",
        "wanted",
        "ident",
        "Attempt",
        "_self_message",
        "message",
        "_failed",
    ),
    *("begin", "born", "settle", "ended"),  # hooks.process._launches
    "replacement",  # hooks._rows
    *("connection_of", "terminated"),  # hooks.mcp
)
HOSTS = ("original", "wrapped", "execute", "function", "__aiter__", "send")  # what a wrapper calls the host's callable


# -- which lines can fail


def lines_of(path: Path) -> set[int]:
    """The lines of functions at which something may go wrong."""
    found: set[int] = set()

    def walk(statements: list[ast.stmt], guarded: bool) -> None:
        for statement in statements:
            header = header_of(statement)
            if header is not None and (guarded or may_raise(header)) and not calls_host(header):
                last = max((node.end_lineno for node in ast.walk(header) if hasattr(node, "end_lineno")), default=0)
                found.update(range(statement.lineno, (last or statement.lineno) + 1))
            if isinstance(statement, ast.Try):
                walk(statement.body, guarded=bool(statement.handlers) or guarded)
                walk(statement.orelse, guarded)
            elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                walk(statement.body, guarded=False)
            else:
                for part in ("body", "orelse"):
                    walk(getattr(statement, part, []), guarded)

    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            walk(node.body, guarded=False)
    return found


def header_of(statement: ast.stmt) -> ast.AST | None:
    """The part of a statement that is on its own lines."""
    if isinstance(statement, (ast.If, ast.While)):
        return statement.test
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return statement.iter
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return statement.items[0]
    if isinstance(statement, (ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return None
    if isinstance(statement, (ast.Pass, ast.Break, ast.Continue)) or (
        isinstance(statement, ast.Return) and statement.value is None
    ):
        return None  # a jump, which the compiler may have put outside of the try
    return statement


def may_raise(node: ast.AST) -> bool:
    """Does this do more than look at names and attributes, and call what never raises?"""
    return any(
        isinstance(each, (ast.Subscript, ast.Import, ast.ImportFrom))
        or (isinstance(each, ast.Call) and name_of(each.func) not in SAFE)
        for each in ast.walk(node)
    )


def name_of(node: ast.AST) -> str:
    """The last part of the name of what is called."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def calls_host(node: ast.AST) -> bool:
    """Is this the host's call, or a wait for what the host does?"""
    return any(
        isinstance(each, (ast.Await, ast.Yield, ast.YieldFrom, ast.Raise))
        or (isinstance(each, ast.Call) and name_of(each.func) in HOSTS)
        for each in ast.walk(node)
    )


class Faults:
    """Raises. What has failed is kept in shared memory: forked children fail too, and each line fails once."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], int] = {}
        for path in sorted(PACKAGE.rglob("*.py")):
            if not str(path.relative_to(PACKAGE)).startswith(APART):
                for line in sorted(lines_of(path)):
                    self.lines[str(path), line] = len(self.lines)
        self.done = memoryview(mmap.mmap(-1, len(self.lines)))
        self.armed = False
        self.fired: list[str] = []

    def at(self, file: str, line: int) -> None:
        """This line is about to run."""
        place = self.lines.get((file, line), -1)
        if not self.armed or place < 0 or self.done[place] or (single == "1" and self.fired):
            return
        self.done[place] = 1
        self.fired.append(f"{file[len(str(PACKAGE)) + 1 :]}:{line}")
        raise RuntimeError(f"fault in {self.fired[-1]}")

    def watch(self) -> None:
        """Have ``at`` called. A function that raises is traced no more: so do it again in each round."""
        prefix = str(PACKAGE)
        if sys.version_info >= (3, 12):
            monitoring = sys.monitoring
            if monitoring.get_tool(4) is None:
                monitoring.use_tool_id(4, "faults")
                monitoring.register_callback(
                    4,
                    monitoring.events.LINE,
                    lambda code, line: (
                        self.at(code.co_filename, line) if code.co_filename.startswith(prefix) else monitoring.DISABLE
                    ),
                )
                monitoring.set_events(4, monitoring.events.LINE)
            return

        def trace(frame: Any, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.startswith(prefix):
                return None
            if event == "line":
                self.at(frame.f_code.co_filename, frame.f_lineno)
            return trace

        threading.settrace(trace)
        sys.settrace(trace)

    def hear_audit(self, audit: _audit.Audit) -> None:
        """Python traces no audit hook, unless it asks for that: have the handlers called by one that does."""
        hook: Any = _audit._hook(dict(audit._heeded), bootstrap.sensor().recorder.inside)  # type: ignore[union-attr]
        hook.__cantrace__ = True
        audit.quiet()
        sys.addaudithook(hook)


# -- the host's work


def touch(directory: str) -> list[Any]:
    """Files, code, libraries, processes, threads."""
    seen: list[Any] = []
    path = os.path.join(directory, "file")
    with open(path, "w") as file:
        seen.append(file.write("text"))
    with open(path, "rb") as binary:
        seen.append(binary.read())
    os.rename(path, path + "2")
    os.remove(path + "2")
    try:
        open(path).close()
    except OSError as exc:
        seen.append([type(exc).__name__, exc.errno])
    seen.append(eval(compile("1 + 1", "<code>", "eval")))
    Path(directory, "fresh.py").write_text("VALUE = 7\n")
    sys.modules.pop("fresh", None)
    sys.path.insert(0, directory)
    import fresh

    sys.path.remove(directory)
    seen.append(fresh.VALUE)
    seen.append(subprocess.run([sys.executable, "-S", "-c", "print(5)"], capture_output=True, text=True).stdout)
    seen.append(os.system("exit 3"))
    pid = os.posix_spawn("/bin/true", ["true"], {})
    seen.append(os.waitpid(pid, 0)[1])
    try:
        subprocess.Popen(["/no/such/program"])
    except OSError as exc:
        seen.append([type(exc).__name__, exc.errno, exc.filename])
    child = os.fork()
    if child == 0:
        open("/dev/null").close()
        os._exit(4)
    seen.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    ran: list[int] = []
    thread = threading.Thread(target=ran.append, args=(1,))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        seen.append([ran, pool.submit(pow, 2, 5).result()])
    return seen


async def serve(directory: str) -> list[Any]:
    """A server of its own with a tool that touches everything, in memory."""
    from server import MCPServer

    server = MCPServer("fresh", log_level="CRITICAL")
    seen: list[Any] = []

    @server.tool()
    def act(number: int) -> str:
        """Touch."""
        try:
            seen.append(touch(directory))
        except Exception as exc:  # the SDK would not say which
            seen.append(f"{type(exc).__name__}: {exc}")
        return f"number {number}"

    async with _in_memory.session(server, mode) as client:
        seen.append([tool.name for tool in (await client.list_tools()).tools])
        seen.append(
            (await client.call_tool("act", {"number": 4, "api_key": "sk-0123456789abcdef0123"})).content[0].text
        )
        try:
            await client.read_resource("no://such")
        except Exception as exc:
            seen.append([type(exc).__name__, str(exc)])
    return seen


def work() -> str:
    """Everything; what the host saw of it."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(said):
        seen = [touch(directory), asyncio.run(serve(directory))]
        asyncio.run(_in_memory.talk(mode))
    return f"{said.getvalue()}{seen}".replace(directory, "DIRECTORY")


faulthandler.dump_traceback_later(float(os.environ.get("PATIENCE", "100")), exit=True)
before = work()
again = work()
found: dict[str, Any] = {"first": before, "steady": before == again, "bad": [], "fired": 0, "rounds": 0}
sensor = bootstrap.sensor()
if sensor is not None and int(rounds):
    faults = Faults()
    faults.hear_audit(sensor.audit)
    while found["rounds"] < int(rounds):
        found["rounds"] += 1
        faults.watch()
        faults.fired.clear()
        count = sum(faults.done)
        faults.armed = True
        try:
            outcome = work()
        except BaseException as exc:
            while getattr(exc, "exceptions", None):
                exc = exc.exceptions[0]  # type: ignore[attr-defined]
            outcome = f"{type(exc).__name__}: {exc}"
        faults.armed = False
        sys.settrace(None)
        if outcome != before:
            found["bad"].append([faults.fired[-30:], outcome[-300:]])
        if sum(faults.done) == count:
            break
    found["fired"] = sum(faults.done)
    found["working"] = work() == before
print(json.dumps(found))
