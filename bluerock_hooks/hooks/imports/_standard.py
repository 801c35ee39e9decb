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
_HOME_LENGTH = len(_HOME)
HOMES = (_HOME, _ZIP)
PLACES = (*HOMES, _FROZEN)
"""What the file of a standard module begins with."""
_BINARIES = "lib-dynload/"


def is_standard_file(file: str) -> bool:
    """Is this file where the standard library is, under a name that belongs there? ``site-packages`` does not."""
    if file.startswith(_HOME):
        inside = file[_HOME_LENGTH:]
    elif file.startswith(_ZIP):
        inside = file[len(_ZIP) :]
    else:
        return file.startswith(_FROZEN) and is_standard_name(file[len(_FROZEN) : -1])
    return is_standard_name(inside.removeprefix(_BINARIES).partition("/")[0])


def is_standard_name(fullname: str) -> bool:
    """Does the name belong to the standard library?"""
    top = fullname.partition(".")[0]
    return top in _NAMES or top.startswith("_sysconfigdata_")  # made by the build: the list does not have it


def is_built_in(fullname: str) -> bool:
    """Is it compiled into the interpreter?"""
    return fullname in _BUILT_IN
