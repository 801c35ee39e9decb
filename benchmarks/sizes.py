"""What events weigh: bytes a line by kind, and what gzip makes of them, of a spool that was really recorded.

Run with any interpreter::

    python benchmarks/sizes.py SPOOL [SPOOL ...]
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

CHUNK = 1 << 20  # what a store compresses together


def main() -> None:
    """Print a table, the largest share first."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for directory in sys.argv[1:]:
        for segment in sorted(Path(directory).glob("python-*.ndjson")):
            for line in segment.read_bytes().splitlines(keepends=True):
                event = json.loads(line)["event"]
                lines[f"{event['meta']['name']} {event.get('event', '')}".strip()].append(line)
    print(f"{'':<50}{'events':>8}{'bytes':>10}{'each':>8}{'gzip':>8}")
    for name, found in sorted(lines.items(), key=lambda item: -sum(map(len, item[1]))):
        print(row(name, found))
    print(row("all", [line for found in lines.values() for line in found]))


def row(name: str, lines: list[bytes]) -> str:
    """Number, sum, bytes of one, and of one after compression."""
    whole = b"".join(lines)
    packed = sum(len(gzip.compress(whole[at : at + CHUNK], 6)) for at in range(0, len(whole), CHUNK))
    return f"{name:<50}{len(lines):>8}{len(whole):>10}{len(whole) / len(lines):>8.0f}{packed / len(lines):>8.0f}"


if __name__ == "__main__":
    main()
