"""Lines of styled pieces, as the terminal or pipe that they go to can show them.

What is in a payload may be hostile: nothing of it reaches a terminal unescaped.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    Piece = tuple[str, str]  # style, text

_STYLES = {"dim": "2", "name": "36", "good": "32", "bad": "31", "strong": "1", "text": "0", "path": "0"}
_ELIDED = {"text": 1, "path": -1}  # what may be shortened to fit, and which end of it is kept
_LEAST = 12  # cells that are left of it
_LINES = ("├─", "└─", "│  ", "   ")
_PLAIN_LINES = ("|-", "`-", "|  ", "   ")


def visible(text: str) -> str:
    """``text`` with everything escaped that could move, hide or reorder what a terminal shows.

    Control characters, line separators, formatting (right-to-left marks and zero-width characters are in that class),
    lone surrogates and unassigned code points are what ``str.isprintable`` refuses.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


class Canvas:
    """Prints lines of pieces, fitted to the terminal's width; ``glyphs`` draw trees as the stream's encoding can."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = coloured(stream)
        self.width = width_of(stream)
        """Cells; 0 is without limit."""
        self.glyphs = _LINES if _can_say("".join(_LINES), stream) else _PLAIN_LINES
        self._gap = "…" if _can_say("…", stream) else "..."

    def fits(self, parts: list[Piece]) -> bool:
        """Is there room for all of it?"""
        return not self.width or _cells_of(parts) <= self.width

    def line(self, parts: list[Piece]) -> None:
        """One line. Of pieces styled ``text`` the beginning is kept where there is no room, of a ``path`` the end."""
        shown = [(style, visible(text)) for style, text in parts if text]
        over = _cells_of(shown) - self.width if self.width else 0
        order = sorted(range(len(shown)), key=lambda index: -_cells(shown[index][1]))
        for index in (index for index in order if over > 0 and shown[index][0] in _ELIDED):
            style, text = shown[index]
            short = elided(text, max(_LEAST, _cells(text) - over), _ELIDED[style], self._gap)
            over -= _cells(text) - _cells(short)
            shown[index] = style, short
        self._stream.write(render(shown, width=self.width, colour=self._colour) + "\n")


def _cells_of(parts: list[Piece]) -> int:
    return sum(_cells(visible(text)) + 1 for _, text in parts if text) - 1


def elided(text: str, cells: int, end: int, gap: str) -> str:
    """``text`` in at most ``cells``: its beginning (``end`` 1) or its end (-1), and ``gap`` for what is left out."""
    if _cells(text) <= cells:
        return text
    room = cells - len(gap)
    return _cut(text, room) + gap if end > 0 else gap + _cut(text[::-1], room)[::-1]


def coloured(stream: TextIO) -> bool:
    """Colours go to terminals; ``NO_COLOR`` says never, ``FORCE_COLOR`` always."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM", "dumb") != "dumb")


def width_of(stream: TextIO) -> int:
    """Columns of a terminal, or what ``COLUMNS`` says of it; 0, which is without limit, for anything else."""
    if not stream.isatty():
        return 0
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 0


def _can_say(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render(parts: list[Piece], *, width: int = 0, colour: bool = False) -> str:
    """Pieces joined by spaces, cut to ``width`` terminal cells unless that is 0."""
    words: list[str] = []
    left = width or sys.maxsize
    for style, raw in parts:
        text = visible(raw)
        if words:
            left -= 1
        cut = _cut(text, left) if width else text
        words.append(f"\x1b[{_STYLES[style]}m{cut}\x1b[0m" if colour and style and cut else cut)
        left -= _cells(cut) if width else 0
        if len(cut) < len(text) or left <= 1:
            break
    return " ".join(words)


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _cut(text: str, cells: int) -> str:
    while _cells(text) > cells:
        text = text[: min(len(text) - 1, max(cells, 0))]
    return text
