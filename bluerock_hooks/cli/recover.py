"""``recover``: what killed processes left in their rings goes into segments, the only thing that collectors read."""

from __future__ import annotations

import argparse
import json
import os

from ..errors import SpoolError
from ._selection import add_spool, open_spool


def main(args: list[str], prog: str) -> int:
    """Recover, and print how much."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Move the events that killed processes left in their rings into segments. "
        "The sensor does it too, whenever one rotates or ends; `show` and `tail` do not need it.",
    )
    add_spool(parser)
    parser.add_argument("--json", action="store_true", help="counts as JSON")
    options = parser.parse_args(args)
    spool = open_spool(options.spool)
    if not os.path.isdir(spool.path):
        raise SpoolError(f"nothing to recover: there is no {spool.path}")
    done = spool.recover()
    counts = {"rings": done.rings, "events": done.events, "lost": done.lost}
    if options.json:
        print(json.dumps(counts))
    else:
        print(f"{done.rings} rings of ended processes, {done.events} events recovered, {done.lost} lost")
    return 0
