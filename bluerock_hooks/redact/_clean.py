"""Clean payloads, recognised: the quick tier in front of ``_walk``.

The everyday message is small and says nothing new. Keys and short strings that were scanned once and found clean are
remembered here, so that the next message costs one look-up each.
"""

from __future__ import annotations

from ._patterns import KEEP, WEAK, name_verdict
from ._scrub import scrub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

SHORT = 64  # characters of the strings and keys that are remembered
SMALL = 16  # members of a container that the quick tier looks at
ROOM = 4  # containers inside one another, the outermost included
_MEMORY = 2048  # how many keys, how many strings are remembered

# JSON Schema describes members by name; these names lead to such descriptions.
SCHEMA_MAPS = frozenset(("properties", "$defs", "definitions", "patternProperties"))

names: set[str] = set()  # keys: ordinary and clean
shapes: set[tuple[object, ...]] = set()  # the keys of whole objects, all of them such
clean: set[str] = set()  # strings: clean, no flag, no secret's name; never one found under a secret's name


def settled(value: object, room: int = ROOM) -> bool:
    """Is this dict or list small, at most ``room`` deep, and already as the walk would leave it?

    False means "walk it". Only strings and keys that were scanned before, or are scanned here, pass. A whole number may
    be too large to be encoded: the encoder says so.
    """
    if len(value) > SMALL or not room:  # type: ignore[arg-type]
        return False
    items: Iterable[Any]
    if type(value) is dict:
        shape = tuple(value)
        if shape not in shapes and not _admit_shape(shape):
            return False
        items = value.values()
    else:
        items = value  # type: ignore[assignment]
    for item in items:
        kind = type(item)
        if kind is str:
            if item not in clean and (len(item) > SHORT or not admit(item)):
                return False
        elif kind is int:
            continue
        elif kind is dict or kind is list:
            if not settled(item, room - 1):
                return False
        elif kind is float:
            if item - item != 0.0:
                return False
        elif item is not None and kind is not bool:
            return False
    return True


def _admit_shape(keys: tuple[object, ...]) -> bool:
    """Remember the names of an object's members, if all are ordinary."""
    for key in keys:
        if type(key) is not str or (key not in names and not admit_name(key)):
            return False
    if len(shapes) >= _MEMORY:
        shapes.clear()
    shapes.add(keys)
    return True


def admit_name(key: str) -> bool:
    """Remember ``key`` as ordinary, if it is."""
    if len(key) > SHORT or name_verdict(key) > KEEP or key in SCHEMA_MAPS or encodable(key) is not key:
        return False
    if scrub(key) is not key:
        return False
    if len(names) >= _MEMORY:
        names.clear()
    names.add(key)
    return True


def admit(text: str) -> bool:
    """Remember ``text`` as clean, if it is. A flag or a secret's name is not: it says something of its neighbour."""
    if text[:1] == "-" or (len(text) <= 40 and " " not in text and name_verdict(text) >= WEAK):
        return False
    if encodable(text) is not text or scrub(text) is not text:
        return False
    if len(clean) >= _MEMORY:
        clean.clear()
    clean.add(text)
    return True


def encodable(text: str) -> str:
    """``text`` as UTF-8 can say it: a lone surrogate becomes ``\\udc80``, visibly."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
