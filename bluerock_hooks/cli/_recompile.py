"""Is this bytecode what its source compiles to? A program of its own, since reading hostile bytecode can crash.

Reads one JSON array ``[source, SHA-256 of the bytecode that ran]`` a line, answers each with one word: ``same``,
``different``, or ``unknown`` where there is nothing to compare with. Imports the standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import sys
from types import CodeType

_PARTS = (
    "co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_firstlineno", "co_code",
    "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_stacksize", "co_exceptiontable", "co_qualname",
)  # fmt: skip


def same(one: object, other: object) -> bool:
    """Do two constants, or two code objects, mean the same?"""
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        parts = (getattr(one, part, None) == getattr(other, part, None) for part in _PARTS)
        return all(parts) and same(one.co_consts, other.co_consts)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return repr(one) == repr(other)  # repr: 0.0 is not -0.0, and nan is nan


def verdict(source: str, body_sha256: str) -> str:
    """Compare the source's bytecode, in whichever of its files it is that ran."""
    with open(source, "rb") as file:
        text = file.read()
    for level in ("", "1", "2"):
        pyc = importlib.util.cache_from_source(source, optimization=level)
        if not os.path.exists(pyc):
            continue
        with open(pyc, "rb") as file:
            content = file.read()
        if content[:4] != importlib.util.MAGIC_NUMBER or hashlib.sha256(content[16:]).hexdigest() != body_sha256:
            continue
        try:
            ran = marshal.loads(content[16:])  # noqa: S302 - that is why this is a process of its own
        except (EOFError, ValueError, TypeError):
            return "different"
        made = compile(text, source, "exec", dont_inherit=True, optimize=int(level or 0))
        return "same" if same(made, ran) else "different"
    for optimize in (0, 1, 2):  # the file is gone; made again it may have the same bytes
        made = compile(text, source, "exec", dont_inherit=True, optimize=optimize)
        if hashlib.sha256(marshal.dumps(made)).hexdigest() == body_sha256:
            return "same"
    return "unknown"


def main() -> None:
    """Answer until there are no more questions."""
    for line in sys.stdin:
        source, body_sha256 = json.loads(line)
        try:
            answer = verdict(source, body_sha256)
        except (OSError, SyntaxError, ValueError):
            answer = "unknown"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
