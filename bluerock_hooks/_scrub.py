"""Secrets inside text: labelled ones, known shapes, and long random tokens become ``[redacted]``.

``redact`` hands every string over once it is cut and encodable. What is looked for is decided by substring searches
first (2 KiB of clean prose costs some 40 us); a pattern runs only where its literal occurs. No pattern nests
quantifiers, and a repeat that something must follow has an upper bound: the time is linear in the text.
"""

from __future__ import annotations

import re

from ._patterns import (
    ALL,
    KEEP,
    LONG,
    PLAIN,
    PWD,
    SHAPES,
    STEMS,
    TEXT,
    URL_NAMES,
    WEAK,
    looks_credential,
    looks_random,
    verdict,
)

MARK = "[redacted]"

_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NAME_MAX = 64
_HEAD = 256  # characters of an unquoted value that decide whether it is one
_QUOTE = r"""(?:\\{0,7}["'`]|%22|&quot;|\\{1,7}u0022)"""
_NAME_REST = re.compile(r"[\w.-]{0,64}", re.ASCII)
# What stands between a name and its value; Python annotations count: ``token: str = "..."``. JSON may break the line
# after its colon; in code and YAML a line break there means something else.
_SEPARATOR = re.compile(
    rf"(?P<quote>{_QUOTE})?[\])]?[ \t]{{0,8}}(?P<op>=>|:=|={{1,3}}|!=|:|%3[aAdD])"
    r"(?(quote)(?:\s{0,64}(?=[\"'\[{\\\d-])|[ \t]{0,64})|[ \t]{0,64})"
    r"(?:(?:str|bytes|int|SecretStr|Optional\[str\]|string)(?: \| None)?[ \t]{0,4}=[ \t]{0,4})?"
)
_FLAG_SEPARATOR = re.compile(r"[ \t]{1,8}(?![-\s])")
_FOLLOWING = frozenset(("=", ":", "!", "%", '"', "'", "`", "\\", "]", ")", "&", "i", "w", "a", "s"))
_IS = re.compile(r"[ \t]{1,4}(?:is|was|are|set to)[ \t]{0,2}:?[ \t]{1,4}")
_OPENER = re.compile(rf"[bBrRfFuU]{{0,2}}(?P<quote>\\{{0,7}}(?:\"\"\"|''')|{_QUOTE})")
_SCHEME = r"(?:(?i:bearer|basic|token|apikey|digest|negotiate|bot)(?:[ \t]|%20|\+){1,4}(?=\S{0,64}[0-9A-Z_=/+-]))?"
_BARE = re.compile(rf"{_SCHEME}[^\s\"'`&,;<>]{{1,65536}}")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.){0,65536}"?|[{}\[\]]', re.DOTALL)
_LINE_HEADERS = ("authorization", "cookie")

# Values that stand for a secret without being one: masks, variables, types, code.
_STAND_IN = re.compile(
    r"""\[redacted\] | [*.xX\u2022\u2026_-]{1,64}$ | \$ | %\(?\w{0,64}\)?s$ | %\w{1,64}%$ | \{\{? | <
    | (?:str|string|int|integer|number|bool|boolean|bytes|any|object|array|null|none|nil|true|false|undefined|optional
        |required|yes|no|enabled|disabled|secretstr|str\|none|empty|unset|missing|invalid|redacted|hidden|masked|await|self|cls|value|val|key|new|lambda|yield|not|input)
        \b[\])},.;]{0,3}$
    | [A-Za-z_][\w.]{0,128}[(\[]
    | \#(?:\s|$)
    | [\w.]{1,64}\ \|\ [A-Z]
    | (?:[a-z_]{1,64}\.){0,4}(?-i:(?:[A-Z][a-z]{1,32}){2,8})(?:[,)]|\ =\ )
    | (?-i:The|A|An|Optional|Your|If|Whether|This|Set|Used|Returns?|Name|Value|Default|Must|Required)\ [^\d]{8,240}$
    | (?:self|cls|os|process|config|cfg|settings|request|req|this|env|args|options|opts|ctx|params|import)
        \.[A-Za-z_]""",
    re.VERBOSE | re.IGNORECASE,
)
_WORD_ONLY = re.compile(r"[A-Za-z]{1,24}[.,!?;:)]{0,3}$")
_AFTER_IS = re.compile(r"""["'`]?(?P<value>[^\s"'`]{4,512})""")
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
_NAME_BEFORE = re.compile(rf"(?P<name>[\w.-]{{1,64}}){_QUOTE}?[ \t]{{0,4}}[:=][ \t]{{0,4}}{_QUOTE}?\Z")
_TEMPLATE = re.compile(r"\{[\w.!:]{1,64}\}")
_PUBLIC = ("AAAA", "sha512-", "sha384-", "sha256-")  # SSH public keys, integrity digests
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

_STEMS = tuple((stem, len(stem)) for stem in STEMS)
# Runs of 16 and more of these bytes may hold a token; spaces, quotes, brackets and all of non-ASCII end a run.
_RUNS = bytes(
    ord("a") if chr(i) in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+/=.~%-" else ord(" ")
    for i in range(256)
)
_RUN = b"a" * 16
_RUN_TEXT = re.compile(r"[A-Za-z0-9_+/=.~%:-]{16,}")

_verdicts: dict[str, int] = {}
_VERDICTS = 2048

Spans = list[tuple[int, int]]


def name_verdict(name: str) -> int:
    """``_patterns.verdict``, remembered for the names seen first."""
    found = _verdicts.get(name)
    if found is None:
        found = verdict(name)
        if len(name) <= _NAME_MAX and len(_verdicts) < _VERDICTS:
            _verdicts[name] = found
    return found


def scrub(text: str, random: bool = True) -> str:
    """``text`` with each secret replaced by ``[redacted]``; the same object where there is none.

    ``text`` must be encodable. ``random=False`` spares long tokens that only look random: ids, digests, cursors.
    """
    spans: Spans = []
    low = text.lower()
    if len(low) != len(text):
        low = "".join([c.lower() if c < "\x80" else c for c in text])
    _labelled(text, low, spans)
    if "bearer" in low or "basic" in low or "apikey" in low:
        _group(_BEARER, text, spans, _is_mixed)
    if "@" in text and "://" in text:
        _userinfo(text, spans)
    if "-----BEGIN " in text:
        _pem(text, spans)
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


# --- by name --------------------------------------------------------------------------------------------------------


def _labelled(text: str, low: str, spans: Spans) -> None:
    """``name=value``, ``name: value``, ``"name": "value"``, ``--name value``, ``the name is value``."""
    flags = " -" in text or text[:1] == "-"
    if not flags and "=" not in text and ":" not in text and "%3" not in text and _IS.search(text) is None:
        return
    hits: list[int] = []
    for stem, size in _STEMS:
        at = low.find(stem)
        while at >= 0:
            at += size
            hits.append(at)
            at = low.find(stem, at)
    if not hits:
        return
    hits.sort()
    done = 0
    for at in hits:
        if at > done:
            done = _one(text, at, done, flags, spans)


def _one(text: str, at: int, floor: int, flags: bool, spans: Spans) -> int:
    """Look at the name around ``at``; returns where to go on. ``flags``: the text may have some."""
    rest = _NAME_REST.match(text, at)
    end = rest.end() if rest else at
    while end > at and text[end - 1] in ".-":
        end -= 1
    # Most hits are words of prose: one look at what follows them tells.
    following = text[end : end + 10].lstrip(" \t")[:1]
    if following not in _FOLLOWING and not flags:
        return end
    separator = _SEPARATOR.match(text, end)
    head = text[max(floor, at - _NAME_MAX) : at]
    start = at - len(head) + len(head.rstrip(_NAME))
    flag = text[start] == "-"
    if separator is None and not flag:
        phrase = _IS.match(text, end)
        if phrase is None:
            return end
        return _after_is(text, _judge(text, start, end), phrase.end(), spans)
    severity = _judge(text, start, end)
    if separator is None:
        separator = _FLAG_SEPARATOR.match(text, end)
        if separator is None:
            return end
        if severity < WEAK:
            return end
        return _value(text, start, severity, separator.end(), "", "", spans)
    if severity < WEAK:
        return end
    return _value(text, start, severity, separator.end(), separator["op"], separator["quote"] or "", spans)


def _judge(text: str, start: int, end: int) -> int:
    """The verdict of the name at ``start:end``, with the word before it where that decides: ``api key: ...``."""
    name = text[start:end]
    before = text[start - 1] if start else ""
    severity = name_verdict(name)
    if before and before in "?&;#" and (severity == WEAK or name.replace("-", "").lower() in URL_NAMES):
        return TEXT
    if severity <= PLAIN and before == " ":
        head = text[max(0, start - 25) : start - 1]
        word = head[len(head.rstrip(_NAME)) :]
        if word and name_verdict(f"{word}_{name.lower()}") == ALL:
            return ALL
    return severity


def _value(text: str, start: int, severity: int, at: int, op: str, closed: str, spans: Spans) -> int:
    """Mark the value that begins at ``at``; returns where it ends."""
    opener = _OPENER.match(text, at)
    if opener is not None:
        end = _closing(text, opener.end(), opener["quote"])
        return _mark(text, opener.end(), end, severity, spans, op, quoted=True)
    if op and text[at : at + 1] in ("{", "[") and not text.startswith((MARK, "{{"), at):
        if _TEMPLATE.match(text, at):
            return at
        if severity < TEXT:
            return at
        end = _balanced(text, at)
        spans.append((at, end))
        return end
    enclosing = text[start - 1] if start else ""
    if enclosing == ":" and op == ":":
        return at  # arn:aws:secretsmanager:region, urn:...
    if op and not closed and enclosing and enclosing in "\"'`":
        end = text.find(enclosing, at)
        return _mark(text, at, len(text) if end < 0 else end, severity, spans, op)
    name = text[start:at].lower()
    if op == ":" and (any(part in name for part in _LINE_HEADERS) or _begins_line(text, start)):
        end = text.find("\n", at)
        return _mark(text, at, len(text) if end < 0 else end, severity, spans)
    # Judged by its beginning: matching each of many long values to its end would take quadratic time.
    head = _BARE.match(text, at, at + _HEAD)
    if head is None or _is_harmless(head[0], severity, op):
        return at
    if op == ":" and not closed and _WORD_ONLY.match(head[0]):
        return at  # prose: "the token: a story"
    bare = _BARE.match(text, at)
    end = bare.end() if bare else head.end()
    spans.append((at, end))
    return end


def _mark(text: str, start: int, end: int, severity: int, spans: Spans, op: str = "", quoted: bool = False) -> int:
    if start == end:
        return end
    if _is_harmless(text[start : min(end, start + 4097)], severity, op, quoted):
        return start
    spans.append((start, end))
    return end


def _is_harmless(value: str, severity: int, op: str, quoted: bool = False) -> bool:
    """Is ``value`` nothing to hide in spite of its name: blank, a mask, a variable, a type, a word compared with?"""
    if not value.strip() or op == "!=" or (op.startswith("==") and value.isalpha()):
        return True
    if quoted:
        masked = value.startswith((MARK, "${", "{{")) or not value.strip("*x\u2022\u2026.")
    else:
        masked = _STAND_IN.match(value) is not None or _is_variable(value)
    return masked or (severity == WEAK and not looks_credential(value)) or (severity == PWD and is_path(value))


def _is_variable(value: str) -> bool:
    """``password=password``: a variable named like the secret it holds."""
    name = value.rstrip(")]},.;:")
    return len(name) <= _NAME_MAX and name.replace("_", "").replace(".", "").isalpha() and name_verdict(name) >= WEAK


def is_path(value: str) -> bool:
    """Is the value of a ``pwd`` the working directory rather than a password?"""
    return value[:1] in ("/", "~", ".") or value[1:3] == ":\\"


def _closing(text: str, at: int, quote: str) -> int:
    """Where the quoted value that starts at ``at`` ends: at a quote escaped as often as the opening one."""
    slashes = len(quote) - len(quote.lstrip("\\"))
    bare = quote[slashes:]
    while True:
        found = text.find(bare, at)
        if found < 0:
            return len(text)
        back = found
        while back > at and text[back - 1] == "\\":
            back -= 1
        count = found - back
        if count == slashes or (slashes == 0 and count % 2 == 0):
            return back if slashes else found
        at = found + len(bare)


def _balanced(text: str, at: int) -> int:
    """Where the bracket at ``at`` closes, or the end of the text."""
    depth = 0
    for token in _BRACKETS.finditer(text, at):
        sign = token[0]
        if sign in ("{", "["):
            depth += 1
        elif sign in ("}", "]"):
            depth -= 1
            if depth == 0:
                return token.end()
    return len(text)


def _begins_line(text: str, start: int) -> bool:
    head = text[max(0, start - 16) : start].rstrip(" \t-*>#\"'`")
    return (not head and start <= 16) or head[-1:] == "\n"


def _after_is(text: str, severity: int, at: int, spans: Spans) -> int:
    """``the password is X``: X is taken for the password where it has a digit, which prose hardly ever has."""
    found = _AFTER_IS.match(text, at) if severity >= WEAK else None
    if found is None:
        return at
    value = found["value"]
    if any(map(str.isdigit, value)) and _STAND_IN.match(value) is None and (severity > WEAK or looks_credential(value)):
        spans.append(found.span("value"))
        return found.end()
    return at


# --- by shape -------------------------------------------------------------------------------------------------------


def _group(pattern: re.Pattern[str], text: str, spans: Spans, good: object = None) -> None:
    for match in pattern.finditer(text):
        if good is None or good(match["value"]):  # type: ignore[operator]
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
            spans.extend(match.span() for match in pattern.finditer(text))
    if not random:
        return
    for match in LONG.finditer(text):
        token, start = match[0], match.start()
        if looks_random(token) and not token.startswith(_PUBLIC) and not _is_named_id(text, start):
            spans.append(match.span())
