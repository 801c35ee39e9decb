"""Secrets inside text: labelled ones, known shapes, and long random tokens become ``[redacted]``.

``redact`` hands every string over once it is cut and encodable. What is looked for is decided by substring searches
first (100 characters of clean text cost some 5 us, 2 KiB some 40 to 100); a pattern runs only where its literal occurs.
No pattern nests quantifiers, and a repeat that something must follow has an upper bound: time is linear in the text.
"""

from __future__ import annotations

import re

from ._labels import QUOTE, Spans, labelled
from ._patterns import KEEP, LONG, MARK, SHAPES, TEXT, looks_random, name_verdict, shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NETRC = re.compile(
    r"\b(?:login|user|account)\s{1,8}\S{1,128}\s{1,8}passw(?:or)?d\s{1,8}(?P<value>\S{1,512})", re.IGNORECASE
)
_BEARER = re.compile(r"\b(?:bearer|basic|apikey)(?:[ \t]|%20){1,4}(?P<value>[\w.~+/=:-]{6,65536})", re.IGNORECASE)
_MIXED = re.compile(r"[0-9]|[a-z][A-Z]|[~+/=]")
_USERINFO = re.compile(
    r"""://(?P<a>[^\s/?\#"'<>`\\]{1,1024})@|://(?P<b>[^\s/:@"'<>]{0,128}:(?!\d{1,5}(?:[/?\#]|$))[^\s@"'<>]{1,1024})@"""
)
_USER_ONLY = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
_LOGIN = re.compile(r"(?:^|\s)(?:-u|-U|--user|--proxy-user)[ =]{0,2}[\"']?[^\s:\"']{1,128}:(?P<value>[^\s\"']{1,256})")
_SHORT_FLAG = re.compile(
    r"\b(?:sshpass|mysql|mysqldump|mysqladmin|mariadb|docker login|podman login|ldapsearch|redis-cli)\b"
    r"[^\n|;&]{0,256}?\s-[pwa][ \t]{0,4}(?P<value>[^\s-]\S{0,255})"
)
_NAME_BEFORE = re.compile(rf"(?P<name>[\w.-]{{1,64}}){QUOTE}?[ \t]{{0,4}}[:=][ \t]{{0,4}}{QUOTE}?\Z")
# pydantic: the value's place on the line before, and what was given, often with its middle, and its label, cut out.
_GIVEN = re.compile(r"input_value=(?P<value>[^\n]{1,256}?), input_type=\w{1,64}\]")
_PUBLIC = ("AAAA", "sha512-", "sha384-", "sha256-")  # SSH public keys, integrity digests
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
# Runs of 16 and more of these bytes may hold a token; spaces, quotes, brackets and all of non-ASCII end a run.
_RUNS = bytes(
    ord("a") if chr(i) in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+/=.~%-" else ord(" ")
    for i in range(256)
)
_RUN = b"a" * 16
_RUN_TEXT = re.compile(r"[A-Za-z0-9_+/=.~%:-]{16,}")


def scrub(text: str, random: bool = True) -> str:
    """``text`` with each secret replaced by ``[redacted]``; the same object where there is none.

    ``text`` must be encodable. ``random=False`` spares long tokens that only look random: ids, digests, cursors.
    """
    spans: Spans = []
    low = text.lower()
    if len(low) != len(text):
        low = "".join([c.lower() if c < "\x80" else c for c in text])
    labelled(text, low, spans)
    if "bearer" in low or "basic" in low or "apikey" in low:
        _group(_BEARER, text, spans, _is_mixed)
    if "login " in low and "passw" in low:
        _group(_NETRC, text, spans)
    if "@" in text and "://" in text:
        _userinfo(text, spans)
    if "-----BEGIN " in text:
        _pem(text, spans)
    if "input_value=" in text:
        _refused_input(text, spans)
    if " -" in text or text[:1] == "-":
        _logins(text, low, spans)
    if _RUN in text.encode().translate(_RUNS):
        _tokens(text, spans, random)
    return _splice(text, spans) if spans else text


def _splice(text: str, spans: Spans) -> str:
    spans.sort()
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if end <= done:
            continue
        if start > done or not parts:
            parts.append(text[done:start])
            parts.append(MARK)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def _group(pattern: re.Pattern[str], text: str, spans: Spans, good: Callable[[str], bool] | None = None) -> None:
    for match in pattern.finditer(text):
        if good is None or good(match["value"]):
            spans.append(match.span("value"))


def _is_mixed(value: str) -> bool:
    return _MIXED.search(value) is not None or len(value) >= 24


def _no_number(value: str) -> bool:
    return value.strip("0123456789.:/") != ""


def _userinfo(text: str, spans: Spans) -> None:
    for match in _USERINFO.finditer(text):
        which = "a" if match["a"] is not None else "b"
        info = match[which]
        if info != MARK and (":" in info or not _USER_ONLY.match(info)):
            spans.append(match.span(which))


def _logins(text: str, low: str, spans: Spans) -> None:
    if "curl" in low or "wget" in low or "http" in low:
        _group(_LOGIN, text, spans, _no_number)
    if " -p" in text or " -w" in text or " -a" in text:
        _group(_SHORT_FLAG, text, spans, _no_number)


def _refused_input(text: str, spans: Spans) -> None:
    """What a validation error shows of the input: a secret's if its place is called so, and whatever lost its label."""
    for match in _GIVEN.finditer(text):
        start, end = match.span("value")
        line = text.rfind("\n", 0, start)
        place = text[text.rfind("\n", 0, max(0, line)) + 1 : max(0, line)].strip()
        cut = text.find("...", start, end)
        if name_verdict(place[-64:].rpartition(".")[2]) >= TEXT:
            spans.append((start, end))
        elif cut >= 0:
            spans.append((cut + 3, end))


def _pem(text: str, spans: Spans) -> None:
    at = 0
    while True:
        match = _PEM.search(text, at)
        if match is None:
            return
        end = text.find("-----END", match.end())
        tail = text.find("-----", end + 8) if end >= 0 else -1
        at = len(text) if tail < 0 else tail + 5
        spans.append((match.start(), at))


def _is_named_id(text: str, start: int) -> bool:
    """``"nextCursor": "``, ``etag=`` before a token: it is meant to be opaque."""
    found = _NAME_BEFORE.search(text[max(0, start - 80) : start])
    return found is not None and name_verdict(found["name"]) == KEEP


def _tokens(text: str, spans: Spans, random: bool) -> None:
    runs = " ".join(_RUN_TEXT.findall(text))
    for literal, pattern in SHAPES:
        if literal in runs:
            spans.extend(match.span() for match in shape(pattern).finditer(text))
    if not random:
        return
    for match in LONG.finditer(text):
        token, start = match[0], match.start()
        if looks_random(token) and not token.startswith(_PUBLIC) and not _is_named_id(text, start):
            spans.append(match.span())
