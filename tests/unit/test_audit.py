"""The audit hook in interpreters of its own: a hook cannot be taken out of this one."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import os, sys
from bluerock_hooks import _guard
from bluerock_hooks.hooks._audit import Audit
inside, seen = set(), []
audit = Audit(inside)
"""

# ``as_ours(code)`` runs it as if it stood in a module of ours.
OURS = """
import _thread
from bluerock_hooks import recorder
def as_ours(code):
    try: exec(compile(code, recorder.__file__, "exec"))
    except ImportError: pass
"""


def run(code: str, status: int = 0) -> str:
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def test_every_handler_of_an_event_hears_it_and_others_nothing() -> None:
    said = run("""
audit.on("os.mkdir", lambda event, args: seen.append((event, args[0])))
audit.on("os.mkdir", lambda event, args: seen.append("second"))
print(audit.install(), audit.install())
os.path.exists("/"); open(os.devnull).close()
try: os.mkdir("/")
except OSError: pass
print(seen)
""")
    assert said == "True True\n[('os.mkdir', '/'), 'second']\n"


def test_our_own_doings_are_not_heard() -> None:
    said = run(
        OURS
        + """
def handler(event, args):
    seen.append(args[0])
    as_ours("open('/dev/null').close(); import this_is_not_there")
audit.on("open", handler)
audit.on("import", handler)
audit.install()
open("/dev/zero").close()
inside.add(_thread.get_ident())
as_ours("open('/dev/full').close()")
print(seen)
"""
    )
    assert said == "['/dev/zero']\n"


def test_what_interrupts_us_is_the_hosts_doing() -> None:
    """A signal handler or finaliser that runs while our code is on the stack, however deep in it."""
    said = run(
        OURS
        + """
class Finalised:
    def __del__(self): open("/dev/null").close()
def handler(event, args):
    seen.append(args[0])
    if len(seen) < 3: as_ours("Finalised()")
audit.on("open", handler)
audit.install()
open("/dev/zero").close()
open("/dev/zero").close()
inside.add(_thread.get_ident())
as_ours("Finalised()")
print(seen)
"""
    )
    assert said == "['/dev/zero', '/dev/null', '/dev/null', '/dev/zero', '/dev/null']\n"


def test_a_handler_that_fails_is_counted_and_the_operation_goes_on() -> None:
    said = run("""
def bad(event, args): raise ValueError
audit.on("open", bad)
audit.on("open", lambda event, args: seen.append(args[0]))
audit.install()
print(open("/dev/null").read() == "", seen, _guard.caught)
""")
    assert said == "True ['/dev/null'] 1\n"


def test_the_hosts_own_exception_passes_through() -> None:
    said = run("""
import signal
class Late(Exception): pass
def alarm(*_): raise Late
signal.signal(signal.SIGUSR1, alarm)
audit.on("open", lambda event, args: os.kill(os.getpid(), signal.SIGUSR1))
audit.install()
try: open("/dev/null")
except Late: print("late", _guard.caught)
""")
    assert said == "late 0\n"


def test_a_refused_hook_is_noticed() -> None:
    said = run("""
def refuse(event, args):
    if event == "sys.addaudithook": raise RuntimeError
sys.addaudithook(refuse)
print(audit.install())
""")
    assert said == "False\n"


@pytest.mark.parametrize("when", ["audit.quiet()", "pass"])
def test_it_is_quiet_when_told(when: str) -> None:
    said = run(f"""
audit.on("open", lambda event, args: seen.append(args[0]))
audit.install()
{when}
open("/dev/null").close()
print(len(seen))
""")
    assert said == ("0\n" if "quiet" in when else "1\n")


def test_a_sieve_keeps_its_handler_from_what_says_nothing_and_no_other() -> None:
    said = run("""
asked = []
def zeros(args):
    asked.append(args[0])
    return args[0].startswith("/dev/z")
audit.on("open", lambda event, args: seen.append(("first", args[0])), when=zeros)
audit.install()
open("/dev/null").close(); open("/dev/zero").close()
audit.on("open", lambda event, args: seen.append(("second", args[0])))
audit.on("open", lambda event, args: seen.append(("third", args[0])), when=zeros)
open("/dev/null").close(); open("/dev/zero").close()
print([who for who, file in seen if file == "/dev/null"], [who for who, file in seen if file == "/dev/zero"])
print(asked.count("/dev/null"), _guard.caught)
""")
    assert said == "['second'] ['first', 'first', 'second', 'third']\n3 0\n"


def test_a_sieve_that_fails_is_counted_and_the_operation_goes_on() -> None:
    said = run("""
audit.on("open", lambda event, args: seen.append(args), when=lambda args: 1 / 0)
audit.install()
print(open("/dev/null").read() == "", seen, _guard.caught)
""")
    assert said == "True [] 1\n"
