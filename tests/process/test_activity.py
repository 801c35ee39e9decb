"""Sockets, files, native libraries and code: each is one event, what repeats is counted, noise and secrets stay out.

Outside of MCP, with the scopes at ``all``; ``test_tool_activity`` has the default scope.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _peers import named, read_spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
ALL = {f"BLUEROCK_{name}": "all" for name in ("NETWORK", "FILES", "NATIVE", "CODE")}


@pytest.fixture
def record(peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path, tmp_path: Path) -> Any:
    """``record(code, python, **variables)``: run it with all scopes open; the events without those of the sensor."""

    def run(code: str, python: str = "3.11", **variables: str) -> list[dict[str, Any]]:
        script = tmp_path / "program.py"
        script.write_text(code)
        peer = peer_venv(python)
        elsewhere = tmp_path / f"without-{len(list(tmp_path.iterdir()))}"
        elsewhere.mkdir()
        off = peer.run("python", script, env={**sensor_env, "BLUEROCK_DISABLED": "1"}, cwd=elsewhere)
        done = peer.run("python", script, env={**sensor_env, **ALL, **variables}, cwd=tmp_path)
        assert (done.stdout, done.stderr) == (off.stdout, off.stderr)
        events = [line["event"] for line in read_spool(spool)]
        own = ("sensor_", "python_import", "python_package")
        return [event for event in events if not event["meta"]["name"].startswith(own)]

    return run


def told(events: list[dict[str, Any]], name: str, *members: str) -> list[tuple[Any, ...]]:
    return [tuple(event.get(member) for member in members) for event in events if event["meta"]["name"] == name]


@pytest.mark.parametrize("python", VERSIONS)
def test_files(record: Any, python: str, tmp_path: Path) -> None:
    events = record(
        """
import os, pathlib, shutil, sqlite3
place = os.path.abspath("files"); os.mkdir(place)
open(f"{place}/written", "w").close()
open(pathlib.Path(place, "written")).close()
open(f"{place}/written".encode(), "rb+").close()
os.close(os.open("files/written", os.O_RDONLY))
with open(os.open(f"{place}/by-descriptor", os.O_RDWR | os.O_CREAT)): pass
open("/dev/null").close(); open("/proc/self/stat").close()
sqlite3.connect(f"{place}/database").close(); sqlite3.connect(":memory:").close()
try: open(f"{place}/missing")
except FileNotFoundError: pass
os.rename("files/written", f"{place}/renamed")
os.remove(f"{place}/renamed")
os.mkdir(f"{place}/sub"); open(f"{place}/sub/leaf", "x").close()
shutil.rmtree(f"{place}/sub")
os.listdir(place)
import email.mime.text  # what the import system opens is no event
print(len(place) > 0)
""",
        python,
    )
    place = str(tmp_path / "files")
    opened = told(events, "python_file_open", "path", "mode", "cwd")
    # rmtree walks by descriptors; some versions open them as if they were files
    assert [row for row in opened if row[:2] != (f"{place}/sub", "read")] == [
        (f"{place}/written", "write", None),
        (f"{place}/written", "read", None),
        ("files/written", "read", str(tmp_path)),
        (f"{place}/by-descriptor", "write", None),
        (f"{place}/database", "write", None),
        (f"{place}/missing", "read", None),
        (f"{place}/sub/leaf", "write", None),
        (f"{place}/written", "write", None),  # the end: what was counted
    ]
    assert told(events, "python_file_open", "count")[-1] == (2,)
    assert told(events, "python_file_rename", "path", "target", "cwd") == [
        ("files/written", f"{place}/renamed", str(tmp_path))
    ]
    removed = [path for (path,) in told(events, "python_file_remove", "path")]
    assert removed == [f"{place}/renamed", f"{place}/sub/leaf", f"{place}/sub"]


@pytest.mark.parametrize("python", VERSIONS)
def test_sockets(record: Any, python: str, tmp_path: Path) -> None:
    events = record(
        """
