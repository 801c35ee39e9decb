"""What the program does beside talking: processes, sockets, files, native libraries, code made at run time."""

from __future__ import annotations

from typing import ClassVar, Literal

from ._base import Argv, Event, Known


class _Repeated(Event, kw_only=True):
    """What is told at its first time and then counted, within a request or, outside of any, within the process."""

    count: int | None = None
    """How often so far, where more than once: the last event of its kind and subject has the sum."""


class ProcessSpawn(Event, kw_only=True):
    """A child process was started, or failed to start. One real process is one event."""

    NAME: ClassVar[str] = "python_process_spawn"

    spawn_id: Known
    """Id of this start, which no other of any process has; the process's end carries the same."""
    api: Known
    """What started it: ``subprocess.Popen``, ``os.system``, ``os.fork``, ``multiprocessing`` and so on."""
    argv: Argv | None = None
    """Redacted. Of a fork: absent, the child is this same program."""
    executable: Known | None = None
    """The program's file, as the search path of its start finds it."""
    cwd: Known | None = None
    pid: int | None = None
    start: int | None = None
    """Its start tick since boot; pid and tick together name a process."""
    thread: int | None = None
    """Where the pid is not known (``os.system``): kernel id of the thread that waits for the process."""
    env_set: list[Known] | None = None
    """Names of environment variables that the child has and we have not, or not with that value. Never values."""
    env_unset: list[Known] | None = None
    """Names of ours that the child does not have."""
    error: Known | None = None
    """It did not start: the type of the exception."""


class ProcessExit(Event, kw_only=True):
    """A child process ended, and its status was asked for."""

    NAME: ClassVar[str] = "python_process_exit"

    spawn_id: Known
    """As in its ``python_process_spawn``."""
    api: Known | None = None
    pid: int | None = None
    start: int | None = None
    """Its start tick since boot."""
    returncode: int | None = None
    """Its exit status, where it ended by itself."""
    signal: Known | None = None
    """The signal that ended it, by name."""
    duration_ms: float | None = None
    """From its start until its status was asked for."""


class ProcessExec(Event, kw_only=True):
    """This process is about to become another program; told before, since there is no after."""

    NAME: ClassVar[str] = "python_process_exec"

    argv: Argv | None = None
    executable: Known | None = None
    cwd: Known | None = None
    env_set: list[Known] | None = None
    """Names of environment variables that the program gets and we have not, or not with that value. Never values."""
    env_unset: list[Known] | None = None
    """Names of ours that it does not get."""
    error: Known | None = None
    """It did not become that program: the type of the exception."""


class _Socket(_Repeated, kw_only=True):
    host: str | None = None
    """Name or address, as the program gave it; ``*`` where a request has so many that the others are only counted."""
    port: int | None = None
    """Of a socket that is bound, 0 leaves it to the kernel."""
    path: str | None = None
    """Of a Unix socket; ``@`` stands for the zero byte of an abstract name."""
    family: Known | None = None
    """``inet``, ``inet6``, ``unix``, or the number of another."""
    protocol: Known | None = None
    """``tcp``, ``udp``, ``stream``, ``dgram``, or the number of another type."""


class SocketConnect(_Socket, kw_only=True):
    """A socket is about to be connected."""

    NAME: ClassVar[str] = "python_socket_connect"


class SocketBind(_Socket, kw_only=True):
    """A socket is about to be bound to an address of this machine."""

    NAME: ClassVar[str] = "python_socket_bind"


class SocketSend(_Socket, kw_only=True):
    """A datagram is about to be sent from a socket that is not connected."""

    NAME: ClassVar[str] = "python_socket_send"


class SocketResolve(_Repeated, kw_only=True):
    """The name of a host is about to be looked up."""

    NAME: ClassVar[str] = "python_socket_resolve"

    host: str
    """``*`` as in ``python_socket_connect``."""
    port: int | str | None = None
    """Number or name of a service."""


class FileOpen(_Repeated, kw_only=True):
    """A file is about to be opened."""

    NAME: ClassVar[str] = "python_file_open"

    path: str
    """As the program gave it. ``*`` where so many files were opened that they are told by directory, or not at all."""
    cwd: Known | None = None
    """Working directory, where the path is relative."""
    mode: Literal["read", "write"]
    """``write`` where the file may be changed or made."""


class FileRemove(_Repeated, kw_only=True):
    """A file or directory is about to be removed."""

    NAME: ClassVar[str] = "python_file_remove"

    path: str
    cwd: Known | None = None
    """Working directory, where the path is relative."""


class FileRename(_Repeated, kw_only=True):
    """A file or directory is about to be renamed."""

    NAME: ClassVar[str] = "python_file_rename"

    path: str
    cwd: Known | None = None
    """Working directory, where the path is relative."""
    target: str
    """The new name."""


class NativeLoad(_Repeated, kw_only=True):
    """A native library is about to be loaded by ``ctypes``; what ``import`` loads is in ``python_import``."""

    NAME: ClassVar[str] = "python_native_load"

    path: str
    """As the program gave it: a path, or a name that the dynamic linker looks up."""
    file: Known | None = None
    """What the dynamic linker found."""
    sha256: Known | None = None
    """Of the file, a moment later."""
    unread: bool | None = None
    """As in ``python_import``."""
    pkg: Known | None = None
    """Distribution that the file belongs to."""
    version: Known | None = None
    """Of the distribution."""
    record: Literal["match", "mismatch", "absent"] | None = None
    """Whether the digest is the one in the distribution's RECORD."""


class CodeExec(_Repeated, kw_only=True):
    """Code or objects are about to be made from data at run time."""

    NAME: ClassVar[str] = "python_code_exec"

    operation: Literal["compile", "marshal", "pickle"]
    """``compile``: of text, which ``exec`` and ``eval`` of text do too."""
    subject: str | None = None
    """Of text, the file name that its code will carry; of a pickle, the class or function that it asks for."""
    caller: Known | None = None
    """Module and line that did it."""
    size: int | None = None
    """Bytes or characters of what was compiled or loaded, where they are known."""
