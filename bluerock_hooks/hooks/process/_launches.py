"""The launches of this process: which thread is in one, which children run, and the events of their start and end.

Where one call makes a process through another in the same thread (``subprocess`` through ``os.posix_spawn``,
``os.spawnv`` through ``os.fork``), the inner one adds what it knows to the launch of the outer one: one process is one
event.
"""

from __future__ import annotations

from itertools import count

from ... import _clock, _guard, _stdlib
from ..._clock import TICK_NS
from ..._plain import quote
from ...ring import _forkpage
from .. import _caller
from .._attribution import current
from ._facts import Facts
from ._launch import Launch
from ._status import STOPPED, meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .. import Recording

FORKSERVER = "multiprocessing.forkserver"

POPEN = "subprocess.Popen"
_makers = {  # modules that make processes for others, and what their part is called
    "subprocess": POPEN,
    "multiprocessing.util": "multiprocessing",
    "multiprocessing.popen_fork": "multiprocessing",
    "multiprocessing.forkserver": FORKSERVER,
}
_OUTER = ("os.spawn", "pty.spawn")  # what calls another function that makes processes
_MAX_CHILDREN = 4096  # remembered until somebody asks for their status; a host that never does must not grow us
_MAX_STRAYS = 64
_SUCCESS = meaning(0)
_get_ident = _stdlib.get_ident
_since_boot_ns = _clock.since_boot_ns


def said_of(api: str) -> bytes:
    """What started a process, as a member."""
    return f',"api":"{api}"'.encode()


