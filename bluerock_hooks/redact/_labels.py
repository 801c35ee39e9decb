"""Secrets that text itself labels: ``name=value``, ``"name": "value"``, ``--name value``, ``the name is value``.

The first half of ``_scrub``. Stems of secret-naming words are searched for; around each hit the name is read, judged by
``_patterns.verdict`` like a key of a dict, and the value after it is found by the grammar it stands in: quoted at any
depth of escaping, in brackets, to the end of a header's line, of an indented block, of an XML element, to a space.
"""

from __future__ import annotations

import re

from ._patterns import ALL, MARK, PLAIN, PWD, STEMS, TEXT, URL_NAMES, WEAK, looks_credential, name_verdict

Spans = list[tuple[int, int]]

QUOTE = r"""(?:\\{0,7}["'`]|%22|&quot;|\\{1,7}u0022)"""  # however often JSON, a URL or HTML wrapped it
_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NAME_MAX = 64
_HEAD = 256  # characters of an unquoted value that decide whether it is one
_NAME_REST = re.compile(r"[\w.-]{0,64}", re.ASCII)
# What stands between a name and its value; Python annotations count: ``token: str = "..."``. JSON may break the line
# after its colon; in code and YAML a line break there means something else.
_SEPARATOR = re.compile(
    rf"(?P<quote>{QUOTE})?[\])]?[ \t]{{0,8}}(?P<op>=>|:=|={{1,3}}|!=|:|%3[aAdD])"
    r"(?(quote)(?:\s{0,64}(?=[\"'\[{\\\d-])|[ \t]{0,64})|[ \t]{0,64})"
    r"(?:(?:str|bytes|int|SecretStr|Optional\[str\]|string)(?: \| None)?[ \t]{0,4}=[ \t]{0,4})?"
)
_FLAG_SEPARATOR = re.compile(r"[ \t]{1,8}(?![-\s])")
_FOLLOWING = frozenset(("=", ":", "!", "%", '"', "'", "`", "\\", "]", ")", "&", ">", "i", "w", "a", "s"))
_IS = re.compile(r"[ \t]{1,4}(?:is|was|are|set to)[ \t]{0,2}:?[ \t]{1,4}")
_OPENER = re.compile(rf"[bBrRfFuU]{{0,2}}(?P<quote>\\{{0,7}}(?:\"\"\"|''')|{QUOTE})")
_SCHEME = r"(?:(?i:bearer|basic|token|apikey|digest|negotiate|bot)(?:[ \t]|%20|\+){1,4}(?=\S{0,64}[0-9A-Z_=/+-]))?"
_BARE = re.compile(rf"{_SCHEME}[^\s\"'`&,;<>]{{1,65536}}")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.){0,65536}"?|[{}\[\]]', re.DOTALL)
_LINE_HEADERS = ("authorization", "cookie")
# Values that stand for a secret without being one: masks, variables, types, code.
_STAND_IN = re.compile(
    r"""\[redacted\] | [*.xX\u2022\u2026_-]{1,64}$ | <[^>]{1,64}> | %\(?\w{0,64}\)?s$ | %\w{1,64}%$
    | \{\{ | \{[\w.!:]{1,64}\}
    | \$(?:[{(] | (?-i:[A-Z_][A-Z0-9_]{0,64})(?![A-Za-z0-9]) | [a-z_]{1,64}\W{0,3}$)
    | (?:str|string|int|integer|number|bool|boolean|bytes|any|object|array|null|none|nil|true|false|undefined|optional
        |required|yes|no|enabled|disabled|secretstr|str\|none|empty|unset|missing|invalid|redacted|hidden|masked
        |await|self|cls|value|val|key|new|lambda|yield|not|input)
        \b[\])},.;]{0,3}$
    | [A-Za-z_][\w.]{0,128}[(\[]
    | \#(?:\s|$) | [|>][+-]?$
    | [\w.]{1,64}\ \|\ [A-Z]
    | (?:[a-z_]{1,64}\.){0,4}(?-i:(?:[A-Z][a-z]{1,32}){2,8})(?:[,)]|\ =\ )
    | (?-i:The|A|An|Optional|Your|If|Whether|This|Set|Used|Returns?|Name|Value|Default|Must|Required)\ [^\d]{8,240}$
    | (?:self|cls|os|process|config|cfg|settings|request|req|this|env|args|options|opts|ctx|params|import)
        \.[A-Za-z_]""",
    re.VERBOSE | re.IGNORECASE,
)
_WORD_ONLY = re.compile(r"[A-Za-z]{1,24}[.,!?;:)]{0,3}$")
_QUOTING = frozenset(('"', "'", "\\", "&", "%"))
# {"name": "API_KEY", "value": "..."} and <add key="ApiKey" value="..."/>, from the first value on.
_PAIR = re.compile(rf"{QUOTE}[\s,]{{0,64}}{QUOTE}?value{QUOTE}?\s{{0,8}}[:=]\s{{0,8}}", re.IGNORECASE)
_BLOCK = re.compile(r"[|>]?[+-]?[ \t]{0,64}\r?\n")
_INDENTED = re.compile(r"[ \t]{0,256}(?=(\S?))")
_AFTER_IS = re.compile(r"""["'`]?(?P<value>[^\s"'`]{4,512})""")
_TEMPLATE = re.compile(r"\{[\w.!:]{1,64}\}")
_STEMS = tuple((stem, len(stem)) for stem in STEMS)


