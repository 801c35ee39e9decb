"""Lists of names and globs that a user can read and change, made fast: most are plain words, prefixes or suffixes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = "*?["


def matcher(patterns: str) -> Callable[[str], bool]:
    """Does one of ``patterns``, separated by spaces, match a text? ``*`` matches ``/`` too."""
    words, prefixes, suffixes, others = set(), [], [], []
    for pattern in patterns.split():
        body = pattern.strip("*")
        if not any(mark in body for mark in _MAGIC) and not (pattern[0] == "*" and pattern[-1] == "*" and body):
            if pattern[-1] == "*":
                prefixes.append(body)
            elif pattern[0] == "*":
                suffixes.append(body)
            else:
                words.add(pattern)
        else:
            others.append(pattern)
    begins, ends = tuple(prefixes), tuple(suffixes)

    def match(text: str) -> bool:
        return text in words or text.startswith(begins) or text.endswith(ends)

    if not others:
        return match
    from fnmatch import fnmatchcase  # brings re along: only for lists that need it

    return lambda text: match(text) or any(fnmatchcase(text, pattern) for pattern in others)
