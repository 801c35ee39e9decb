"""``schema``: the JSON Schema of all events, from the Structs that define them."""

from __future__ import annotations

import argparse
import json


def main(args: list[str], prog: str) -> int:
    """Print the schema of one line: any of the kinds, told apart by ``event.meta.name``."""
    argparse.ArgumentParser(prog=prog, description="Print the JSON Schema of all events.").parse_args(args)
    print(json.dumps(document(), indent=2))
    return 0


def document() -> dict[str, object]:
    """The JSON Schema of a line of the spool."""
    import msgspec

    from ..events import KINDS

    kinds, definitions = msgspec.json.schema_components(KINDS, ref_template="#/$defs/{name}")
    events = [
        {"allOf": [kind, {"properties": {"meta": {"properties": {"name": {"const": cls.NAME}}}}}]}
        for kind, cls in zip(kinds, KINDS, strict=True)
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bluerock-hooks events, one a line",
        "type": "object",
        "properties": {"ts": {"type": "string", "format": "date-time"}, "event": {"anyOf": events}},
        "required": ["ts", "event"],
        "$defs": definitions,
    }
