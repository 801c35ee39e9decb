"""Holds every line that a test reads against the JSON Schema, closed: a member that it does not name fails the test."""

from __future__ import annotations

import functools
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from bluerock_hooks.cli import schema
from bluerock_hooks.events import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRUCTS = {kind.NAME: kind.__name__ for kind in KINDS}


def closed() -> dict[str, Any]:
    """The schema that ``bluerock-hooks schema`` prints, without its permission to grow."""
    document = deepcopy(schema.document())
    for part in (document, *document["$defs"].values()):
        part["additionalProperties"] = False
    return document


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(closed(), validate_formats=True)


@functools.cache
def _validator_of(name: str) -> Any:
    document = closed()
    document["properties"]["event"] = {"$ref": f"#/$defs/{_STRUCTS.get(name, 'CutEvent')}"}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)


def check(lines: Iterable[dict[str, Any]]) -> None:
    """Fail with what is wrong with the first line that the schema does not allow."""
    validator = _validator()
    for line in lines:
        if not validator.is_valid(line):
            name = line.get("event", {}).get("meta", {}).get("name", "")
            wrong = [error.message for error in _validator_of(name).iter_errors(line)]
            raise AssertionError(f"not as bluerock-hooks schema says: {wrong or 'no such kind'}: {line}")
