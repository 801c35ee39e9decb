"""What a secret is called and what it looks like: the tables behind ``redact``, and the two questions asked of them.

``verdict`` judges a name (a dict key, a flag, a header, a query parameter); ``SHAPES`` are the credentials that give
themselves away; ``looks_random`` is the last resort for long tokens nobody labelled. Everything here is public
knowledge about formats that vendors document so that scanners can find leaked keys.
"""

from __future__ import annotations

import re

# Verdicts, in rising severity. From WEAK on, a value is looked at because of its name.
PLAIN = 0  # an ordinary name: its value is scanned as text
KEEP = 1  # an id, digest or cursor: scanned, but long random tokens are what it is for
VALUE = 2  # the "value" of a {"name": ..., "value": ...} pair
WEAK = 3  # may name a secret: redacted where the value looks like a credential
PWD = 4  # password or print-working-directory: redacted unless it is a path
TEXT = 5  # a secret if it is a string
ALL = 6  # a secret, numbers too

MARK = "[redacted]"  # what stands for a secret

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Whole names, written together in lower case. They win over everything below.
_EXACT: dict[str, int] = {
    **dict.fromkeys(("value", "val"), VALUE),
    **dict.fromkeys(_set("progresstoken traceparent cursor nextcursor integrity etag"), KEEP),
    **dict.fromkeys(_set("pwd oldpwd"), PWD),
    **dict.fromkeys(_set("sessionid sessid jsessionid phpsessid mcpsessionid sid"), WEAK),
    **dict.fromkeys(_set("devicecode usercode authcode clientassertion samlresponse samlassertion"), TEXT),
    **dict.fromkeys(_set("requeststate secretid codeverifier seedphrase recoveryphrase recoverycode"), ALL),
    **dict.fromkeys(_set("recoverycodes backupcode backupcodes mfacode verificationcode securityanswer"), ALL),
    **dict.fromkeys(_set("2facode twofactorcode pincode otpcode totpcode cvvcode masterkey"), ALL),
}

# What may follow a name without changing what it names: token_value, password2, newPasswordConfirm.
_NEUTRAL = _set("value val string str text raw plain plaintext data hex b64 base encoded new old current confirm again")
_NEUTRAL |= _set("confirmation confirmed repeat repeated verify verification input")

# What turns a secret's name into the name of something about it: token_type, password_policy, secret_name.
_ABOUT = _set(
    """length len size count counts limit min max policy policies required optional expiry expires expiration expired at
    on in age ttl timeout lifetime strength type types kind format field fields hint hints name names label title url
    urls uri uris endpoint endpoints server servers host method methods supported scheme schemes scope scopes status
    enabled disabled exists present valid invalid verified changed change changes updated created provider providers
    manager store arn path paths file files filename dir directory location ref refs version versions index id ids usage
    used budget rate cost price algorithm alg prompt placeholder description error errors message reset rotation mode
    level page link env var variable realm issuer audience mechanism service per limits remaining total
    entries outfile source handler callback factory class missing"""
)
_IDS = _set("id ids hash sha digest checksum etag commit revision rev cursor uuid guid fingerprint oid")

# Parts that make any name secret, wherever they stand.
_STRONG = (
    "password", "passwd", "passphrase", "passcode", "passwort", "passkey", "secret", "credential", "authorization",
    "apikey", "accesskey", "privatekey", "privkey", "connectionstring", "connstring", "connstr", "creditcard",
    "cardnumber", "cvvcode", "securitycode", "socialsecurity", "motdepasse", "contrasena", "kennwort",
    "wachtwoord",
)  # fmt: skip
_STRONG_ABROAD = ("пароль", "секрет", "密码", "密碼", "口令", "パスワード", "비밀번호", "contraseña", "hasło")
_STRONG_NOT = ("secretar", "secretion")

_LAST_TEXT = _set("auth oauth token jwt cookie cookies creds cred dsn bearer csrf xsrf pass pw psw psk passw authtoken")
_LAST_ALL = _set("otp totp pin ssn cvv cvc pwd")
_LAST_WEAK = _set("sig signature hmac pat")
_TOKEN_NOT = _set(
    """page next prev previous continuation pagination progress cursor resume resumption sync max min num pad eos bos
    unk mask sep special stop start first last end design syntax lexer parser text prompt completion input output mint
    base quote governance erc native per bucket starting idempotency"""
)
_TOKENS = _set("access api auth refresh bearer device push personal session bot user service id deploy")
_KEY_SECRET = _set(
    """api access private priv client account auth service signing sign encryption encrypt decryption secret ssh gpg pgp
    deploy license subscription webhook bot app admin root storage hmac aes rsa master server session shared jwt bearer
    consumer developer dev integration ingest write cipher crypto fernet tls ssl cert wallet recovery security"""
)
_KEY_BENIGN = _set(
    """public pub sort primary foreign partition cache object row index group map dict column hash range lookup answer
    routing dedup dedupe idempotency issue project message file image translation locale registry hot short modifier
    arrow any each every parent child item event state query search order storage3 s3 config setting context metadata
    json field natural surrogate composite unique join entity record node tree data prop property attribute label tag
    country region language musical song piano host known keyboard press return enter escape home"""
)

