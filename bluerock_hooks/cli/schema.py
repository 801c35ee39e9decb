"""``schema``: the JSON Schema of all events, from the Structs that define them."""

from __future__ import annotations

import argparse
import json
from typing import Any


def main(args: list[str], prog: str) -> int:
    """Print the schema of one line: any of the kinds, told apart by ``event.meta.name``."""
    argparse.ArgumentParser(prog=prog, description="Print the JSON Schema of all events.").parse_args(args)
    print(json.dumps(document(), indent=2))
    return 0


def document() -> dict[str, Any]:
    """The JSON Schema of a line of the spool. Members that it does not name are allowed: the schema grows."""
    import msgspec

    from ..events import KINDS, CutEvent, Event

    structs: tuple[type[Event], ...] = (*KINDS, CutEvent)
    _, definitions = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        _as_written(definition)
    for struct in structs:  # an event is stamped before it is written
        envelope = [name for name in Event.__struct_fields__ if name not in definitions[struct.__name__]["required"]]
        definitions[struct.__name__]["required"][:0] = envelope
    kinds = [_named(f"#/$defs/{kind.__name__}", kind.NAME) for kind in KINDS]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bluerock-hooks events, one a line",
        "type": "object",
        "properties": {
            "ts": {"type": "string", "format": "date-time"},
            "event": {"anyOf": [*kinds, {"$ref": f"#/$defs/{CutEvent.__name__}"}]},
        },
        "required": ["ts", "event"],
        "$defs": definitions,
    }


def _named(reference: str, name: str) -> dict[str, Any]:
    """An event of the kind whose ``meta.name`` is ``name``."""
    return {"$ref": reference, "properties": {"meta": {"properties": {"name": {"const": name}}}}}


def _as_written(definition: dict[str, Any]) -> None:
    """Without the ``null`` that the Structs have for what is unknown: in a line it is left out."""
    definition.setdefault("required", [])
    for member in definition["properties"].values():
        if member.get("default", ...) is None:
            del member["default"]
        kept = [arm for arm in member.get("anyOf", ()) if arm != {"type": "null"}]
        if len(kept) == 1:
            member.pop("anyOf")
            member.update(kept[0])
        elif kept:
            member["anyOf"] = kept
