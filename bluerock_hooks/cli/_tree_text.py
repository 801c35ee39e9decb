"""Trees as text: one line a node, with its offset in a margin."""

from __future__ import annotations

import os

from .. import _clock
from ._leaves import answer, arguments, leaf, offset_text, process, request, signs, where, words
from ._text import value_text
from ._trees import CallNode, ProcessNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from ._calls import Program
    from ._terminal import Canvas, Piece
    from ._touches import Touches
    from ._trees import Node

MARGIN = 12  # cells; the root's time, or an offset
_WORD = 8
_ALIKE = 4  # leaves of a kind that stand for themselves; more become one line
_SHOWN = 3  # names in such a line


class Row:
    """One line of a tree, and what hangs below it."""

    __slots__ = ("at", "below", "late", "pieces", "word")

    def __init__(self, at: int, word: str, pieces: list[Piece], node: Node | None = None) -> None:
        self.at = at
        self.word = word
        self.pieces = pieces
        self.below = node
        self.late = node.late if node is not None else False


class TreeWriter:
    """Draws trees on a canvas. ``full``: nothing is summed up."""

    def __init__(self, canvas: Canvas, *, full: bool, date: bool) -> None:
        self._canvas = canvas
        self._full = full
        self._date = date
        self._trees = 0

    def write(self, root: CallNode) -> None:
        """A request with everything below it."""
        if self._trees:
            self._canvas.line([])
        self._trees += 1
        stamp = _clock.utc_text(root.at * 1000)
        day, clock = stamp[:10], stamp[11:23]
        head: list[Piece] = [*([("dim", day)] if self._date else []), ("dim", clock), *request(root.call)]
        place = where(root.call)
        if self._canvas.fits([*head, *place]):
            self._canvas.line([*head, *place])
        else:
            self._canvas.line(head)
            self._canvas.line([("", " " * MARGIN), *place])
        self._below(root, root.at, "")

    def _below(self, node: Node, origin: int, stem: str) -> None:
        rows = list(self._rows(node))
        tee, corner, bar, gap = self._canvas.glyphs
        for number, row in enumerate(rows, 1):
            last = number == len(rows)
            offset = f"{offset_text(row.at - origin):>{MARGIN}}"
            marks: list[Piece] = [("bad", "late")] if row.late else []
            self._canvas.line(
                [("dim", offset), ("dim", stem + (corner if last else tee)), ("name", f"{row.word:<{_WORD}}"),
                 *marks, *row.pieces]
            )  # fmt: skip
            if row.below is not None:
                self._below(row.below, origin, stem + (gap if last else bar))

    def _rows(self, node: Node) -> Iterator[Row]:
        if isinstance(node, CallNode):
            kept = arguments(node)
            if kept:
                yield Row(node.at, "with", [("text", value_text(kept))])
        children = node.in_order()
        told = answer(node) if isinstance(node, CallNode) and node.answer is not None else []
        if isinstance(node, CallNode) and told:
            end = node.call.main.end or node.at
            late = [child for child in children if child.at > end]
            yield from self._of(children[: len(children) - len(late)])
            yield Row(end, "answer", told)
            yield from self._of(late)
        else:
            yield from self._of(children)

    def _of(self, nodes: list[Node]) -> Iterator[Row]:
        return map(_row, nodes) if self._full else _summed(nodes)


class OutsideWriter:
    """What belongs to no request, summed up, a program at a time."""

    def __init__(self, canvas: Canvas, *, date: bool) -> None:
        self._canvas = canvas
        self._date = date
        self._began = False

    def write(self, program: Program, touches: Touches) -> None:
        """A program and what it touched."""
        if not self._began:
            self._canvas.line([])
            self._canvas.line([("strong", "outside of requests")])
        self._began = True
        stamp = _clock.utc_text(program.first * 1000)
        said = words(program.info.get("argv"))
        day: list[Piece] = [("dim", stamp[:10])] if self._date else []
        self._canvas.line([*day, ("dim", stamp[11:23]), ("text", said), ("dim", f"[{program.pid}]")])
        rows = touches.as_json(_SHOWN).items()
        tee, corner, _, _ = self._canvas.glyphs
        for number, (label, found) in enumerate(rows, 1):
            self._canvas.line(
                [("", " " * MARGIN), ("dim", corner if number == len(rows) else tee), ("name", f"{label:<15}"),
                 ("strong", f"{found['count']:>5}"), ("text", listed(list(found["top"]), found["distinct"]))]
            )  # fmt: skip


def _row(node: Node) -> Row:
    if isinstance(node, CallNode):
        word = "round" if node.call.resumes is not None else "call" if node.call.by_client else "asks"
        return Row(node.at, word, [*request(node.call), *where(node.call)], node)
    if isinstance(node, ProcessNode):
        return Row(node.at, "process" if node.fields else "python", process(node), node)
    word, pieces = leaf(node)
    if node.count > 1:
        pieces = [*pieces, ("strong", f"x{node.count}")]
    return Row(node.at, word, pieces, node)


# -- many of a kind, in one line


def _summed(nodes: list[Node]) -> Iterator[Row]:
    """A row a node; where a kind comes often between two calls or processes, one row for all of it."""
    run: list[Node] = []
    for node in nodes:
        if isinstance(node, (CallNode, ProcessNode)):
            yield from _run(run)
            run = []
            yield _row(node)
        else:
            run.append(node)
    yield from _run(run)


def _run(nodes: list[Node]) -> Iterator[Row]:
    groups: dict[Hashable, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_alike(node), []).append(node)
    for node in nodes:
        group = groups[_alike(node)]
        if len(group) <= _ALIKE:
            yield _row(node)
        elif node is group[0]:
            yield _sum(group)


def _alike(node: Node) -> Hashable:
    """Nodes that may become one row have the same."""
    if any(signs(node.fields)):
        return id(node)
    return node.kind, str(node.fields.get("mode")), str(node.fields.get("method")), node.late


def _sum(group: list[Node]) -> Row:
    first = group[0]
    times = sum(node.count for node in group)
    row = _row(first)
    if first.kind == "import":
        packages = list(dict.fromkeys(str(node.fields.get("pkg") or node.fields.get("fullname")) for node in group))
        row.pieces = [("strong", f"{len(group)} modules"), ("text", f"of {listed(packages)}")]
    elif first.kind.startswith("file_"):
        row.pieces = [("strong", f"{len(group)} files"), *_place(group)]
    else:
        subjects = list(dict.fromkeys(" ".join(text for _, text in _row(node).pieces[:1]) for node in group))
        row.pieces = [("strong", f"{len(group)} of them"), ("text", listed(subjects))]
    if times > len(group):
        row.pieces = [*row.pieces, ("strong", f"x{times}")]
    return row


def listed(names: list[str], total: int | None = None) -> str:
    """The first few; ``total`` is how many there are, where ``names`` has not all."""
    more = (len(names) if total is None else total) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _place(group: list[Node]) -> list[Piece]:
    """The directory that all of them are below, else the first of them."""
    paths = [str(node.fields.get("path")) for node in group]
    try:
        common = os.path.commonpath(paths)
    except ValueError:  # relative and absolute ones
        common = ""
    return [("", "below"), ("path", common)] if len(common) > 1 else [("text", listed(paths))]
