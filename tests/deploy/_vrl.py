"""Runs a VRL program on each line of the standard input, as the message of an event; prints each event as JSON.

Usage: ``python _vrl.py PROGRAM`` in an environment with ``vector-vrl``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import vector_vrl  # type: ignore[import-not-found]


def main() -> None:
    """Run it."""
    program = Path(sys.argv[1]).read_text()
    messages = [json.dumps({"message": line, "host": "detected"}) for line in sys.stdin.read().split("\n") if line]
    for event in vector_vrl.execute_vrl(program, messages):
        print(json.dumps(event, default=str))


if __name__ == "__main__":
    main()
