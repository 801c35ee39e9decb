"""``trace``: what requests caused, as trees.

The spool is read twice: first to learn who called whom and what started what, then for what is shown of the requests
that were chosen.
"""

from __future__ import annotations

import argparse
import json
import sys
from fnmatch import fnmatchcase

from ..reader import Snapshot
from ._index import STRUCTURE, Index
from ._say import say
from ._selection import CallSelection, add_call_filters, existing_spool, report
from ._terminal import Canvas
from ._tree_json import as_json, outside_json
from ._tree_text import OutsideWriter, TreeWriter
from ._trees import Forest
from .show import limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._calls import Call
    from ._trees import CallNode

FEW = 64  # requests that are found in the spool by their ids; for more, all of it is decoded


def main(args: list[str], prog: str) -> int:
    """Print the trees; 1 where there is no such request."""
    options = _parser(prog).parse_args(args)
    spool = existing_spool(options.spool)
    snapshot = Snapshot(spool)
    selection = CallSelection(options)
    most = options.limit if options.limit is not None else _default_limit(options.call, selection)
    everything = options.call == "all"
    complete = everything or most is None or most > FEW
    index = Index()
    for _ in index.read(snapshot, selection, () if complete else STRUCTURE):
        pass
    roots = choose(index, selection, options.call, most)
    forest = Forest(index, roots, complete=complete)
    write = _write_json if options.json else TreeWriter(Canvas(sys.stdout), full=options.full, date=options.date).write
    if roots:
        for stored in snapshot.events(selection.since_ns, () if complete else forest.needles()):
            if stored.ts >= selection.since:
                for tree in forest.add(stored):
                    write(tree)
        for tree in forest.rest():
            write(tree)
    if everything:
        _outside(index, forest, options)
    report(snapshot.problems)
    if not roots:
        say(f"no such request in {spool.path}")
    return 0 if roots else 1


def _default_limit(wanted: str | None, selection: CallSelection) -> int | None:
    """One request, unless all are asked for, or all that match a filter."""
    return None if wanted == "all" or (wanted is None and selection.filters) else 1


def choose(index: Index, selection: CallSelection, wanted: str | None, most: int | None) -> list[Call]:
    """The last ``most`` requests that are meant, none of them part of another of them."""
    found = [call for call in index.distinct() if selection.matches(call)]
    if wanted is None and not selection.filters:
        wanted = "last"
    if wanted == "last":
        found = [call for call in found if call.method == "tools/call"] or found
    elif wanted not in (None, "all"):
        by_id = [call for call in found if str(call.id) == wanted.removeprefix("#")]
        # Every connection counts its requests from the start: mostly one of the outermost is meant.
        by_id = [call for call in by_id if index.cause_of_call(call) is None] or by_id
        found = by_id or [call for call in found if _is_meant(call, wanted)]
    # Newest first: there is no need to look at more than were asked for, and a part comes after its whole.
    chosen = {id(call) for call in found}
    tops: Iterator[Call] = (
        call for call in reversed(found) if all(id(cause) not in chosen for cause in list(index.chain(call))[1:])
    )
    return [call for call, _ in zip(tops, range(len(found) if most is None else most), strict=False)][::-1]


def _is_meant(call: Call, wanted: str) -> bool:
    names = (call.tool, call.method)
    return any(side.span == wanted for side in call.sides()) or any(
        name is not None and fnmatchcase(name, wanted) for name in names
    )


def _write_json(root: CallNode) -> None:
    # ASCII only: nothing in it can move, hide or reorder what a terminal shows.
    print(json.dumps(as_json(root, root.at), separators=(",", ":")))


def _outside(index: Index, forest: Forest, options: argparse.Namespace) -> None:
    """What belongs to no request, a program at a time."""
    writer = OutsideWriter(Canvas(sys.stdout), date=options.date)
    for program in sorted(index.programs.values(), key=lambda program: program.first):
        touches = forest.apart.get(program.component)
        if touches is None or not touches.counts:
            continue
        if options.json:
            print(json.dumps(outside_json(program, touches), separators=(",", ":")))
        else:
            writer.write(program, touches)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print what a request caused, as a tree: imports, processes with what they did, sockets, "
        "files, code, requests of its own, messages, each with its offset.",
        epilog="Exit status: 0, or 1 where no request matches.",
    )
    parser.add_argument(
        "call", nargs="?", metavar="CALL",
        help="last (the last tool call; the default without filters), all, or a span id, a request id, the name of a "
        "tool, prompt or method (may be a glob): the last such request",
    )  # fmt: skip
    add_call_filters(parser)
    parser.add_argument("-n", "--limit", type=limit, metavar="N", help="the last N requests instead of one, or of all")
    form = parser.add_argument_group("form")
    form.add_argument("--json", action="store_true", help="a tree a line (NDJSON)")
    form.add_argument("--full", action="store_true", help="a line for everything, however often a kind comes")
    form.add_argument("--date", action="store_true", help="show the date beside the time (both are UTC)")
    return parser