# In the query or fragment of a URL these say more than they do elsewhere.
URL_NAMES = _set("key sig signature code auth hmac pass p pw pwd ticket assertion sas st")


_verdicts: dict[str, int] = {}
_MEMORY = 2048


def verdict(name: str) -> int:
    """What a value called ``name`` is: one of the verdicts above. Any case, snake, camel, dashed or dotted.

    Pure and without a cache: callers keep one. ``name`` should be cut before, at some 64 characters.
    """
    if not name.isascii() and any(part in name.lower() for part in _STRONG_ABROAD):
        return ALL
    words = [word.lower() for word in _WORDS.findall(name)]
    flat = "".join(words)
    exact = _EXACT.get(flat)
    if exact is not None:
        return exact
    while len(words) > 1 and (words[-1] in _NEUTRAL or words[-1].isdigit()):
        words.pop()
    if not words:
        return PLAIN
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last == "id" and before in ("session", "sess"):
        return WEAK
    if before and last in _ABOUT:
        return KEEP if last in _IDS else PLAIN
    for part in _STRONG:
        if part in flat and not any(other in flat for other in _STRONG_NOT):
            return ALL
    return _by_last_word(name, last, before)


def _by_last_word(name: str, last: str, before: str) -> int:
    if last in _LAST_ALL:
        return ALL
    if last in _LAST_TEXT or (last.endswith("token") and last[:-5] not in _TOKEN_NOT):
        return KEEP if last == "token" and before in _TOKEN_NOT else TEXT
    if last == "tokens":
        return TEXT if before in _TOKENS else PLAIN
    if last in _LAST_WEAK:
        return WEAK
    if last in ("key", "keys") and before:
        if before in _KEY_SECRET:
            return ALL
        if before in _KEY_BENIGN:
            return PLAIN
        # OPENWEATHER_KEY in an environment is a credential; groupKey in an argument hardly ever.
        return ALL if name.isupper() and last == "key" else WEAK
    return KEEP if last in _IDS else PLAIN


def name_verdict(name: str) -> int:
    """``verdict``, remembered for the names seen first."""
    found = _verdicts.get(name)
    if found is None:
        found = verdict(name)
        if len(name) <= 64 and len(_verdicts) < _MEMORY:
            _verdicts[name] = found
    return found


# Every English name that verdict() calls WEAK or worse contains one of these: the pre-filter of the text scan.
STEMS = (
    "pass", "pw", "secret", "key", "token", "cred", "auth", "jwt", "sig", "cookie", "otp", "pin", "ssn", "dsn",
    "bearer", "csrf", "xsrf", "conn", "cvv", "cvc", "hmac", "sess", "psk", "code", "requeststate", "card", "saml",
)  # fmt: skip

