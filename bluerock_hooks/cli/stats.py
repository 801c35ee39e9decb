"""``stats``: calls, errors, durations and what was touched, by tool and by server, and the sensors' accounts."""

from __future__ import annotations

import argparse
import json
import sys

from ..reader import Snapshot
from ._leaves import took
from ._recordings import size_text
from ._say import say
from ._selection import CallSelection, add_call_filters, existing_spool, report
from ._terminal import Canvas
from ._totals import GOOD, TOP, Totals
from ._tree_text import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._terminal import Piece
    from ._totals import Group, Total

_NAMES = {True: 30, False: 18}  # cells of a tool's name: on a wide terminal or in a pipe, on a narrow one
_NARROW = 90


def main(args: list[str], prog: str) -> int:
    """Print the sums; 1 where no request matches."""
    options = _parser(prog).parse_args(args)
    spool = existing_spool(options.spool)
    snapshot = Snapshot(spool)
    selection = CallSelection(options)
    totals = Totals()
    for stored in totals.index.read(snapshot, selection, ()):
        totals.take(stored)
    totals.accounts.add_rings(snapshot.rings.values(), totals.index)
    tools, servers = totals.sums(selection)
    accounts = totals.accounts.as_json(totals.index, whole=not selection.since)
    if options.json:
        print(json.dumps(_as_json(tools, servers, accounts)))
    else:
        canvas = Canvas(sys.stdout)
        print_sums(canvas, tools, servers)
        _accounts(canvas, accounts)
    report(snapshot.problems)
    if not tools:
        say(f"no such request in {spool.path}")
    return 0 if tools else 1


def _as_json(tools: dict[Group, Total], servers: dict[str, Total], accounts: dict[str, Any]) -> dict[str, Any]:
    return {
        "tools": [
            {"server": server or None, "method": method, "tool": tool or None, **total.as_json()}
            for (server, method, tool), total in _ordered(tools)
        ],
        "servers": [{"server": server or None, **total.as_json()} for server, total in sorted(servers.items())],
        "sensors": accounts,
    }


def _ordered(tools: dict[Group, Total]) -> list[tuple[Group, Total]]:
    """Of each server what has a name first, the busiest first."""
    return sorted(tools.items(), key=lambda item: (item[0][0], not item[0][2], -item[1].calls, item[0]))


def print_sums(canvas: Canvas, tools: dict[Group, Total], servers: dict[str, Total]) -> None:
    """A table for each server."""
    for server, whole in sorted(servers.items()):
        canvas.line([("strong", server or "a server without a name")])
        canvas.line([("dim", _columns(canvas, "", "calls", "errors", "p50", "p95", "p99", "params", "results"))])
        for (owner, method, tool), total in _ordered(tools):
            if owner == server:
                _block(canvas, method if not tool else tool if method == "tools/call" else f"{method} {tool}", total)
        if sum(owner == server for owner, _, _ in tools) > 1:
            canvas.line([("dim", _row(canvas, "all", whole))])
        canvas.line([])


def _block(canvas: Canvas, name: str, total: Total) -> None:
    canvas.line([("bad" if total.errors else "", _row(canvas, name, total))])
    bad = [f"{count} {outcome}" for outcome, count in total.outcomes.most_common() if outcome not in GOOD]
    if bad:
        canvas.line([("", "   "), ("name", f"{'ended':<15}"), ("bad", ", ".join(bad))])
    for label, found in total.touches.as_json(TOP).items():
        canvas.line(_labelled(label, found["count"], listed(list(found["top"]), found["distinct"])))


def _row(canvas: Canvas, name: str, total: Total) -> str:
    times = [took(total.percentile(share)) for share in (50, 95, 99)]
    rate = f"{100 * total.error_rate:.1f}%" if total.error_rate else "-"
    sizes = [size_text(size) for size in (total.params_bytes, total.answer_bytes)]
    return _columns(canvas, name, str(total.calls), rate, *times, *sizes)


def _columns(canvas: Canvas, name: str, *numbers: str) -> str:
    widths = (6, 7, 8, 8, 8, 11, 11)
    room = _NAMES[not 0 < canvas.width < _NARROW]
    cut = name if len(name) <= room else name[: room - 1] + "~"
    return f"{cut:<{room}}" + "".join(f"{number:>{width}}" for number, width in zip(numbers, widths, strict=True))


def _accounts(canvas: Canvas, accounts: dict[str, Any]) -> None:
    """What sensors account for; what is wrong of it in colour."""
    canvas.line([("strong", "sensors")])
    dropped = ", ".join(f"{count} {reason}" for reason, count in accounts["dropped"].items())
    rows = (
        ("programs", accounts["programs"], f"{accounts['without_end']} without an end", ""),
        ("emitted", accounts["emitted"], "", ""),
        ("written", accounts["written"], size_text(accounts["bytes"]), ""),
        ("missing", accounts["missing"], "", "bad"),
        ("dropped", sum(accounts["dropped"].values()), dropped, "bad"),
        ("unaccounted", accounts["unaccounted"], "", "bad"),
        ("swallowed", accounts["swallowed"], "", "bad"),
    )
    for label, count, said, style in rows:
        canvas.line(_labelled(label, count, said, style if count else "strong"))


def _labelled(label: str, count: int, said: str, style: str = "strong") -> list[Piece]:
    return [("", "   "), ("name", f"{label:<15}"), (style or "strong", f"{count:>7}"), ("text", said)]


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Count requests by server and tool: how many, how they ended, how long they took, how much they "
        "carried as recorded, and what they touched, with what programs they started did; and what sensors say of "
        "themselves.",
        epilog="Exit status: 0, or 1 where no request matches.",
    )
    add_call_filters(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser
