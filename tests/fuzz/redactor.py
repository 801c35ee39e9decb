"""The redactor on any value: it swallows nothing, its answer is JSON, no longer than it may be, and done at once."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from bluerock_hooks import _guard
from bluerock_hooks.redact import Redactor

from ._drawing import Bytes

POLICIES = [Redactor(payloads=policy, results=policy) for policy in ("redacted", "full", "shape", "none")]
SMALL = Redactor(max_text=50, max_items=5, max_depth=3, limit=2000)


def one(data: bytes) -> None:
    source = Bytes(data)
    mode = source.byte()
    before = _guard.caught
    began = time.thread_time()
    if mode < 64:
        text = source.rest().decode("utf-8", "surrogateescape")
        for redactor in (POLICIES[0], SMALL):
            redactor.text(text).encode()
            redactor.url(text).encode()
            _encodable(redactor.argv(text.split(" ")))
    else:
        value = source.value()
        for redactor in POLICIES:
            _encodable(redactor.params(value))
            _encodable(redactor.message({"id": value, "method": value, "params": value, "result": value}))
            _encodable(redactor.message({"error": value}))
        assert len(_encodable(SMALL.params(value))) < 6 * 2 * 2000
    assert _guard.caught == before, _guard.places
    assert time.thread_time() - began < 5, "it takes long"


def _encodable(value: Any) -> bytes:
    return msgspec.json.encode(value)
