"""The redactor against the corpus: no labelled secret passes, few unlabelled ones, and harmless payloads stay whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from _redact_corpus import BENIGN, OPEN_PLACES, PLACES, SECRETS, SHAPED, cases, leaks

from bluerock_hooks.redact import Redactor, settled

redactor = Redactor()


def kept(payload: Any) -> Any:
    """As the encoder does it: what is settled is not walked."""
    return payload if type(payload) is dict and settled(payload) else redactor.params(payload)


def written(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def test_the_corpus_can_fail() -> None:
    """Unredacted, nearly every case leaks: what the other tests count is not nothing."""
    made = cases()
    assert sum(leaks(case.secret, written(case.payload)) for case in made) == len(made) == 4000
    assert {case.kind for case in made} == set(SECRETS)
    assert {case.place for case in made} == {*PLACES, *OPEN_PLACES}


@pytest.mark.parametrize("seed", [20261122, 1, 2])
def test_no_labelled_secret_passes(seed: int) -> None:
    passed = [c for c in cases(seed=seed) if c.labelled and leaks(c.secret, written(kept(c.payload)))]
    assert not passed, [(c.kind, c.place, c.payload) for c in passed[:5]]


def test_few_secrets_pass_that_nothing_labels() -> None:
    made = cases()
    passed = [case for case in made if leaks(case.secret, written(kept(case.payload)))]
    assert len(passed) <= 0.035 * len(made), Counter((c.kind, c.place) for c in passed).most_common()
    # By chance alone a random token may look written; hex, UUIDs and passwords in the open nobody can know.
    random = [c for c in made if c.kind in ("aws secret", "base64url")]
    assert len([c for c in passed if c in random]) <= 0.02 * len(random)


@pytest.mark.parametrize("kind", sorted(SHAPED))
@pytest.mark.parametrize("place", sorted(OPEN_PLACES))
def test_a_known_shape_is_found_anywhere(kind: str, place: str) -> None:
    import random

    rnd = random.Random(f"{kind}{place}")
    for _ in range(20):
        secret = SHAPED[kind](rnd)
        assert not leaks(secret, written(kept(OPEN_PLACES[place](rnd, secret))))


@pytest.mark.parametrize("payload", BENIGN, ids=lambda p: written(p)[:40])
def test_harmless_payloads_stay_whole(payload: Any) -> None:
    assert redactor.params(payload) is payload


def test_results_are_held_to_the_same_bar() -> None:
    passed = [c for c in cases(500, 7) if c.labelled and leaks(c.secret, written(redactor.result(c.payload)))]
    full = Redactor(payloads="full")
    passed += [c for c in cases(500, 7) if c.labelled and leaks(c.secret, written(full.params(c.payload)))]
    assert not passed
