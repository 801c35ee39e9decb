"""Run as the first process of a pid namespace of its own: records, says so, and waits to be killed.

Usage: ``python _contained.py SPOOL NAME EVENTS``; a line on stdin makes the namespace, at a moment that others share.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000

spool_directory, name, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWPID | CLONE_NEWNS):
    print(json.dumps({"error": os.strerror(ctypes.get_errno())}), flush=True)
    sys.exit(0)
print(json.dumps({"ready": True}), flush=True)
sys.stdin.readline()
child = os.fork()
if child:
    os.waitpid(child, 0)
    sys.exit(0)

libc.mount(b"none", b"/", None, 0x44000, None)  # private, recursively: the new /proc is ours alone
libc.mount(b"proc", b"/proc", b"proc", 0, None)

from bluerock_hooks import _clock
from bluerock_hooks.recorder import Recorder
from bluerock_hooks.spool import Spool

spool = Spool(spool_directory)
recorder = Recorder(spool, ring_bytes=1 << 16)
recorder.want_thread()
assert all(recorder.emit(b'{"i":"%b-%d"}' % (name.encode(), number)) for number in range(events))
print(json.dumps({"pid": os.getpid(), "start": _clock.process_ticks(os.getpid())[1]}), flush=True)
for each in sys.stdin:
    if each.strip() == "recover":
        done = spool.recover()
        print(json.dumps({"rings": done.rings, "left": done.left, "events": done.events}), flush=True)
    elif each.strip() == "more":
        assert recorder.emit(b'{"i":"%b-more"}' % name.encode())
        print(json.dumps({}), flush=True)
    else:
        recorder.close()
        print(json.dumps({}), flush=True)
