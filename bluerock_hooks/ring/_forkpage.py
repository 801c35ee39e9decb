"""Is this still the process that called ``arm``? One word that the kernel clears in every forked child.

A fork made in C (uwsgi, ctypes) runs no Python hook. A private page marked MADV_WIPEONFORK tells all the same, for
17 ns; asking for the pid costs some 450.
"""

from __future__ import annotations

import mmap
from _weakref import ref

from .. import _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Member(Protocol):
        """What forks concern."""

        def before_fork(self) -> None: ...
        def after_fork(self) -> None: ...
        def abandon(self) -> None: ...
        def started(self) -> None: ...


_WIPE_ON_FORK = 18  # Linux 4.14


class _PidWord:
    """The same by asking for the pid, where the kernel has no such pages."""

    def __init__(self) -> None:
        self.pid = self.value = 0

    def __getitem__(self, index: int) -> int:
        return self.value if self.pid == _stdlib.getpid() else 0

    def __setitem__(self, index: int, value: int) -> None:
        self.pid, self.value = _stdlib.getpid(), value


def _make() -> memoryview | _PidWord:
    try:
        page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (OSError, ValueError, AttributeError) as exc:
        _guard.give_back(exc)
        return _PidWord()
    return memoryview(page).cast("Q")


word = _make()
"""``word[0]`` is 0 in a child that has not called ``arm``, else another number in every process of a family."""


births = [0]
"""How many forks lie between this process and the first."""


def arm() -> None:
    """From now on this process is the one."""
    word[0] = births[0] + 1


# -- who wants to know

_members: list[ref[Member]] = []
_registered: list[bool] = []


def enlist(member: Member) -> None:
    """Tell ``member`` of forks for as long as it lives: before, after in the parent, and in the child."""
    _members.append(ref(member))
    if not _registered:
        _registered.append(True)
        _stdlib.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_in_child)
        arm()


def new_process() -> None:
    """In a child, before anything else of ours happens there; once, whoever notices first.

    Where that fails, the child still counts as not ours, and the next event tries again.
    """
    births[0] += 1
    members = _living()
    for member in members:
        member.abandon()
    arm()  # until now the child counted as not ours
    for member in members:
        member.started()


def _before() -> None:
    try:
        _tell("before_fork", _living())
    except Exception as exc:  # what an at-fork function raises is printed on the host's stderr
        _guard.swallow("fork", exc)


def _after_in_parent() -> None:
    try:
        # Whoever was told last of the fork is the first to hear that it is over.
        _tell("after_fork", reversed(_living()))
    except Exception as exc:
        _guard.swallow("fork", exc)


def _in_child() -> None:
    try:
        new_process()
    except Exception as exc:
        _guard.swallow("fork", exc)


def _tell(step: str, members: Iterable[Member]) -> None:
    for member in members:
        _guard.attempt(step, getattr(member, step))


def _living() -> list[Member]:
    found = [each() for each in _members]
    return [each for each in found if each is not None]