# (a literal every match contains, the pattern). The literal is looked for first: it costs a tenth of the pattern. A set
# written out is four times as fast as one with \w in it, so it is written out here.
_B = r"(?<![A-Za-z0-9])"
SHAPES: tuple[tuple[str, str], ...] = (
    ("sk-", r"sk-(?=[A-Za-z_-]{0,60}[0-9])[\w-]{16,}"),  # OpenAI, Anthropic, OpenRouter, Langfuse, DeepSeek
    ("gh", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("gl", r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w-]{16,}"),
    ("A3T", r"A3T[A-Z0-9][A-Z2-7]{16}"),
    ("AKIA", r"AKIA[A-Z0-9]{16}"),
    ("ASIA", r"ASIA[A-Z0-9]{16}"),
    ("ABIA", r"ABIA[A-Z0-9]{16}"),
    ("ACCA", r"ACCA[A-Z0-9]{16}"),
    ("xox", r"xox[abceoprs](?:\.xox[bp])?-[\w-]{10,}"),
    ("xapp-", r"xapp-\d-[\w-]{10,}"),
    ("hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/+-]{16,}"),
    ("/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
    ("k_", r"[rsp]k_(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),
    ("AIza", r"AIza[\w-]{30,}"),
    ("ya29.", r"ya29\.[\w.-]{20,}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    ("1//0", r"1//0[\w-]{20,}"),
    ("hf_", r"hf_[A-Za-z0-9]{20,}"),
    ("npm_", r"npm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"pypi-[\w-]{32,}"),
    ("ey", r"ey[\w-]{8,2048}\.(?:ey[\w-]{8,}|[\w-]{0,1024}\.[\w-]{8,})(?:\.[\w-]*){0,3}"),  # JWT, JWE
    ("SG.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("SK", r"SK[0-9a-f]{32}(?![0-9a-f])"),
    ("key-", r"key-[0-9a-f]{32}"),
    ("-us", r"[0-9a-f]{32}-us\d{1,2}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("sq0", r"sq0(?:atp|csp)-[\w-]{22,}"),
    ("EAA", r"EAA[A-Za-z0-9]{40,}"),
    ("_v1_", r"do[opr]_v1_[0-9a-f]{40,}"),
    ("dckr_", r"dckr_(?:pat|oat)_[\w-]{20,}"),
    ("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{32,}"),
    ("dapi", r"dapi[0-9a-f]{32}"),
    ("figd_", r"figd_[\w-]{20,}"),
    ("lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("secret_", r"secret_[A-Za-z0-9]{32,}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{32,}"),
    ("PMAK-", r"PMAK-[0-9a-f-]{40,}"),
    ("pul-", r"pul-[0-9a-f]{40}"),
    ("hv", r"hv[sbr]\.[\w-]{20,}"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}"),
    ("AT", r"AT(?:ATT3|CTT3|BB)[\w=-]{20,}"),
    ("NRAK-", r"NRAK-[A-Z0-9]{20,}"),
    ("sntry", r"sntry[su]_[\w=+/-]{20,}"),
    ("gl", r"gl(?:c_[\w+/=]{32,}|sa_[A-Za-z0-9]{32}_[0-9a-f]{8})"),
    ("rubygems_", r"rubygems_[0-9a-f]{40,}"),
    ("tvly-", r"tvly-[\w-]{20,}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{20,}"),
    ("xai-", r"xai-[A-Za-z0-9]{20,}"),
    ("pplx-", r"pplx-[A-Za-z0-9]{20,}"),
    ("r8_", r"r8_[A-Za-z0-9]{30,}"),
    ("nvapi-", r"nvapi-[\w-]{20,}"),
    ("jina_", r"jina_[A-Za-z0-9]{20,}"),
    ("fc-", r"fc-[0-9a-f]{32}"),
    ("tskey-", r"tskey-[\w-]{16,}"),
    ("sb", r"sb(?:p_[0-9a-f]{40}|_secret_[\w-]{20,})"),
    ("re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    ("Q~", r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),  # Entra ID client secret
    ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    (":", r"\d{8,10}:[\w-]{35}(?![\w-])"),  # Telegram bot
)
_shapes: dict[str, re.Pattern[str]] = {}


def shape(pattern: str) -> re.Pattern[str]:
    """A pattern of ``SHAPES``, compiled at its first use: all of them would cost every process 4 ms."""
    found = _shapes.get(pattern)
    if found is None:
        found = _shapes[pattern] = re.compile(_B + pattern.replace(r"[\w", "[A-Za-z0-9_"), re.ASCII)
    return found


_DOTTED = re.compile(r"[A-Za-z_]\w{0,31}(?:\.[A-Za-z_]\w{0,31}){1,5}\W?\Z")  # module.name, as in code
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")
LONG = re.compile(r"[A-Za-z0-9+/_=-]{28,}")
_HEX = re.compile(r"[0-9a-f]+\Z|[0-9A-F]+\Z|[0-9]+[a-z]+[0-9]*\Z")
_PIECE = re.compile(r"[A-Za-z0-9]{14,}")
_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def looks_random(token: str) -> bool:
    """Is ``token`` (28 characters or more) rather drawn at random than written by somebody?

    Random base62 changes between upper case, lower case and digits about every second character; identifiers, paths
    and slugs stay in a word for four or more, and are split into short pieces.
    Digests and UUIDs (hex) are names of things, not secrets.
    """
    for piece in _PIECE.findall(token[:512]):
        if not _HEX.match(piece):
            segments = _SEGMENT.findall(piece)
            digits = sum(map(str.isdigit, segments))
            if digits and len(piece) < 2.6 * len(segments) and len(set(piece)) > 9:
                return True
    return False


def looks_credential(value: str) -> bool:
    """Could ``value``, under a name that only may be a secret's, be a credential: one token, letters and digits?"""
    if not 16 <= len(value) <= 4096 or not value.isascii() or "://" in value:
        return False
    head = value[:128]
    if head[0] == "/" or "(" in head or len(head.split()) != 1:
        return False
    return bool(_DIGIT.search(head) and _LETTER.search(head) and not _DOTTED.match(head))
