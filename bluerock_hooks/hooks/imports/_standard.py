"""Is this module part of the standard library? By where it was loaded from and by its name: both must say so.

Such modules are told by their names only, many at once.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = sys.stdlib_module_names
_BUILT_IN = frozenset(sys.builtin_module_names)
_FROZEN = "<frozen "

# Where Python's own modules are; os is loaded before anything else, and never from a virtual environment.
_HOME = (getattr(sys, "_stdlib_dir", None) or os.path.dirname(os.__file__)) + "/"
_ZIP = f"{sys.base_prefix}/{sys.platlibdir}/python{sys.version_info[0]}{sys.version_info[1]}.zip/"
HOMES = (_HOME, _ZIP)
PLACES = (*HOMES, _FROZEN)
"""What the file of a standard module begins with."""
_MIXED = frozenset((_HOME[:-1], _ZIP[:-1], f"{_HOME}lib-dynload"))  # where a file's own name is the module's
_packages = set[str]()  # directories that were found to be of a package of the standard library
_MANY = 64  # names that are told at once: so many are unknown of a process that was killed


class Summary:
    """The names of the modules of the standard library that have run, each to be told once.

    ``covers(file)``: is the module of that file one of them? Of none where everything is told one by one.
    """

    __slots__ = ("_told", "_untold", "covers")

    def __init__(self, *, everything: bool) -> None:
        self.covers: Callable[[str], bool] = _is_no_file if everything else is_standard_file
        self._untold: list[str] = []
        self._told: set[str] = set()

    def names(self) -> set[str]:
        """All that came into it."""
        return self._told.union(self._untold)

    def add(self, name: str) -> bool:
        """True once there are enough to be told."""
        untold = self._untold
        untold.append(name)
        return len(untold) >= _MANY

    def take(self) -> list[str]:
        """Those that were not told yet, sorted; they are now."""
        names, self._untold = self._untold, []
        new = set(names) - self._told  # some run twice
        self._told |= new
        return sorted(new)

    def forget(self) -> None:
        """What waits to be told is told by somebody else."""
        self.take()


def is_standard_file(file: str) -> bool:
    """Is this file where the standard library is, under a name that belongs there? ``site-packages`` does not."""
    directory, _, name = file.rpartition("/")
    if directory in _packages:
        return True
    if directory in _MIXED:
        return name.partition(".")[0] in _NAMES or is_standard_name(name)  # nearly always without a call
    if not directory.startswith(HOMES):
        return file.startswith(_FROZEN) and is_standard_name(file[len(_FROZEN) : -1])
    inside = directory.removeprefix(_HOME).removeprefix(_ZIP)
    standard = is_standard_name(inside.partition("/")[0])
    if standard:
        _packages.add(directory)
    return standard


def is_standard_name(fullname: str) -> bool:
    """Does the name belong to the standard library?"""
    top = fullname.partition(".")[0]
    return top in _NAMES or top.startswith("_sysconfigdata_")  # made by the build: the list does not have it


def _is_no_file(_file: str) -> bool:
    return False


def is_built_in(fullname: str) -> bool:
    """Is it compiled into the interpreter?"""
    return fullname in _BUILT_IN
