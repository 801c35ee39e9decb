"""What the key of a background task says of its request, where the worker runs in another process."""

from __future__ import annotations

import pytest

from bluerock_hooks.hooks.mcp import _tasks


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("e85535c3:1aa56792:tool:slow", ("tools/call", "slow", "e85535c3")),
        ("e85535c3:1aa56792:resource:file%3A%2F%2Fa%2540", ("resources/read", "file://a%40", "e85535c3")),
        ("anon:f7fb337e:tool:tool%3Aslow%40", ("tools/call", "slow", None)),
        ("anon:f7fb337e:template:template%3Ares%3A%2F%2F%7Ba%7D%401.2", ("resources/read", "res://{a}", None)),
        ("auth:client%7Csub:f7fb337e:prompt:prompt%3Aask%40", ("prompts/get", "ask", None)),
    ],
)
def test_the_keys_of_fastmcp_name_the_request(key: str, wanted: tuple[str, ...]) -> None:
    request = _tasks._request(key)
    assert request is not None
    assert request == wanted


@pytest.mark.parametrize("key", ["", "0193", "my-task", "a:b:c:d", "tool:", ":", "a:tools:x"])
def test_other_keys_name_none(key: str) -> None:
    assert _tasks._request(key) is None