import asyncio, socket, threading
class Odd(socket.socket):
    family = property(lambda self: 1 / 0)
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(16)
port = server.getsockname()[1]
for _ in range(12): socket.create_connection(("localhost", port)).close()
odd = Odd(); odd.connect_ex(("127.0.0.1", port)); odd.close()
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
try: six.connect(("::1", 9))
except OSError: pass
socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))
unix = socket.socket(socket.AF_UNIX); unix.bind("unix-socket"); unix.listen(1)
socket.socket(socket.AF_UNIX).connect("unix-socket")
try: socket.socket(socket.AF_UNIX).connect(b"\\0abstract")
except OSError: pass
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
asyncio.run(main())
open("port", "w").write(str(port))
""",
        python,
    )
    port = int((tmp_path / "port").read_text())
    connects = told(events, "python_socket_connect", "host", "port", "path", "family", "protocol", "count")
    local = ("127.0.0.1", port, None, "inet", "tcp")
    assert connects == [
        (*local, None),
        (*local, 10),
        ("::1", 9, None, "inet6", "udp", None),
        (None, None, "unix-socket", "unix", "stream", None),
        (None, None, "@abstract", "unix", "stream", None),
        (*local, 14),  # twelve, one of a subclass whose properties are not to be touched, and asyncio's
    ]
    binds = told(events, "python_socket_bind", "host", "port", "path")
    assert binds == [("127.0.0.1", 0, None), (None, None, "unix-socket")]
    assert told(events, "python_socket_send", "host", "port", "protocol") == [("127.0.0.1", 9, "udp")]
    assert told(events, "python_socket_resolve", "host", "port", "count") == [
        ("localhost", port, None),
        ("localhost", port, 10),
        ("localhost", port, 12),
    ]


@pytest.mark.parametrize("python", VERSIONS)
def test_code_and_libraries(record: Any, python: str) -> None:
    events = record(
        """
import ast, collections, ctypes, dataclasses, marshal, os, pickle
exec("x = 1")
eval("x + 1")
compile("y = 2", "made-up.py", "exec")
marshal.loads(marshal.dumps([1]))
pickle.loads(pickle.dumps(os.getcwd))
ctypes.CDLL("libc.so.6"); ctypes.CDLL(None)
compile(ast.parse("z = 3"), "tree", "exec")  # the tree is made by ast, which does so for a living
Point = collections.namedtuple("Point", "x y")
@dataclasses.dataclass
class Data: x: int
import email.mime.text, encodings.idna  # the import system's own
""",
        python,
    )
    made = told(events, "python_code_exec", "operation", "subject", "caller", "size")
    assert made == [
        ("compile", "<string>", "__main__:3", 5),
        ("compile", "<string>", "__main__:4", 5),
        ("compile", "made-up.py", "__main__:5", 5),
        ("marshal", None, "__main__:6", made[3][3]),
        ("pickle", "posix.getcwd", "__main__:7", None),
    ]
    ((path, file, digest),) = told(events, "python_native_load", "path", "file", "sha256")
    assert (path, digest) == ("libc.so.6", hashlib.sha256(Path(file).read_bytes()).hexdigest())


def test_a_library_has_its_digest_where_imports_are_off(record: Any) -> None:
    events = record("import ctypes; ctypes.CDLL('libc.so.6')", BLUEROCK_IMPORTS="off")
    ((file, digest),) = told(events, "python_native_load", "file", "sha256")
    assert digest == hashlib.sha256(Path(file).read_bytes()).hexdigest()


def test_thousands_of_files_are_hundreds_of_events(record: Any, tmp_path: Path) -> None:
    """Outside of a request what was told is forgotten after 256 files, and told anew."""
    events = record("""
import os
os.mkdir("many")
for number in range(2000): open(f"many/{number}", "w").close()
for _ in range(1000): open("many/0").close()
""")
    reads = [row for row in told(events, "python_file_open", "path", "mode", "count") if row[1] == "read"]
    assert reads == [("many/0", "read", None), *(("many/0", "read", count) for count in (10, 100, 1000))]
    writes = [row for row in told(events, "python_file_open", "path", "mode", "count") if row[1] == "write"]
    assert len(writes) == 2000
    assert all(count is None for _, _, count in writes)


def test_the_lists_are_the_users(record: Any, tmp_path: Path) -> None:
    code = 'open("/dev/null").close(); open("a.log", "w").close(); open("b.txt", "w").close(); eval("1")'
    events = record(code, BLUEROCK_IGNORE_FILES="+ *.log", BLUEROCK_IGNORE_CALLERS="none")
    opened = told(events, "python_file_open", "path")
    assert ("b.txt",) in opened
    assert not {("a.log",), ("/dev/null",)} & set(opened)
    assert ("__main__:1",) in told(events, "python_code_exec", "caller")


def test_the_lists_can_be_replaced(record: Any, tmp_path: Path) -> None:
    code = 'open("/dev/null").close(); open("a.log", "w").close(); eval("1")'
    events = record(code, BLUEROCK_IGNORE_FILES="*.lo?", BLUEROCK_IGNORE_CALLERS="__main__ importlib.*")
    assert not {("a.log",), ("/dev/null",)} & set(told(events, "python_file_open", "path"))  # by their caller
    assert "__main__:1" not in str(told(events, "python_code_exec", "caller"))
    events = record(code, BLUEROCK_IGNORE_FILES="*.lo?")
    assert ("/dev/null",) in told(events, "python_file_open", "path")
    assert ("a.log",) not in told(events, "python_file_open", "path")


def test_who_looks_for_distributions_reads_for_nobody(record: Any, tmp_path: Path) -> None:
    """Neither their metadata nor archives on ``sys.path``, which ``pathlib`` and ``zipfile`` open for them."""
    events = record("""
