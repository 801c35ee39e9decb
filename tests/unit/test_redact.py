"""What the redactor keeps, cuts and hides, by example."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from bluerock_hooks.redact import Redactor, _clean, _patterns

MARK = "[redacted]"
redactor = Redactor()


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    "payload",
    [
        {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"progressToken": 3}},
        {"content": [{"type": "text", "text": "3"}], "structuredContent": {"result": 3}, "isError": False},
        {
            "content": [
                {"type": "text", "text": "a longer text of more than sixty-four characters, and still clean. " * 3}
            ]
        },
        {"rows": [[i, 1.5, None, True] for i in range(40)]},
        [],
        "plain",
        None,
        3,
    ],
)
def test_what_is_clean_is_returned_as_it_is(payload: Any) -> None:
    assert redactor.params(payload) is payload
    assert redactor.result(payload) is payload


def test_the_input_is_never_changed() -> None:
    payload = {"a": [{"password": "hunter2", "b": ["--token", "x1"]}], "t": "x" * 5000}
    before = msgspec.json.encode(payload)
    redactor.params(payload)
    assert msgspec.json.encode(payload) == before


@pytest.mark.parametrize(
    "name",
    words("""
    password Password PASSWORD user_password userPassword api_key apiKey API-Key X-Api-Key authorization Cookie
    DB_PASS client_secret clientSecret accessToken session_token AWS_SECRET_ACCESS_KEY connectionString jwt
    credentials private_key oauth2Token newPasswordConfirm token_value password2 OPENWEATHER_KEY requestState
    codeVerifier
    """),
)
def test_a_name_makes_a_secret(name: str) -> None:
    assert redactor.params({name: "plainword"}) == {name: MARK}


@pytest.mark.parametrize(
    "name",
    words("""
    max_tokens maxTokens sort_key primaryKey progressToken nextCursor next_page_token author authority tokens
    key public_key token_type token_endpoint authorization_endpoint password_policy secret_name keyboard monkey
    passenger secretary issue_key cacheKey pinned spinning compass token_count author_auth_url tokenizer bypass
    """),
)
def test_a_harmless_name_does_not(name: str) -> None:
    assert redactor.params({name: "plainword"}) == {name: "plainword"}


def test_numbers_go_under_names_that_make_numbers_secret() -> None:
    secret = {
        "pin": 1234,
        "password": 12.5,
        "otp": 7,
        "max_tokens": 5,
        "token": 3,
        "has_password": True,
        "secret": None,
    }
    expected = {**secret, "pin": MARK, "password": MARK, "otp": MARK}
    assert redactor.params(secret) == expected


def test_every_leaf_under_a_secret_name_goes() -> None:
    got = redactor.params({"credentials": {"user": "bob", "more": [1, "x", {"y": True, "z": None}]}})
    assert got == {"credentials": {"user": MARK, "more": [MARK, MARK, {"y": True, "z": None}]}}


def test_a_schema_that_describes_a_password_stays_and_its_default_goes() -> None:
    member = {
        "type": "string",
        "description": "Your password",
        "default": "hunter2",
        "minLength": 8,
        "examples": ["x1"],
    }
    got: Any = redactor.params({"inputSchema": {"type": "object", "properties": {"password": member}}})
    kept = got["inputSchema"]["properties"]["password"]
    assert kept == {**member, "default": MARK, "examples": [MARK]}


def test_name_and_value_pairs_are_read_in_either_order() -> None:
    for pair in ({"name": "API_KEY", "value": "v1"}, {"value": "v1", "key": "Authorization"}):
        assert redactor.params({"env": [pair]}) == {"env": [{**pair, "value": MARK}]}
    assert redactor.params([["Authorization", "Bearer abc"]]) == [["Authorization", MARK]]
    assert redactor.params({"name": "city", "value": "Rome"}) == {"name": "city", "value": "Rome"}


def test_a_secret_is_not_remembered_as_clean() -> None:
    secret = "zq81plain"
    redactor.params(
        {"name": "x", "password": secret, "l": ["--token", secret], "p": {"value": secret, "name": "API_KEY"}}
    )
    redactor.argv(["tool", "-p", secret])
    assert secret not in _clean.clean
    assert secret not in _patterns._verdicts


def test_the_memory_is_bounded() -> None:
    for i in range(6000):
        redactor.params({f"name{i}x": f"value {i}"})
    assert len(_clean.names) <= 2048
    assert len(_clean.clean) <= 2048
    assert len(_patterns._verdicts) <= 2048


# --- text ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer correct horse\nAccept: x", f"Authorization: {MARK}\nAccept: x"),
        ("curl -H 'Authorization: Basic dTpw' https://x", f"curl -H 'Authorization: {MARK}' https://x"),
        ("curl -u bob:hunter2 https://x", f"curl -u bob:{MARK} https://x"),
        ("mysql -uroot -phunter2 db", f"mysql -uroot -p{MARK} db"),
        ("tool --password hunter2 --verbose", f"tool --password {MARK} --verbose"),
        ("DB_PASSWORD=hunter2 ./run", f"DB_PASSWORD={MARK} ./run"),
        ("{'password': 'a b', 'x': 1}", f"{{'password': '{MARK}', 'x': 1}}"),
        ('{"a":"{\\"token\\":\\"a b\\"}","x":1}', f'{{"a":"{{\\"token\\":\\"{MARK}\\"}}","x":1}}'),
        ('{"credentials": {"u": "bob", "p": "}x"}, "y": 2}', f'{{"credentials": {MARK}, "y": 2}}'),
        ("the password is hunter2.", f"the password is {MARK}"),
        ("api key: abc123", f"api key: {MARK}"),
        ("GET /x?a=1&sig=abc&b=2", f"GET /x?a=1&sig={MARK}&b=2"),
        ("see https://bob:pw@host/x", f"see https://{MARK}@host/x"),
        ("redis://:pw@host:6379/0", f"redis://{MARK}@host:6379/0"),
        ("AKIAIOSFODNN7EXAMPLE!", f"{MARK}!"),
        ("db:\n  password: |\n    line one\n    two\n  port: 1", f"db:\n  password: |\n    {MARK}\n  port: 1"),
        ("db:\n  credentials:\n    user: x\n  port: 1", f"db:\n  credentials:\n    {MARK}\n  port: 1"),
        ("[a]\npassword = hunter two\nport = 1", f"[a]\npassword = {MARK}\nport = 1"),
        ("machine h login bob password hunter2", f"machine h login bob password {MARK}"),
        ("<a><password>hunter2</password></a>", f"<a><password>{MARK}</password></a>"),
        ('<add key="ApiKey" value="abc"/>', f'<add key="ApiKey" value="{MARK}"/>'),
        ('[{"name": "API_KEY", "value": "a b"}]', f'[{{"name": "API_KEY", "value": "{MARK}"}}]'),
        ('PASSWORD = """a\nb""" + x', f'PASSWORD = """{MARK}""" + x'),
        (
            "1 validation error for f\ndb.password\n  No int [type=int_parsing, input_value='a b', input_type=str]",
            f"1 validation error for f\ndb.password\n  No int [type=int_parsing, input_value={MARK}, input_type=str]",
        ),
        (  # pydantic cuts out the middle, and here the name with it
            "R\n  No dict [type=model_type, input_value=[{'jsonrpc': '2.0', 'id':...'hunter'}}], input_type=list]",
            f"R\n  No dict [type=model_type, input_value=[{{'jsonrpc': '2.0', 'id':...{MARK}, input_type=list]",
        ),
    ],
)
def test_labelled_secrets_in_text(text: str, expected: str) -> None:
    assert redactor.text(text) == expected
    assert redactor.text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "def f(token: str, password: str | None = None) -> Token: ...",
        "login(user, password=password, token=self.token)",
        "export API_KEY=<your key> TOKEN=$TOKEN SECRET=${SECRET}",
        "The token: a story. Forgot your password? Basic authentication, bearer of news.",
        "ssh://git@github.com/a/b and git@github.com:a/b, http://host:80/x@y, a@b.example",
        "arn:aws:secretsmanager:us-west-2:1234:secret:mine",
        "mkdir -p /srv; docker run -p 8080:80 -u 1000:1000 x",
        "1 validation error for f\na\n  Not an integer [type=int_parsing, input_value='x', input_type=str]",
    ],
)
def test_harmless_text(text: str) -> None:
    assert redactor.text(text) is text


# --- URLs and arguments ---


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://bob:pw@h.example:8443/a?x=1&api_key=k1#top", f"https://h.example:8443/a?x=1&api_key={MARK}#top"),
        ("https://bob:p/w@h.example/a", "https://h.example/a"),
        ("https://bob:p@w@h.example/a?b=c@d", "https://h.example/a?b=c@d"),
        ("https://h/cb#access_token=abc&state=1", f"https://h/cb#access_token={MARK}&state=1"),
        ("https://h/a?api%5Fkey=k1;sig=2", f"https://h/a?api%5Fkey={MARK};sig={MARK}"),
        ("https://[::1]:8080/mcp", "https://[::1]:8080/mcp"),
        ("http://localhost:8000/mcp?page=2&key_name=a", "http://localhost:8000/mcp?page=2&key_name=a"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    assert redactor.url(url) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["t", "--token", "x1", "y"], ["t", "--token", MARK, "y"]),
        (["t", "--api-key=a b"], ["t", f"--api-key={MARK}"]),
        (["t", "-p", "hunter2"], ["t", "-p", MARK]),
        (["/usr/bin/mkdir", "-p", "a"], ["/usr/bin/mkdir", "-p", "a"]),
        (["docker", "run", "-p", "80:80"], ["docker", "run", "-p", "80:80"]),
        (["env", "DB_PASSWORD=a b", "t"], ["env", f"DB_PASSWORD={MARK}", "t"]),
        (["t", "--no-auth", "--verbose"], ["t", "--no-auth", "--verbose"]),
        (["curl", "-u", "bob:pw", "https://a:b@c/"], ["curl", "-u", f"bob:{MARK}", f"https://{MARK}@c/"]),
        (["python", "-c", "password = 'pw'; f()"], ["python", "-c", f"password = '{MARK}'; f()"]),
        (["sh", "-c", "tool --secret s1 x"], ["sh", "-c", f"tool --secret {MARK} x"]),
    ],
)
def test_arguments(args: list[str], expected: list[str]) -> None:
    assert redactor.argv(args) == expected


def test_code_on_the_command_line_is_cut() -> None:
    got = redactor.argv(["python", "-c", "x = 1\n" * 1000, *["a"] * 100])
    assert got[2].endswith("…[+3952]")
    assert len(got) == 65
    assert got[64] == "…[+39]"


# --- cutting ---


def test_strings_containers_and_depth_are_cut() -> None:
    assert redactor.params("word " * 1000) == "word " * 409 + "…[+2955]"
    assert redactor.params({"l": list(range(100))}) == {"l": [*range(64), "…[+36]"]}
    got: Any = redactor.params({f"k{i}": i for i in range(100)})
    assert len(got) == 65
    assert got["…"] == "+36"
    nested: Any = "x"
    for _ in range(20):
        nested = [{"a": 1, "b": 2, "c": 3, "d": 4, "e": nested}]
    assert msgspec.json.encode(redactor.params(nested)).decode().count("[") == 4
    assert "…{5}" in msgspec.json.encode(redactor.params(nested)).decode()
    deep = {"a": {"b": {"c": {"d": {"e": {"f": {"g": [1], "h": [1, 2, 3, 4, 5], "i": {"j": [1]}}}}}}}}
    got = redactor.params(deep)["a"]["b"]["c"]["d"]["e"]["f"]
    assert got == {"g": [1], "h": "…[5]", "i": {"j": "…[1]"}}


def test_a_secret_that_the_cut_halves_goes() -> None:
    for offset in range(2000, 2060):
        text = "a " * (offset // 2) + "ghp_" + "a1B2c3D4" * 5
        assert "ghp_" not in redactor.text(text)
        text = "a " * (offset // 2) + "postgres://svc:pa$s,w(rd@host/x" + "b" * 100
        assert "pa$" not in redactor.text(text)
        text = "a " * (offset // 2) + '"password": "correct horse battery"' + "b" * 100
        assert "correct" not in redactor.text(text)


def test_what_fits_the_limit_is_all_that_comes() -> None:
    wide = {f"k{i}": ["word " * 400] * 64 for i in range(64)}
    assert len(msgspec.json.encode(redactor.params(wide))) < 2 * 65536
    shared: Any = "leaf"
    for _ in range(8):
        shared = [shared] * 16
    assert len(msgspec.json.encode(redactor.params(shared))) < 2 * 65536


@pytest.mark.parametrize("policy", ["redacted", "full", "shape"])
def test_hostile_sizes_take_no_time(policy: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    cycle: Any = {}
    cycle["self"] = [cycle] * 16
    hostile = [deep, cycle, "x" * 100_000_000, list(range(1_000_000)), dict.fromkeys(range(100_000)), {"k" * 10**7: 1}]
    bounded = Redactor(payloads=policy)
    started = time.perf_counter()
    for value in hostile:
        # A list and a set of flags together: the quick tier and the walk both meet it.
        msgspec.json.encode(bounded.params({"v": value}))
    assert time.perf_counter() - started < 2.0
    while deep:
        deep = deep.pop()


# --- types ---


class _Loud:
    """Whoever asks it anything fails the test."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    __repr__ = __str__ = __len__ = __iter__ = __eq__ = __hash__ = __bool__ = __getattribute__  # type: ignore[assignment]


