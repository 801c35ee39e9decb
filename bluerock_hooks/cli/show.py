"""``show``: the recorded events, one readable line each."""

from __future__ import annotations

import argparse
from collections import deque

from ..reader import Snapshot
from ._say import say
from ._selection import Selection, add_filters, add_forms, existing_spool, report
from ._text import writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..reader import StoredEvent


def main(args: list[str], prog: str) -> int:
    """Print the events that match."""
    options = _parser(prog).parse_args(args)
    spool = existing_spool(options.spool)
    snapshot = Snapshot(spool)
    selection = Selection(options, plain=options.format == "text")
    lines = writer(options.format, date=options.date)
    matching: Iterable[StoredEvent] = filter(selection.matches, snapshot.events(selection.since_ns))
    if options.limit is not None:
        matching = deque(matching, options.limit)
    found = False
    for event in matching:
        found = True
        lines.write(event)
    lines.close()
    report(snapshot.problems)
    if not found:
        say(f"no events that match in {spool.path}")
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description="Print recorded events, oldest first; a running or killed process's too."
    )
    add_filters(parser)
    add_forms(parser)
    parser.add_argument("--limit", type=limit, metavar="N", help="only the last N that match")
    return parser


def limit(text: str) -> int:
    """A count from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number")
    return int(text)
