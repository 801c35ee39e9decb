"""Secrets that the tests plant, one for each place, and what they look like when somebody encodes them.

They are made of letters only, so that nothing but its label tells that one is a secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import quote

_planted: list[str] = []


def canary(place: str) -> str:
    """The secret of this place, the same in every process: ``kanarie`` and twelve letters."""
    digest = hashlib.sha256(place.encode()).digest()
    return "kanarie" + "".join(chr(97 + byte % 26) for byte in digest[:12])


def forms(secret: str) -> set[bytes]:
    """``secret`` as it is, percent-encoded, as JSON within JSON, in base64 wherever it begins, in hex, backwards."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode(), raw[::-1]}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw)
        found.add(coded[4 if lead else 0 : len(coded) // 4 * 4 - 4])  # what depends on its neighbours cut off
    found |= {b"".join(b"%%%02X" % byte for byte in raw)}
    return found
