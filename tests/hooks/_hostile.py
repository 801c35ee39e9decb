"""Run inside an environment with an SDK: what a program may pass to a tool, or get from one, that no JSON can say.

Usage: ``python _hostile.py MODE``. Prints, as JSON, what became of each value on its way there and back, and which
methods of the values were called: with the sensor the same as without it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent)]

import _in_memory

try:
    from mcp.server.mcpserver import MCPServer
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer

mode = sys.argv[1]
asked: Counter[str] = Counter()


def method(how: str, name: str) -> Any:
    """A method that raises, recurses for ever or ends the program."""

    def hostile(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked[f"{how}.{name}"] += 1
        if how == "recurses":
            asked[f"{how}.{name}"] = 1  # how deep it goes depends on the frames that are there already
            return getattr(self, name)(*args, **kwargs)
        if how == "exits":
            raise SystemExit(3)
        raise RuntimeError(f"{name} was called")

    return hostile


NAMES = [
    "__repr__",
    "__str__",
    "__eq__",
    "__hash__",
    "__len__",
    "__iter__",
    "__bool__",
    "__format__",
    "__getattr__",
    "__int__",
    "__float__",
    "__index__",
    "__bytes__",
    "__contains__",
    "__getitem__",
    "__reduce_ex__",
    "__sizeof__",
    "__dir__",
    "__copy__",
    "__deepcopy__",
    "keys",
    "items",
    "values",
]


def hostile(how: str, base: type, *words: Any) -> Any:
    """An object of a class derived from ``base`` with all of these methods."""
    leave = ("__hash__", "__eq__") if base is not object else ()
    members = {name: method(how, name) for name in NAMES if name not in leave}
    if how == "lies":
        members = {"__class__": property(lambda self: dict)}
    return type("Hostile", (base,), members)(*words)


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"name": "cycle"}
    value["self"] = [value]
    return value


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "cycle": cycle,
    "deep": lambda: deep(200),
    "deeper": lambda: deep(100_000),
    "surrogate": lambda: "lone \ud800 surrogate",
    "key of a surrogate": lambda: {"\udc80": 1},
    "NaN": lambda: [float("nan"), float("inf"), -float("inf")],
    "bytes": lambda: b"\xff\x00raw",
    "huge number": lambda: 10**400,
    "number of more than 4300 digits": lambda: 1 << 20000,
    "set": lambda: {1, 2},
    "tuple": lambda: ("a", ("b",)),
    "object": object,
    "function": lambda: deep,
    "generator": lambda: (each for each in "abc"),
    "number as key": lambda: {7: "seven", None: "none", True: "true"},
    "escapes": lambda: "\x00\x1b[2J\u2028\u202e\ufeff",
    "many keys": lambda: {f"key{number}": number for number in range(20_000)},
    **{f"object that {how}": lambda how=how: hostile(how, object) for how in ("raises", "recurses", "exits", "lies")},
    **{
        f"{base.__name__} that {how}": lambda how=how, base=base, words=words: hostile(how, base, *words)
        for how in ("raises", "lies")
        for base, words in ((str, ("text",)), (int, (7,)), (dict, ({"a": 1},)), (list, ([1, 2],)))
    },
}

server = MCPServer("hostile", log_level="CRITICAL")


@server.tool()
def take(value: Any) -> str:
    """Take anything."""
    return type(value).__name__


@server.tool(structured_output=False)
def give(name: str) -> Any:
    """Give that value back."""
    return VALUES[name]()


class BadError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        asked["error.__str__"] += 1
        raise RuntimeError("no text")

    __repr__ = __str__


@server.tool()
def fail(kind: str) -> str:
    """Fail in that way."""
    if kind == "bad":
        raise BadError
    if kind == "long":
        raise ValueError("x" * 5_000_000)
    if kind == "surrogate":
        raise ValueError("\ud800\x00")
    if kind == "chain":
        error: Exception = ValueError("0")
        for number in range(3000):
            cause, error = error, ValueError(str(number))
            error.__cause__ = cause
        raise error
    raise KeyError(kind)


async def outcome(answer: Any) -> str:
    """What the caller sees."""
    try:
        result = await asyncio.wait_for(answer, 60)
        error = getattr(result, "isError", None) if hasattr(result, "isError") else getattr(result, "is_error", None)
        text = "".join(str(getattr(block, "text", ""))[:200] for block in result.content)
        said = f"{error} {text}"
    except Exception as exc:
        inner: BaseException = exc
        while getattr(inner, "exceptions", None):
            inner = inner.exceptions[0]  # type: ignore[attr-defined]
        said = f"{type(inner).__name__}: {str(inner)[:200]}"
    return _without_places(said.encode("ascii", "backslashreplace").decode())


def _without_places(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"(recursion depth exceeded).*", r"\1", text))


async def one(name: str, arguments: Any) -> str:
    """In a session of its own: what fails on the way may end it."""
    try:
        async with _in_memory.session(server, mode) as session:
            return await outcome(session.call_tool(name, arguments))
    except BaseException as exc:
        inner = exc
        while getattr(inner, "exceptions", None):
            inner = inner.exceptions[0]  # type: ignore[attr-defined]
        return f"session: {type(inner).__name__}"


async def main() -> None:
    """Every value there and back."""
    seen: dict[str, Any] = {}
    for name, make in VALUES.items():
        seen[f"take {name}"] = await one("take", {"value": make()})
        seen[f"give {name}"] = await one("give", {"name": name})
    for kind in ("bad", "long", "surrogate", "chain", "key"):
        seen[f"fail {kind}"] = await one("fail", {"kind": kind})
    seen["as arguments"] = await one("take", {"value": 1, "\ud800": {"x": b"y"}})
    seen["asked"] = dict(sorted(asked.items()))
    print(json.dumps(seen))


asyncio.run(main())