class Launches:
    """No method raises an error of ours. A forked child begins anew."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.facts = Facts(recording.arguments)
        self._next = count(1).__next__
        self._tell_start = recording.draft("python_process_spawn")
        self._tell_end = recording.draft("python_process_exit")
        self._served = False
        """The ring says that we start processes on behalf of requests."""
        self.silent = False
        """Nothing is recorded any more."""
        self.told_by_parent: set[int] = set()
        """Threads, of a forked child, that are about to become what the parent has told."""
        self._open: dict[int, Launch | None] = {}
        """By thread."""
        self.children: dict[int, Launch] = {}
        """By pid, those whose status nobody has asked for."""
        self._strays: dict[int, tuple[int, int]] = {}
        """By pid, status and time of those whose end was told before their pid was known here."""
        _forkpage.enlist(self)

    def begin(self, api: str) -> Launch | None:
        """This thread is about to make a process. None where that is not to be recorded."""
        if self.silent:
            return None
        try:
            launch = Launch()
            launch.api, launch.said = api, said_of(api)
            launch.span = span = current()
            if span is not None:
                self.serve()
            launch.caller = me = _get_ident()
            launch.outer = self._open.get(me)
            launch.since = _since_boot_ns()
            self._open[me] = launch
        except Exception as exc:
            _guard.swallow("process.begin", exc)
            return None
        return launch

    def serve(self) -> None:
        """A process is about to be started on behalf of a request."""
        if not self._served:
            self._served = True
            self.recording.serving()

    def join(self, api: str) -> tuple[Launch | None, bool]:
        """The launch that this thread is in already, or a new one; is it the caller's to settle?

        A new one is called after the module that calls, where that one makes processes for others.
        """
        launch = self._open.get(_get_ident())
        if launch is not None and launch.api in _OUTER and not launch.pid:
            return launch, False
        api = _makers.get(_caller.module(), api)
        return self.begin(api), api is not POPEN  # around which _popen waits until the program runs

    def here(self) -> Launch | None:
        """The launch that this thread is in."""
        return self._open.get(_get_ident())

    def born(self, launch: Launch | None, pid: object) -> None:
        """``pid`` is its process."""
        try:
            if launch is not None and type(pid) is int and pid > 0:
                self.add(launch, pid)
                if launch.api is POPEN:
                    self.leave(launch)  # it is found by its pid
        except Exception as exc:
            _guard.swallow("process.born", exc)

    def add(self, launch: Launch, pid: int) -> None:
        """The same; from now on somebody may ask for its status."""
        start = launch.since // TICK_NS
        if start != _since_boot_ns() // TICK_NS:
            start = _clock.start_tick(pid)  # while it can be had
        launch.pid = pid
        launch.start = start
        if len(self.children) >= _MAX_CHILDREN:
            self.children.pop(list(self.children)[0], None)  # noqa: RUF015  in one step: other threads fork too
        self.children[pid] = launch
        if self._strays:
            self._claim(launch)

    def settle(self, launch: Launch | None, error: BaseException | None = None) -> None:
        """The call is over, by ``error`` or well: record the start, unless that has been done."""
        if launch is None:
            return
        try:
            if self._open.get(launch.caller) is launch:
                self._open[launch.caller] = launch.outer
            if not launch.told:
                self.tell(launch, None if error is None else type(error).__name__)
        except Exception as exc:
            _guard.swallow("process.settle", exc)

    def leave(self, launch: Launch | None) -> None:
        """The call is over, and its start was recorded when it happened."""
        if launch is not None:
            try:
                if self._open.get(launch.caller) is launch:
                    self._open[launch.caller] = launch.outer
            except Exception as exc:
                _guard.swallow("process.leave", exc)

    # -- the events; what goes wrong here is the caller's to swallow

    def tell(self, launch: Launch, error: str | None = None) -> None:
        """Record the start, and the end where another thread has been told of that already."""
        launch.number = number = self._next()
        given, launch.given = launch.given, None
        members = launch.said if given is None else launch.said + self.facts.of(given)
        if launch.thread:
            members += b',"thread":%d' % launch.thread
        if error is not None:
            members += f',"error":{quote(error)}'.encode()
            self.children.pop(launch.pid, None)
        self._tell_start(members, launch.span, launch.pid, number, launch.start, 0)
        launch.told = True
        if launch.ended is not None and error is None:
            self.ended(launch, launch.ended)

    def ended(self, launch: Launch, status: int) -> None:
        """Somebody was told the status of one of ``children``, or of a launch that has no pid: record the end."""
        if status & STOPPED == STOPPED or self.silent:
            return  # it has only stopped, or goes on
        launch.ended = status  # before the look: the thread that tells the start looks for it when that is told
        if not launch.told or (launch.pid and self.children.pop(launch.pid, None) is None):
            return  # another thread is faster, or will be
        us = (_since_boot_ns() - launch.since) // 1000
        if us < 0:
            us = 0  # somebody plays with the clocks
        members = launch.said + (meaning(status) if status else _SUCCESS)
        self._tell_end(members, launch.span, launch.pid, launch.number, launch.start, us)

    def reaped(self, pid: int, status: int) -> None:
        """Somebody was told the status of a process: of one of ``children``, or of one that is just being started?

        A handler of SIGCHLD, or a thread that waits for any child, may be faster than the call that starts it.
        """
        if pid <= 0 or status & STOPPED == STOPPED:
            return
        while len(self._strays) >= _MAX_STRAYS:
            self._strays.pop(next(iter(self._strays.copy())), None)
        self._strays[pid] = status, _since_boot_ns()
        launch = self.children.get(pid)
        if launch is not None:
            self._claim(launch)

    def _claim(self, launch: Launch) -> None:
        stray = self._strays.pop(launch.pid, None)
        if stray is not None and stray[1] >= launch.since:  # else another process had this pid before
            self.ended(launch, stray[0])

    # -- forks: the audit event comes first, then these

    def forking(self, event: str, _args: object) -> None:
        """The audit event: this thread is about to fork."""
        launch, _ = self.join(event)
        if launch is not None:
            launch.known_children = _clock.children_of_thread()

    def before_fork(self) -> None:
        """Nothing: ``forking`` was called where the fork is one that counts."""

    def after_fork(self) -> None:
        """In the parent: the child is the one that was not there before."""
        try:
            launch = self.here()
            if launch is None or launch.known_children is None:
                return  # subprocess forks for a preexec_fn
            self.leave(launch)
            children, known = _clock.children_of_thread(), launch.known_children
            launch.known_children = None
            new = children - known
            if launch.api == FORKSERVER:
                return  # this is the fork server: the process that asked for the child tells
            if new:
                self.born(launch, int(max(new, key=int)))
            failed = children and not new  # a host that ignores SIGCHLD may have none at all
            self.tell(launch, "OSError" if failed else None)
        except Exception as exc:
            _guard.swallow("process.after_fork", exc)

    def abandon(self) -> None:
        """In the child: the children are the parent's."""
        launch = self.here()
        self.told_by_parent = {_get_ident()} if launch is not None and launch.given is not None else set()
        self._open, self.children, self._strays = {}, {}, {}
        self._served = False

    def started(self) -> None:
        """Nothing: the child's events speak for it."""
