"""The corpus the redactor is measured on: made-up secrets put where MCP payloads carry them, and payloads without any.

``cases()`` is seeded: the same 4,000 cases everywhere. A case is *labelled* when a key, a flag, a header, a URL or the
secret's own format says what it is; what is left (a bare UUID, a password in prose) nobody can know.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"


def _draw(rnd: random.Random, count: int, alphabet: str = _ALNUM) -> str:
    return "".join(rnd.choice(alphabet) for _ in range(count))


SHAPED: dict[str, Callable[[random.Random], str]] = {
    "openai": lambda r: f"sk-proj-{_draw(r, 60)}T3BlbkFJ{_draw(r, 60)}",
    "openai old": lambda r: f"sk-{_draw(r, 20)}T3BlbkFJ{_draw(r, 20)}",
    "anthropic": lambda r: f"sk-ant-api03-{_draw(r, 93, _ALNUM + '_-')}AA",
    "github": lambda r: f"gh{r.choice('pousr')}_{_draw(r, 36)}",
    "github fine": lambda r: f"github_pat_{_draw(r, 22)}_{_draw(r, 59)}",
    "gitlab": lambda r: f"glpat-{_draw(r, 20)}",
    "aws id": lambda r: r.choice(["AKIA", "ASIA"]) + _draw(r, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "slack": lambda r: f"xox{r.choice('bp')}-{r.randrange(10**11)}-{r.randrange(10**11)}-{_draw(r, 24)}",
    "slack hook": lambda r: f"https://hooks.slack.com/services/T{_draw(r, 8)}/B{_draw(r, 8)}/{_draw(r, 24)}",
    "stripe": lambda r: f"{r.choice('sr')}k_live_{_draw(r, 24)}",
    "google": lambda r: "AIza" + _draw(r, 35, _ALNUM + "_-"),
    "google oauth": lambda r: "GOCSPX-" + _draw(r, 28),
    "hugging face": lambda r: "hf_" + _draw(r, 34, string.ascii_letters),
    "npm": lambda r: "npm_" + _draw(r, 36),
    "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + _draw(r, 60, _ALNUM + "_-"),
    "sendgrid": lambda r: f"SG.{_draw(r, 22)}.{_draw(r, 43)}",
    "digitalocean": lambda r: "dop_v1_" + _draw(r, 64, _HEX),
    "vault": lambda r: "hvs." + _draw(r, 90),
    "jwt": lambda r: f"eyJ{_draw(r, 20)}.eyJ{_draw(r, 60)}.{_draw(r, 43)}",
    "pem": lambda r: f"-----BEGIN RSA PRIVATE KEY-----\n{_draw(r, 64)}\n{_draw(r, 64)}\n-----END RSA PRIVATE KEY-----",
    "pem cut": lambda r: f"-----BEGIN PRIVATE KEY-----\n{_draw(r, 64)}\n{_draw(r, 40)}",
}
UNSHAPED: dict[str, Callable[[random.Random], str]] = {
    "aws secret": lambda r: _draw(r, 40, _ALNUM + "/+"),
    "base64url": lambda r: _draw(r, 43, _ALNUM + "_-"),
    "hex": lambda r: _draw(r, 32, _HEX),
    "uuid": lambda r: "-".join(_draw(r, n, _HEX) for n in (8, 4, 4, 4, 12)),
    "password": lambda r: (
        r.choice(["hunter2", "Tr0ub4dor&3", "correct horse", "S3cret!pass", "sommerregen"]) + _draw(r, 3)
    ),
    "passphrase": lambda r: r.choice(["correct horse battery", "blue monday river"]),
}
SECRETS = SHAPED | UNSHAPED

_ARGUMENTS = [
    "api_key",
    "apiKey",
    "API-Key",
    "token",
    "access_token",
    "accessToken",
    "password",
    "Password",
    "user_password",
    "secret",
    "client_secret",
    "clientSecret",
    "auth",
    "credentials",
    "credential",
    "passphrase",
    "db_pass",
    "refreshToken",
    "private_key",
    "privateKey",
    "bot_token",
    "x-api-key",
    "jwt",
    "session_token",
    "signing_key",
    "webhook_secret",
    "connectionString",
    "pwd",
    "authorization",
    "idToken",
]
_HEADERS = ["Authorization", "authorization", "X-Api-Key", "Cookie", "Set-Cookie", "Proxy-Authorization"]
_HEADERS += ["x-goog-api-key", "X-Auth-Token", "PRIVATE-TOKEN", "X-Amz-Security-Token", "X-CSRF-Token"]
_ENVIRONMENT = [
    "OPENAI_API_KEY",
    "DB_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "MY_SERVICE_KEY",
    "PGPASSWORD",
    "MYSQL_PWD",
    "NPM_TOKEN",
    "SLACK_BOT_TOKEN",
    "STRIPE_SECRET_KEY",
    "OPENWEATHER_KEY",
    "SMTP_PASS",
    "DJANGO_SECRET_KEY",
]
_FLAGS = ["--token", "--password", "-p", "--api-key", "--secret", "--auth-token", "--access-key", "--client-secret"]
_QUERY = ["api_key", "access_token", "sig", "key", "token", "X-Amz-Signature", "client_secret", "auth", "code"]


def _line(secret: str) -> str:
    return secret.replace("\n", "")


def _in_url(secret: str, also: str = "") -> str:
    """``secret`` as a URL carries it: what would end the component is percent-encoded."""
    return "".join(c if c.isalnum() or c in "-._~!$+=:" + also else f"%{ord(c):02X}" for c in secret)


def _dotenv(r: random.Random, v: str) -> dict[str, Any]:
    value = f'"{v}"' if " " in v or "&" in v else v
    return {"text": f"DEBUG=1\n{r.choice(_ENVIRONMENT)}={value}\nPORT=8080\n"}


PLACES: dict[str, Callable[[random.Random, str], Any]] = {
    "argument": lambda r, v: {"name": "connect", "arguments": {r.choice(_ARGUMENTS): v, "region": "eu"}},
    "nested": lambda r, v: {"a": [{"b": {r.choice(_ARGUMENTS): v}}]},
    "under": lambda r, v: {"credentials": {"user": "bob", "value": [v, {"x": v}]}},
    "header": lambda r, v: {"headers": {r.choice(_HEADERS): r.choice(["Bearer ", "", "token ", "Basic "]) + v}},
    "header pair": lambda r, v: {"headers": [[r.choice(_HEADERS), v], ["Accept", "*/*"]]},
    "header text": lambda r, v: {"text": f"GET / HTTP/1.1\r\n{r.choice(_HEADERS)}: {_line(v)}\r\nAccept: */*\r\n"},
    "environment": lambda r, v: {"env": {r.choice(_ENVIRONMENT): v}},
    "environment list": lambda r, v: {"env": [{"value": v, "name": r.choice(_ENVIRONMENT)}]},
    "environment file": lambda r, v: _dotenv(r, _line(v)),
    "userinfo": lambda r, v: {"url": f"https://user:{_in_url(_line(v))}@db.example.com/x"},
    "dsn": lambda r, v: {"text": f"use postgresql://svc:{_in_url(_line(v), '/')}@10.0.0.1:5432/db now"},
    "query": lambda r, v: {"uri": f"https://api.example.com/v1?q=1&{r.choice(_QUERY)}={_in_url(_line(v))}&page=2"},
    "fragment": lambda r, v: {"uri": f"https://app.example.com/cb#access_token={_in_url(_line(v))}&state=1"},
    "flag": lambda r, v: {"argv": ["tool", r.choice(_FLAGS), v, "x"]},
    "flag=": lambda r, v: {"argv": ["tool", r.choice(_FLAGS[:2] + _FLAGS[3:]) + "=" + v]},
    "assignment": lambda r, v: {"argv": ["env", f"{r.choice(_ENVIRONMENT)}={v}", "tool"]},
    "command": lambda r, v: {"command": f"tool {r.choice(_FLAGS[:2] + _FLAGS[3:])} '{_line(v)}' --verbose"},
    "curl": lambda r, v: {"command": f"curl -sH 'Authorization: Bearer {_line(v)}' https://x.example/y"},
    "curl key": lambda r, v: {"command": f'curl -H "X-Api-Key: {_line(v)}" https://x.example/y'},
    "json": lambda r, v: {"text": json.dumps({"config": {r.choice(_ARGUMENTS): v}, "debug": True})},
    "json twice": lambda r, v: {"text": json.dumps({"body": json.dumps({r.choice(_ARGUMENTS): v})})},
    "json pretty": lambda r, v: {"text": json.dumps({"config": {"secrets": {"x": v}}}, indent=2)},
    "yaml": lambda r, v: {"text": f"db:\n  host: x\n  {r.choice(_ARGUMENTS)}: {_line(v)}\n"},
    "yaml block": lambda r, v: {
        "text": "db:\n  password: |\n" + "".join(f"    {x}\n" for x in v.split("\n")) + "  x: 1\n"
    },
    "ini": lambda r, v: {"text": f"[db]\nhost = x\n{r.choice(_ARGUMENTS)} = {_line(v)}\nport = 5\n"},
    "xml": lambda r, v: {"text": f"<db><host>x</host><password>{_line(v)}</password></db>"},
    "json pair": lambda r, v: {"text": json.dumps({"env": [{"name": r.choice(_ENVIRONMENT), "value": v}]})},
    "python": lambda r, v: {"code": f"client = Client({r.choice(['api_key', 'password', 'token'])}={json.dumps(v)})"},
    "error": lambda r, v: {"text": f"401 from upstream: invalid header 'Authorization: Bearer {_line(v)}'"},
    "meta": lambda r, v: {"name": "x", "_meta": {"example.com/auth": {"token": v}, "progressToken": 1}},
    "request state": lambda r, v: {"inputResponses": {}, "requestState": v},
}
OPEN_PLACES: dict[str, Callable[[random.Random, str], Any]] = {
    "prose": lambda r, v: {"text": f"here is the key you asked for: {v} please keep it safe"},
    "bare": lambda r, v: {"value": v},
    "row": lambda r, v: {"rows": [["alice", v], ["bob", "x"]]},
    "content": lambda r, v: {"content": [{"type": "text", "text": f"line one\n{v}\nline three"}]},
}


@dataclass(frozen=True)
class Case:
    kind: str
    place: str
    secret: str
    payload: Any
    labelled: bool


def cases(count: int = 4000, seed: int = 20261122) -> list[Case]:
    rnd = random.Random(seed)
    places = PLACES | OPEN_PLACES
    made = []
    for _ in range(count):
        kind = rnd.choice(list(SECRETS))
        place = rnd.choice(list(places))
        secret = SECRETS[kind](rnd)
        payload = places[place](rnd, secret)
        made.append(Case(kind, place, secret, payload, place in PLACES or kind in SHAPED))
    return made


def leaks(secret: str, written: str) -> bool:
    """Does ``written`` (JSON) show ``secret``, or a telling part: 12 characters of its inside, or a whole word?"""
    for form in (secret, _in_url(secret), json.dumps(secret)[1:-1], _line(secret)):
        if form in written:
            return True
        inside = form[8:-8] if len(form) > 36 else form[4:]
        if len(inside) >= 12 and any(inside[i : i + 12] in written for i in range(0, len(inside) - 11, 4)):
            return True
    return "-----BEGIN" not in secret and any(word in written for word in secret.split() if len(word) >= 6)


_SCHEMA = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "Login name"},
        "password": {"type": "string", "description": "The account's password, at least 8 characters", "minLength": 8},
        "api_key": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Api Key"},
        "max_tokens": {"type": "integer", "minimum": 1},
    },
    "required": ["username", "password"],
}
_CODE = '''def authenticate(request, token: str, password: str | None = None) -> bool:
    """Check the token; raises AuthError."""
    user = get_user(token=token, password=password)
    api_key = os.environ["API_KEY"]
    if user.token == token and user.password != "":
        secret = settings.SECRET_KEY
        return user.is_authenticated
    tokens = tokenizer.encode(text, max_length=128)
    for key, value in sorted(tokens.items(), key=lambda pair: pair[1]):
        cache_key = f"{key}:{value}"
'''
BENIGN: tuple[Any, ...] = (
    {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"progressToken": 3}},
    {"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}, "isError": False},
    {
        "protocolVersion": "2025-11-25",
        "capabilities": {"roots": {"listChanged": True}, "sampling": {}, "experimental": {"auth": {}}},
        "clientInfo": {"name": "inspector", "version": "1.4.2"},
    },
    {"tools": [{"name": "login", "description": "Log in with user name and password.", "inputSchema": _SCHEMA}]},
    {"tools": [{"name": "t", "outputSchema": {"type": "object", "properties": {"token_count": {"type": "integer"}}}}]},
    {"prompts": [{"name": "review", "arguments": [{"name": "code", "description": "Code", "required": True}]}]},
    {"city": "Zurich", "units": "metric", "days": 3, "lat": 47.3769, "lon": 8.5417},
    {"query": "select name, author from books where session_id is not null and key = 4 limit 10", "max_tokens": 4096},
    {"path": "/home/user/projects/token-ring/src/auth/password_reset/README.md", "encoding": "utf-8"},
    {"text": "The author of the secret garden wrote about passwords and tokens. " * 20},
    {"text": "Forgot your password? The password must have 8 characters; your token is invalid. Basic authentication."},
    {"id": "9f1c6a52-2f6e-4a3b-9f35-0b9a1c2d3e4f", "commit": "3b2543b8f7a6e5d4c3b2a1908f7e6d5c4b3a2918"},
    {"code": _CODE},
    {"nextCursor": "eyJvZmZzZXQiOjEwMCwibGFzdCI6IjIwMjYtMTEtMjIifQ==", "sort_key": "created_at", "primary_key": "id"},
    {"next_page_token": "CAUQAAoKMTIzNDU2Nzg5MBIKMTIzNDU2Nzg5MA", "page": 3},
    {"messages": [{"role": "user", "content": {"type": "text", "text": "What's the weather like in session 4?"}}]},
    {"sha256": "7800c94d75351c1c5ae5a5a2cbbd09e1f86b5fb6b3c4c2f0a1b2c3d4e5f60718", "size": 1234},
    {"_meta": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "progressToken": "p-17"}},
    {"usage": {"prompt_tokens": 12, "completion_tokens": 345, "total_tokens": 357}, "stopReason": "maxTokens"},
    {"level": "info", "logger": "uvicorn.access", "data": '127.0.0.1:54321 - "POST /mcp HTTP/1.1" 200 OK'},
    {"text": "commit 3b2543b8f7a6e5d4c3b2a1908f7e6d5c4b3a2918\nAuthor: Jo Doe <jo@example.com>\nDate: Sun Nov 22"},
    {
        "text": 'Traceback (most recent call last):\n  File "/usr/lib/python3.11/site-packages/mcp/server/server.py", '
        "line 512, in _handle_request\n    response = await handler(req)\nKeyError: 'primary_key'"
    },
    {"text": "NAME                                 READY\nweb-frontend-7d9f8b6c5d-x2x4z        1/1\nauth-proxy-0  1/1"},
    {"image": "ghcr.io/example/mcp-server@sha256:7800c94d75351c1c5ae5a5a2cbbd09e1f86b5fb6b3c4c2f0a1b2c3d4e5f60718"},
    {"text": '"integrity": "sha512-Zk1uYVpNQlBKTmRzRVhFa2pOQ3JHUT09Zk1uYVpNQlBKTmRzRVhFa2pOQ3JHUT09=="'},
    {"uri": "https://example.com/search?q=token+ring&page=2&sort=key#section-4", "method": "GET"},
    {"uri": "file:///srv/data/reports/2026/Q3/KeyAccounts_2026-09-30_final-v2.xlsx"},
    {"arn": "arn:aws:iam::123456789012:role/service-role/MyLambdaExecutionRole-eu-west-1"},
    {"argv": ["docker", "run", "-p", "8080:80", "-u", "1000:1000", "--rm", "-v", "/srv:/srv", "nginx:1.27-alpine"]},
    {"command": "mkdir -p /srv/data && git push -u origin feature/token-refresh && pytest -p no:cacheprovider -k auth"},
    {"command": "curl -sS -H 'Accept: application/json' -o out.json https://api.example.com/v1/items?limit=10"},
    {"text": "# Configuration\n\nSet `API_KEY` to your key:\n\n  export API_KEY=<your-key>\n TOKEN=$MY_TOKEN\n"},
    {"text": json.dumps([{"id": i, "name": f"user{i}", "keyword": "pin board", "monkey": True} for i in range(20)])},
    {"text": "Passwörter und Schlüssel: Änderungen an der Tür, 日本語のテキスト, emoji \U0001f511 and naïve café."},
    {"html": '<input type="password" name="password" required><meta name="keywords" content="a"><a href="#token">'},
    {"authorization_endpoint": "https://as.example.com/authorize", "token_endpoint": "https://as.example.com/token"},
    {"token_type": "Bearer", "expires_in": 3600, "scope": "read", "token_endpoint_auth_methods_supported": ["none"]},
    {
        "issue_key": "PROJ-1234",
        "project_key": "PROJ",
        "authors": ["A. Author"],
        "authority": "city",
        "keyboard": "qwertz",
    },
    {
        "has_password": True,
        "password_required": False,
        "password_min_length": 12,
        "secret_name": "prod/db",
        "token": None,
    },
    {
        "working_directory": "/srv",
        "pwd": "/srv/app",
        "PWD": "/srv/app",
        "HOME": "/root",
        "SSH_AUTH_SOCK": "/tmp/agent.7",
    },
    {"diff": "--- a/src/auth.py\n+++ b/src/auth.py\n@@ -1,4 +1,4 @@\n-from x import token\n+from x import tokens\n"},
    {"signature": "def login(user: str, password: str) -> Token", "docstring": "See RFC 6749, section 4.1."},
    {
        "blobs": [
            {"name": "a.png", "size": 12, "lastModified": "2026-11-22T10:00:00.123456Z", "etag": '"33a64df551425fcc"'}
        ]
    },
    {"text": "sk-learn is one; task-management-for-everyone-2026 is a slug; the ask-me-anything-session-42 page."},
    {"className": "flex items-center justify-between px-4 py-2 bg-gray-100 hover:bg-gray-200 dark:bg-gray-800"},
    {"test": "tests/unit/test_auth_middleware.py::TestTokenRefresh::test_expired_token_is_refreshed_v2[sqlite]"},
)
