"""``tail``: the last events, then what comes, until interrupted."""

from __future__ import annotations

import argparse
import time
from collections import deque

from ..reader import Follower, Snapshot
from ._selection import Selection, add_filters, add_forms, open_spool, report
from ._text import writer
from .show import limit

INTERVAL = 0.2  # seconds between two looks
_SHARE = 5  # of the time at most one part in so many is spent looking, however many processes there are


def main(args: list[str], prog: str) -> int:
    """Follow until Ctrl-C, or for as long as told."""
    options = _parser(prog).parse_args(args)
    spool = open_spool(options.spool)
    selection = Selection(options, plain=options.format == "text")
    lines = writer(options.format, date=options.date)
    # A spool that is not there yet is empty: whoever follows may be first.
    snapshot = Snapshot(spool)
    for event in deque(filter(selection.matches, snapshot.events(selection.since_ns)), options.lines):
        lines.write(event)
    lines.flush()
    follower = Follower(spool, snapshot)
    started = time.monotonic()
    try:
        while True:
            looked = time.monotonic()
            for event in filter(selection.matches, follower.poll()):
                lines.write(event)
            lines.flush()
            now = time.monotonic()
            if options.seconds is not None and now - started >= options.seconds:
                return 0
            pause = max(INTERVAL, (now - looked) * _SHARE)
            time.sleep(pause if options.seconds is None else min(pause, max(started + options.seconds - now, 0)))
    finally:
        lines.close()
        report(snapshot.problems)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Print the last events, then follow until Ctrl-C.")
    parser.add_argument("-n", "--lines", type=limit, default=10, metavar="N", help="start with the last N (default 10)")
    parser.add_argument("--for", dest="seconds", type=seconds, metavar="SECONDS", help="stop by itself after that time")
    add_filters(parser)
    add_forms(parser)
    return parser


def seconds(text: str) -> float:
    """A time span above zero."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds")
    return value