import pathlib, sys, zipfile
zipfile.ZipFile("lib.zip", "w").close()
sys.path.insert(0, "lib.zip")
from importlib import metadata
assert metadata.version("bluerock-hooks")
list(metadata.entry_points())
pathlib.Path("a.txt").write_text("")
zipfile.ZipFile("lib.zip").close()
import _thread, time
_thread.start_new_thread(pathlib.Path("b.txt").write_text, ("",))
time.sleep(0.2)
""")
    assert told(events, "python_file_open", "path", "mode") == [
        ("lib.zip", "write"), ("a.txt", "write"), ("lib.zip", "read"), ("b.txt", "write"),
    ]  # fmt: skip


def test_a_secret_in_a_path_is_redacted(record: Any, spool: Path) -> None:
    secret = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
    record(f'open("{secret}", "w").close()')
    for segment in spool.glob("*.ndjson"):
        assert secret.encode() not in segment.read_bytes()


def test_the_default_hears_nothing_outside_of_a_request(
    peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    code = 'import socket; open("/etc/passwd").close(); socket.socket().bind(("127.0.0.1", 0)); eval("1")'
    peer_venv().run("python", "-c", code, env=sensor_env)
    names = {line["event"]["meta"]["name"] for line in read_spool(spool)}
    assert {name for name in names if not name.startswith(("sensor_", "python_import", "python_package"))} == set()


@pytest.mark.parametrize("ring", ["mmap", "write"])
def test_what_a_request_starts_tells_what_it_does(
    ring: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    code = """
import subprocess, sys
from bluerock_hooks import _bootstrap, events
from bluerock_hooks.hooks import _attribution
_bootstrap.sensor()._install_mcp()
child = [sys.executable, "-c", "open(sys.argv[1]).close()"]
child[2] = "import sys; " + child[2]
subprocess.run([*child, "/etc/hostname"], check=True)
_attribution.enter(events.Span("tools/call", "tool", 1, None, "0123456789abcdef", None, 0))
subprocess.run([*child, "/etc/passwd"], check=True)
"""
    peer_venv().run("python", "-c", code, env={**sensor_env, "BLUEROCK_RING": ring})
    assert [event["path"] for event in named(read_spool(spool), "python_file_open")] == ["/etc/passwd"]


def test_a_forked_child_tells_anew(record: Any) -> None:
    events = record("""
import os
for _ in range(3): open("file", "w").close()
pid = os.fork()
if not pid:
    for _ in range(2): open("file", "w").close()
    os._exit(0)
os.waitpid(pid, 0)
""")
    rows = told(events, "python_file_open", "path", "count")
    assert sorted(rows, key=str) == [("file", 3), ("file", None), ("file", None)]  # the child ended without an end


def test_an_interpreter_that_ends_is_left_alone(record: Any) -> None:
    """Files that are opened by finalisers and at exit: no harm, and nothing after the last event of the sensor."""
    events = record("""
import atexit, subprocess
class Late:
    def __del__(self):
        self.opener("/etc/passwd").close()
    opener = staticmethod(open)
late = Late()
child = subprocess.Popen(["true"])
atexit.register(lambda: open("/etc/group").close())
""")
    assert ("/etc/group",) in told(events, "python_file_open", "path")
    assert len(told(events, "python_process_spawn", "pid")) == 1
