"""Redaction: what one payload of each shape costs, in CPU microseconds, and what JSON encoding costs beside it.

Run with the interpreter of an environment that has bluerock-hooks::

    python benchmarks/redact.py

"first" is the same text with a new number in it each time, so that nothing is remembered; "again" is the same object.
"""

from __future__ import annotations

import json
import platform
import time
from typing import TYPE_CHECKING, Any

import msgspec

from bluerock_hooks.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, ROUND_NS = 25, 4_000_000

_PROSE = "The author of the secret garden wrote about passwords and tokens, in a small house by the sea. "
_CODE = 'def f(token: str) -> bool:\n    key = os.environ["API_KEY"]\n    return user.token == token\n'


def _row(i: int) -> dict[str, Any]:
    return {"id": i, "name": f"user{i}", "email": f"u{i}@example.com", "note": "plain text value"}


_CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"progressToken": 3}}
_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "title": "A"}}, "required": ["a"]}
SHAPES: dict[str, Callable[[int], Any]] = {
    "call: small params": lambda n: {**_CALL, "arguments": {"a": n, "b": 2}},
    "call: small result": lambda n: {
        "content": [{"type": "text", "text": str(n % 1000)}],
        "structuredContent": {"result": n},
        "isError": False,
    },
    "call: a secret argument": lambda n: {"name": "login", "arguments": {"user": "bob", "password": f"hunter{n}"}},
    "list: 20 tools": lambda n: {"tools": [{"name": f"t{i}-{n}", "inputSchema": _SCHEMA} for i in range(20)]},
    "text: 100 characters": lambda n: {"text": f"{n} {_PROSE}"},
    "text: 2 KiB prose": lambda n: {"text": f"{n} " + (_PROSE * 30)[:2000]},
    "text: 2 KiB code": lambda n: {"text": f"{n} " + (_CODE * 30)[:2000]},
    "text: 2 KiB JSON": lambda n: {"text": f"{n} " + json.dumps([_row(i) for i in range(30)])[:2000]},
    "text: 100 kB, cut": lambda n: {"text": f"{n} " + _PROSE * 1000},
    "image: 1 MB base64, cut": lambda n: {"data": f"iVBORw0KGgo{n}" + "aB3/" * 250_000},
    "rows: 200 of 4 members, cut": lambda n: {"n": n, "rows": [_row(i) for i in range(200)]},
    "argv: 8 arguments": lambda n: ["python", "-m", "server", "--port", str(n), "--token", "x1", "--verbose"],
}


def cpu_us(work: Callable[[Any], object], make: Callable[[int], Any], again: bool) -> float:
    """CPU microseconds of this thread for one call: the median of the rounds. Payloads are made outside the clock."""
    figures = []
    count, serial = 1, 0
    while len(figures) < ROUNDS:
        payloads = [make(0)] * count if again else [make(serial + i) for i in range(count)]
        serial += count
        begin = time.thread_time_ns()
        for payload in payloads:
            work(payload)
        spent = time.thread_time_ns() - begin
        if spent < ROUND_NS and count < 20_000:
            wanted = count * 3
            # Big payloads are not piled up in memory for the sake of a longer round.
            if again or wanted * len(str(payloads[0])) < 20_000_000:
                count = wanted
                continue
        figures.append(spent / count / 1000)
    return sorted(figures)[ROUNDS // 2]


def main() -> None:
    """Measure and print."""
    redactor = Redactor()
    full = Redactor(payloads="full")
    encode = msgspec.json.Encoder().encode
    print(f"CPython {platform.python_version()}, {platform.machine()}; CPU us a payload")
    print(f"{'':30s}{'again':>9s}{'first':>9s}{'full':>9s}{'encode':>9s}")
    for name, make in SHAPES.items():
        again, first = cpu_us(redactor.params, make, True), cpu_us(redactor.params, make, False)
        whole, bare = cpu_us(full.params, make, True), cpu_us(encode, make, True)
        print(f"{name:30s}{again:9.2f}{first:9.2f}{whole:9.2f}{bare:9.2f}")


if __name__ == "__main__":
    main()
