"""What is in the segments of a spool; for scripts that run in interpreters without pytest, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bluerock_hooks.spool import Spool


def lines_of(spool: Spool) -> list[bytes]:
    """Every line of every segment, by process and number. Each must be whole."""
    found: list[bytes] = []
    for segment in spool.segments():
        text = Path(segment.path).read_bytes()
        assert text == b"" or text.endswith(b"\n"), f"{segment.name} ends in half a line"
        found += text.splitlines()
    return found


def numbers(lines: Iterable[bytes]) -> list[int]:
    return [json.loads(line)["i"] for line in lines]
