"""The walk over a payload that the quick tier did not pass: every value by its name, its type and the room left.

Only exact built-in types are looked into. Of anything else the type is named; nothing of the host's is ever called,
compared, measured or iterated. A cycle ends at the depth limit, a flood at the character limit.
"""

from __future__ import annotations

import re
from itertools import islice

from .. import _stdlib
from ._clean import SCHEMA_MAPS, SHORT, SMALL, admit, admit_name, clean, encodable, names, settled
from ._labels import is_path
from ._patterns import ALL, KEEP, MARK, PLAIN, PWD, TEXT, VALUE, WEAK, looks_credential, name_verdict
from ._scrub import scrub

# Rules of a container beyond the verdicts: what becomes of the leaves in it.
_SEALED = ALL
_SCHEMAS = 16  # the members are JSON Schemas, named like secrets perhaps, but not secrets
_SCHEMA = 17  # a JSON Schema under a secret's name: its words stay, examples and defaults go

_SCHEMA_TEXT = frozenset(("type", "title", "description", "format", "$ref", "pattern"))
_SCHEMA_NUMBERS = frozenset(("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"))
_SCHEMA_NESTED = frozenset(("items", "anyOf", "oneOf", "allOf", "not", "properties", "additionalProperties", "type"))
_PAIR_NAMES = frozenset(("name", "key", "header", "field", "variable", "Name", "Key"))
_HEADER_WORDS = frozenset(("authorization", "cookie"))

# What a token is made of, for the one that the cut halves.
_TOKEN = "".join(map(chr, range(0x21, 0x7F))).translate({ord(c): None for c in "\"'`<>()[]{},;"})
_FLAG = re.compile(r"--?[A-Za-z][\w.-]*(?:=.*)?\Z", re.DOTALL)
_P_IS_NO_PASSWORD = frozenset(
    ("mkdir", "cp", "mv", "install", "pytest", "git", "ssh", "scp", "rsync", "ps", "lsof", "tar", "patch", "nc", "nmap")
)


def is_same(a: object, b: object) -> bool:
    return a is b


def foreign(value: object) -> str:
    """What stands for an object that is no plain JSON value: its type's name, and the size where C code knows it."""
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return f"<{kind.__name__} {len(value)}>"  # type: ignore[arg-type]
    return f"<{_stdlib.type_name(kind)[:SHORT]}>"


def _has_huge(leaf: object) -> bool:
    """Is a number in this dict or list of plain values that JSON encoders do not take?"""
    values = leaf.values() if type(leaf) is dict else leaf
    return any(type(each) is int and not -(2**63) <= each < 2**64 for each in values)  # type: ignore[attr-defined]