def labelled(text: str, low: str, spans: Spans) -> None:
    """``name=value``, ``name: value``, ``"name": "value"``, ``--name value``, ``the name is value``."""
    flags = " -" in text or text[:1] == "-"
    if not flags and not any(map(text.__contains__, ("=", ":", "%3", "</"))) and _IS.search(text) is None:
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
    if separator is None and text[end : end + 1] in _QUOTING:
        return _pair(text, at, end, spans)
    head = text[max(floor, at - _NAME_MAX) : at]
    start = at - len(head) + len(head.rstrip(_NAME))
    flag = text[start] == "-"
    if following == ">" and text[start - 1 : start] == "<":
        return _element(text, start, end, spans)
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


def _pair(text: str, at: int, end: int, spans: Spans) -> int:
    """A secret's name as the value of ``name`` or ``key``: its neighbour ``value`` is the secret."""
    pair = _PAIR.match(text, end)
    if pair is None:
        return end
    head = text[max(0, at - _NAME_MAX) : at]
    start = at - len(head) + len(head.rstrip(_NAME))
    severity = _judge(text, start, end)
    return _value(text, start, severity, pair.end(), "=", '"', spans) if severity >= TEXT else end


def _element(text: str, start: int, end: int, spans: Spans) -> int:
    """``<password>X</password>``"""
    stop = text.find("<", end)
    stop = len(text) if stop < 0 else stop
    if _judge(text, start, end) < TEXT or not text[end + 1 : stop].strip():
        return end
    spans.append((end + 1, stop))
    return stop


def _block(text: str, start: int, at: int) -> int:
    """Where the YAML block below the line of ``start`` ends: what is indented deeper. ``at`` if there is none."""
    indent = start - text.rfind("\n", 0, start) - 1
    end = at
    while at < len(text):
        line = _INDENTED.match(text, at)
        if line is None or (line[1] and line.end() - at <= indent):
            break
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        end = stop if line[1] else end
        at = stop + 1
    return end


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
        if text[at + 1 : end - 1].strip():
            spans.append((at, end))
        return end
    enclosing = text[start - 1] if start else ""
    if enclosing == ":" and op == ":":
        return at  # arn:aws:secretsmanager:region, urn:...
    if op and not closed and enclosing and enclosing in "\"'`":
        end = text.find(enclosing, at)
        return _mark(text, at, len(text) if end < 0 else end, severity, spans, op)
    name = text[start:at].lower()
    begins = op in (":", "=") and _begins_line(text, start)
    below = _BLOCK.match(text, at) if begins and op == ":" and severity >= TEXT else None
    if below is not None:
        end = _block(text, start, below.end())
        if end > below.end():
            first = end - len(text[below.end() : end].lstrip())
            if not text.startswith(MARK, first):
                spans.append((first, end))
            return end
    # INI and YAML values go to the end of their line, a shell's NAME=value to the next space.
    ini = op == "=" and text[at - 2 : at] == "= "
    if (op == ":" and any(part in name for part in _LINE_HEADERS)) or (begins and (op == ":" or ini)):
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
