"""Values out of bytes: the fuzzer changes the bytes, and so the values, with the code that they reach in view."""

from __future__ import annotations

import struct
from typing import Any

_WORDS = (
    "password",
    "token",
    "Authorization",
    "api_key",
    "name",
    "value",
    "env",
    "headers",
    "arguments",
    "--token",
    "-p",
    "https://u:p@h.example/x?key=1",
    "Bearer abcdefghijklmnop",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "-----BEGIN PRIVATE KEY-----",
    "properties",
    "$ref",
    "\ud800",
    "\u2028\x00\x1b[2J",
    "x" * 3000,
)


class Bytes:
    """Reads ``data`` from the front; gives zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self) -> bytes:
        return self.take(len(self.data))

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def text(self) -> str:
        kind = self.byte()
        if kind < 96:
            return _WORDS[kind % len(_WORDS)]
        size = self.byte()
        return self.take(size).decode("utf-8", "surrogateescape" if kind < 160 else "replace")

    def key(self) -> Any:
        """What Python takes as a key, and JSON does not."""
        return (None, 7, True, b"raw", ("a", 1), 1.5)[self.byte() % 6]

    def value(self, depth: int = 8) -> Any:
        """Anything that may stand in a message, and some that may not."""
        kind = self.byte()
        if kind < 90:
            return self.text()
        if kind < 140 and depth:
            return {self.text() if kind < 138 else self.key(): self.value(depth - 1) for _ in range(self.byte() % 8)}
        if kind < 180 and depth:
            return [self.value(depth - 1) for _ in range(self.byte() % 8)]
        if kind < 200:
            return int.from_bytes(self.take(self.byte() % 12), "little", signed=True)
        if kind < 215:
            return struct.unpack("<d", self.take(8).ljust(8, b"\0"))[0]
        return (None, True, False, b"raw", (1, "two"), object(), 10**300, frozenset((1, 2)), "", 0)[kind % 10]
