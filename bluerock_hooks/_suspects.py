"""What makes a command line, a name or a path worth the import of the redactor: most have none of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SUSPECTS = (
    "passw",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "key",
    "auth",
    "cred",
    "bearer",
    "://",
    "sig",
    "jwt",
    "cookie",
)
_TOKEN = 16  # characters of letters, digits, - and _ in a row, a digit among them: may be a credential
_BREAKS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in "-_")}


def suspicious(words: Sequence[str]) -> bool:
    """Does one of them ask for the redactor?"""
    lowered = "\n".join(words).lower()
    if any(suspect in lowered for suspect in _SUSPECTS):
        return True
    labels = "pass" in lowered or "-p" in lowered
    return any((labels and _labels(word.lower())) or _may_be_token(word) for word in words)


def _labels(word: str) -> bool:
    name, equals, _ = word.partition("=")
    if "pass" in name and (equals or name.startswith("-")):  # --pass x, DB_PASS=x; but not the statement in -c code
        return True
    return word.startswith("-p") and len(word) <= 3


def _may_be_token(word: str) -> bool:
    if len(word) < _TOKEN or word.startswith("/"):  # caches and temporary directories have such names
        return False
    tokens = word.translate(_BREAKS).split()
    return any(len(token) >= _TOKEN and any(mark.isdigit() for mark in token) for token in tokens)