class _Text(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __hash__(self) -> int:
        return str.__hash__(self)


class _Number(int):
    pass


def test_foreign_objects_are_named_and_never_asked() -> None:
    got = redactor.params({"a": _Loud(), "b": _Text("x"), "c": _Number(3), "d": b"12345", "e": {1, 2}, "f": [_Loud()]})
    assert got == {"a": "<_Loud>", "b": "<_Text>", "c": "<_Number>", "d": "<bytes 5>", "e": "<set>", "f": ["<_Loud>"]}
    assert redactor.params({_Text("name"): "API_KEY", 3: 1, None: 2, (1,): 3}) == {
        "<_Text>": "API_KEY",
        "<int>": 1,
        "<NoneType>": 2,
        "<tuple>": 3,
    }
    assert redactor.text(_Text("x")) == "<_Text>"
    assert redactor.url(_Loud()) == "<_Loud>"  # type: ignore[arg-type]
    assert redactor.argv([_Text("x"), "y"]) == ["<_Text>", "y"]
    assert redactor.argv(_Loud()) == ["<_Loud>"]  # type: ignore[arg-type]


def test_what_json_cannot_say_is_said_in_words() -> None:
    values = {
        "nan": float("nan"),
        "inf": float("inf"),
        "ninf": -float("inf"),
        "big": 10**30,
        "top": 2**64 - 1,
        "s": "a\udc80ü",
    }
    got = redactor.params(values)
    assert got == {
        "nan": "NaN",
        "inf": "Infinity",
        "ninf": "-Infinity",
        "big": "<int 100 bits>",
        "top": 2**64 - 1,
        "s": "a\\udc80ü",
    }
    msgspec.json.encode(got)
    assert redactor.params({"\udc80k": 1}) == {"\\udc80k": 1}


# --- policies ---

MESSAGE: dict[str, Any] = {
    "id": 1,
    "method": "tools/call",
    "params": {"name": "f", "arguments": {"q": "x", "n": [1, 2]}},
}


def test_policies() -> None:
    assert redactor.message(MESSAGE) is MESSAGE
    shape = Redactor(payloads="shape").message(MESSAGE)
    assert shape["params"] == {"name": "<str 1>", "arguments": {"q": "<str 1>", "n": ["<int>", "<int>"]}}
    assert Redactor(payloads="none").message(MESSAGE) == {"id": 1, "method": "tools/call"}
    long = {"text": "word " * 3000, "rows": list(range(500)), "token": "t1"}
    assert Redactor(payloads="full").params(long) == {**long, "token": MARK}


def test_results_and_errors_follow_the_policy_of_results() -> None:
    answer = {"id": "r-1", "result": {"content": [], "token": "t1"}}
    assert redactor.message(answer) == {"id": "r-1", "result": {"content": [], "token": MARK}}
    assert Redactor(results="none").message(answer) == {"id": "r-1"}
    failed = {"id": 2, "error": {"code": -32602, "message": "bad password=hunter2", "data": {"secret": "x"}}}
    assert redactor.message(failed) == {
        "id": 2,
        "error": {"code": -32602, "message": f"bad password={MARK}", "data": {"secret": MARK}},
    }
    assert Redactor(results="none").message(failed) == {
        "id": 2,
        "error": {"code": -32602, "message": f"bad password={MARK}"},
    }
    plain = {"id": 3, "error": {"code": -32601, "message": "Method not found"}}
    assert redactor.message(plain) is plain


def test_ids_and_methods_are_bounded_too() -> None:
    got = redactor.message({"id": "i" * 10**6, "method": _Loud(), 3: 4, "params": None})
    assert got == {"id": f"…[+{10**6}]", "method": "<_Loud>", "<int>": 4, "params": None}


@pytest.mark.swallows
def test_a_failure_drops_the_member_and_says_so(
    monkeypatch: pytest.MonkeyPatch, refuse_to_fail_open: list[tuple[str, Exception]]
) -> None:
    def broken(*_: object) -> object:
        raise ValueError("broken")

    monkeypatch.setattr("bluerock_hooks.redact.Walk.value", broken)
    monkeypatch.setattr("bluerock_hooks.redact.Walk.string", broken)
    monkeypatch.setattr("bluerock_hooks.redact.Walk.arguments", broken)
    secret = {"password": "hunter2"}
    assert redactor.params(secret) == redactor.result(secret) == "[unreadable]"
    assert redactor.message({"method": "m" * 100, "params": secret}) == {
        "method": "[unreadable]",
        "params": "[unreadable]",
    }
    assert redactor.text("too long to be remembered " * 9) == redactor.url("https://x") == "[unreadable]"
    assert redactor.argv(["x"]) == ["[unreadable]"]
    assert {place for place, _ in refuse_to_fail_open} == {"redact"}


def test_a_payload_that_changes_while_it_is_read_costs_only_itself() -> None:
    # Not a dict: what the wire never sends.
    assert redactor.message([1]) == {"unreadable": True}  # type: ignore[arg-type]
