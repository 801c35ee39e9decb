"""Is this module part of the standard library? By where it was loaded from and by its name: both must say so."""

from __future__ import annotations

import os
import sys

_NAMES = sys.stdlib_module_names
_BUILT_IN = frozenset(sys.builtin_module_names)
_FROZEN = "<frozen "

# Where Python's own modules are; os is loaded before anything else, and never from a virtual environment.
_HOME = (getattr(sys, "_stdlib_dir", None) or os.path.dirname(os.__file__)) + "/"
_ZIP = f"{sys.base_prefix}/{sys.platlibdir}/python{sys.version_info[0]}{sys.version_info[1]}.zip/"
HOMES = (_HOME, _ZIP)
PLACES = (*HOMES, _FROZEN)
"""What the file of a standard module begins with."""
_NOT_HOME = (_HOME + "site-packages/", _HOME + "dist-packages/")
_BINARIES = "lib-dynload/"


def is_standard_file(file: str) -> bool:
    """Is this file in the place of the standard library, under a name that belongs there?"""
    if file.startswith(HOMES):
        if file.startswith(_NOT_HOME):
            return False
        home = _HOME if file.startswith(_HOME) else _ZIP
        inside = file[len(home) :].removeprefix(_BINARIES)
        return is_standard_name(inside.partition("/")[0])
    return file.startswith(_FROZEN) and is_standard_name(file[len(_FROZEN) : -1])


def is_standard_name(fullname: str) -> bool:
    """Does the name belong to the standard library?"""
    top = fullname.partition(".")[0]
    return top in _NAMES or top.startswith("_sysconfigdata_")  # made by the build: the list does not have it


def is_built_in(fullname: str) -> bool:
    """Is it compiled into the interpreter?"""
    return fullname in _BUILT_IN