class Walk:
    """One walk over one payload: the limits, and how many characters may still come."""

    __slots__ = ("deep", "left", "long", "quick", "wide")

    def __init__(self, limits: tuple[int, int, int, int]) -> None:
        self.long, self.wide, self.deep, self.left = limits
        self.quick = self.long >= SHORT and self.wide >= SMALL

    def value(self, item: object, depth: int, rule: int) -> object:
        """``item`` redacted by ``rule``: a verdict on its name, or one of the container rules."""
        kind = type(item)
        if kind is str:
            return self.named(item, rule)  # type: ignore[arg-type]
        if item is None or kind is bool:
            return item
        if kind is int:
            if rule == ALL:
                return MARK
            if -(2**63) <= item < 2**64:  # type: ignore[operator]
                return item
            return f"<int {item.bit_length()} bits>"  # type: ignore[attr-defined]
        if (kind is dict or kind is list) and rule <= KEEP and 0 < depth <= self.deep and self.quick:
            # A small clean leaf, a row say: the quick tier has it for a third of the price.
            cost = 32 * len(item)  # type: ignore[arg-type]
            if cost < self.left and settled(item, 1) and not _has_huge(item):
                self.left -= cost
                return item
        if kind is dict:
            return self.mapping(item, depth, rule)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return self.sequence(item, depth, rule)  # type: ignore[arg-type]
        if kind is float:
            if rule == ALL:
                return MARK
            if item - item == 0.0:  # type: ignore[operator]
                return item
            return "NaN" if item != item else "Infinity" if item > 0 else "-Infinity"  # type: ignore[operator]
        return foreign(item)

    def named(self, text: str, rule: int) -> str:
        """A string under a name whose verdict is ``rule``."""
        if rule >= WEAK and text and rule < _SCHEMAS:
            head = text[:4097]
            if rule == WEAK:
                sealed = looks_credential(head)
            elif rule == PWD:
                sealed = not is_path(head)
            else:
                sealed = True
            if sealed:
                self.left -= len(MARK)
                return MARK
        if len(text) <= SHORT <= self.long and (text in clean or (rule < VALUE and admit(text))):
            self.left -= len(text)
            return text
        return self.string(text, rule != KEEP)

    def string(self, text: str, random: bool) -> str:
        """A string cut, made encodable and scanned."""
        size = len(text)
        room = min(self.long, max(self.left, 0))
        suffix = ""
        if size > room:
            text = _cut(text, room)
            suffix = f"…[+{size - len(text)}]"
        text = encodable(text)
        self.left -= len(text)
        out = scrub(text, random) if text else text
        return out + suffix if suffix else out

    def too_deep(self, size: int, depth: int) -> bool:
        """Is a container of ``size`` at ``depth`` only counted? A tiny one may stand one level deeper than the limit:

        there is where an optional parameter's ``anyOf`` keeps its types when tools are listed.
        """
        if depth > self.deep:
            return depth > self.deep + 1 or size > 4
        return self.left <= 0 and size > 0

    def mapping(self, value: dict[object, object], depth: int, rule: int) -> object:
        size = len(value)
        if self.too_deep(size, depth):
            return f"…{{{size}}}"
        out: dict[str, object] = {}
        same = True
        labelled = False
        held: list[tuple[str, object]] = []
        for key, item in value.items() if size <= self.wide else islice(value.items(), self.wide):
            if self.left <= 0:
                break
            name, found = self.key(key)
            if name is not key:
                same = False
                if name in out:
                    name = f"{name}#{len(out)}"
            if found == VALUE and rule < WEAK:
                held.append((name, item))
            elif type(item) is str and name in _PAIR_NAMES and len(item) <= SHORT and name_verdict(item) >= TEXT:
                labelled = True
            self.left -= len(name) + 8
            new = self.value(item, depth + 1, _rule(rule, name, found, item))
            if new is not item:
                same = False
            out[name] = new
        if labelled:
            for name, item in held:
                out[name] = self.value(item, depth + 1, _SEALED)
                same = same and out[name] is item
        if len(out) < size:
            out["…"] = f"+{size - len(out)}"
            return out
        return value if same else out

    def key(self, key: object) -> tuple[str, int]:
        """A dict key as it may be written, and the verdict on it."""
        if type(key) is not str:
            return foreign(key), PLAIN
        if key in names:
            return key, name_verdict(key)
        if len(key) <= SHORT and encodable(key) is key and scrub(key) is key:
            found = name_verdict(key)
            if found <= KEEP:
                admit_name(key)
            return key, found
        head = key[: self.long]
        return self.string(key, True), name_verdict(head[:SHORT])

    def sequence(self, value: list[object] | tuple[object, ...], depth: int, rule: int) -> object:
        size = len(value)
        if self.too_deep(size, depth):
            return f"…[{size}]"
        out: list[object] = []
        same = True
        if rule in (VALUE, _SCHEMAS):
            rule = PLAIN
        flag = PLAIN
        for item in value if size <= self.wide else islice(value, self.wide):
            if self.left <= 0:
                break
            self.left -= 8
            if type(item) is str and rule < WEAK:
                new: object = self.argument(item, flag, "")
                flag = _flag(item)
            else:
                new = self.value(item, depth + 1, rule)
                flag = PLAIN
            if new is not item:
                same = False
            out.append(new)
        if size == 2 and rule < WEAK and _is_header(value[0]):
            out[1:] = [self.value(value[1], depth + 1, _SEALED)]
            same = same and out[1] is value[1]
        if len(out) < size:
            out.append(f"…[+{size - len(out)}]")
            return out
        return value if same else out

    def arguments(self, args: list[str] | tuple[str, ...]) -> list[str]:
        """``Redactor.argv``."""
        out: list[str] = []
        flag = PLAIN
        program = ""
        for item in islice(args, self.wide):
            if self.left <= 0:
                break
            if type(item) is not str:
                out.append(foreign(item))
                continue
            if not out:
                program = item[-256:].rpartition("/")[2]
            self.left -= 4
            out.append(self.argument(item, flag, program))
            flag = _flag(item)
        if len(out) < len(args):
            out.append(f"…[+{len(args) - len(out)}]")
            return out
        return args if type(args) is list and all(map(is_same, out, args)) else out

    def argument(self, text: str, flag: int, program: str) -> str:
        """One argument, after a flag whose verdict is ``flag``."""
        if flag == PLAIN or _FLAG.match(text[:256]):
            return self._assignment(text)
        if flag == PWD:  # -p: a password, unless it is a port, a path's option or a flag of its own
            if program in _P_IS_NO_PASSWORD or not text.strip("0123456789.:/tcpud") or is_path(text):
                return self._assignment(text)
            return MARK
        if flag == KEEP:  # -u name:password
            name, colon, word = text[:4096].partition(":")
            if colon and word and not (word.isdigit() and name.isdigit()) and "/" not in name:
                return f"{self.string(name, True)}:{MARK}"
            return self._assignment(text)
        return self.named(text, flag)

    def _assignment(self, text: str) -> str:
        """``--name=value`` and ``NAME=value``: one argument, so the value goes to its end, spaces and all."""
        name, equals, word = text[:SHORT].partition("=")
        if equals and word and " " not in name:
            found = name_verdict(name)
            if found >= WEAK and self.named(text[len(name) + 1 :], found) is MARK:
                return f"{name}={MARK}"
        return self.named(text, PLAIN)

    def shape(self, item: object, depth: int) -> object:
        """Names, types and sizes of ``item``; of a list, its first four members."""
        kind = type(item)
        if kind is str:
            return f"<str {len(item)}>"  # type: ignore[arg-type]
        if item is None:
            return None
        self.left -= 8
        if kind is dict:
            members: dict[object, object] = item  # type: ignore[assignment]
            if depth > self.deep or self.left <= 0:
                return f"…{{{len(members)}}}"
            out: dict[str, object] = {}
            for key, member in islice(members.items(), self.wide):
                name = self.key(key)[0]
                self.left -= len(name)
                out[name] = self.shape(member, depth + 1)
            if len(out) < len(members):
                out["…"] = f"+{len(members) - len(out)}"
            return out
        if kind is list or kind is tuple:
            size = len(item)  # type: ignore[arg-type]
            if depth > self.deep or self.left <= 0:
                return f"…[{size}]"
            first = [self.shape(member, depth + 1) for member in islice(item, 4)]  # type: ignore[call-overload]
            return [*first, f"…[+{size - 4}]"] if size > 4 else first
        return foreign(item)


