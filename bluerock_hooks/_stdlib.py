"""The standard library as it was when the sensor started, before anyone could patch it.

gevent and eventlet swap what ``os``, ``time`` and ``threading`` offer; tests freeze clocks and mock ``open``. What the
sensor needs is bound here once, from the C modules underneath, at a time when no application code has run.
Nothing here is heavy: every module below is built in or already loaded when ``site`` runs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import posix
import time

allocate_lock = _thread.allocate_lock
acquire = type(allocate_lock()).acquire
"""``acquire(lock, ...)``: what looks for blocking calls in event loops puts another one into the type."""
get_ident = _thread.get_ident
get_native_id = _thread.get_native_id
start_new_thread = _thread.start_new_thread

getpid = posix.getpid
getppid = posix.getppid
geteuid = posix.geteuid
getuid = posix.getuid
urandom = posix.urandom
access = posix.access
open_fd = posix.open
read_fd = posix.read
write_fd = posix.write
pwrite_fd = posix.pwrite
close_fd = posix.close
chmod = posix.chmod
dup = posix.dup
fallocate = posix.posix_fallocate
fchmod = posix.fchmod
fstat = posix.fstat
ftruncate = posix.ftruncate
getcwd = posix.getcwd
link = posix.link
listdir = posix.listdir
mkdir = posix.mkdir
pread_fd = posix.pread
preadv_fd = posix.preadv
readlink = posix.readlink
register_at_fork = posix.register_at_fork
rename = posix.rename
unlink = posix.unlink
utime = posix.utime
stat = posix.stat
sysconf = posix.sysconf
lstat = posix.lstat

sleep = time.sleep
monotonic = time.monotonic
monotonic_ns = time.monotonic_ns
time_ns = time.time_ns
gmtime = time.gmtime

getsignal = _signal.getsignal
NSIG: int = _signal.NSIG

type_name = type.__dict__["__name__"].__get__
type_qualname = type.__dict__["__qualname__"].__get__
type_module = type.__dict__["__module__"].__get__
"""What a class says of itself, whatever its metaclass says. The module may be anything, or missing (AttributeError)."""

identity = object.__hash__
"""A number that no other living object has. ``id()`` raises an audit event, which costs more than all the rest."""