def _rule(rule: int, name: str, found: int, item: object) -> int:
    """What holds for a member called ``name`` (verdict ``found``) of a container under ``rule``."""
    kind = type(item)
    nested = kind is dict or kind is list or kind is tuple
    if rule == _SCHEMA:
        if nested:
            return (_SCHEMAS if name == "properties" else _SCHEMA) if name in _SCHEMA_NESTED else _SEALED
        return PLAIN if name in (_SCHEMA_TEXT if kind is str else _SCHEMA_NUMBERS) else _SEALED
    if TEXT <= rule < _SCHEMAS:
        return _SEALED
    if rule == _SCHEMAS:
        return _SCHEMA if found >= WEAK and kind is dict else found
    if nested:
        if name in SCHEMA_MAPS and kind is dict:
            return _SCHEMAS
        return _SEALED if found >= TEXT else found
    return found


def _flag(text: str) -> int:
    """What the argument after ``text`` is: a verdict, PWD after ``-p``, KEEP after ``-u``, PLAIN after no flag."""
    if text[:1] != "-" or "=" in text or len(text) > SHORT:
        return PLAIN
    if text == "-p":
        return PWD
    if text in ("-u", "--user", "--proxy-user", "-U"):
        return KEEP
    found = WEAK if text == "--key" else name_verdict(text)
    return found if found >= WEAK else PLAIN


def _is_header(name: object) -> bool:
    if type(name) is not str or len(name) > SHORT:
        return False
    return (name.lower() in _HEADER_WORDS or "-" in name) and name_verdict(name) >= TEXT


def _cut(text: str, room: int) -> str:
    """The first ``room`` characters of ``text`` without the token that the cut halves."""
    head = text[:room]
    if text[room] in _TOKEN:
        head = head.rstrip(_TOKEN)
    # user:password@ whose @ lies behind the cut.
    scheme = head.rfind("://", -1024)
    if scheme >= 0 and "@" not in head[scheme:] and not any(map(str.isspace, head[scheme:])):
        head = head[: scheme + 3]
    return head
