"""What the line of an event has around its members, as text::

    {"ts":"<time>  <opening>  <number>  <closing>  [,"mcp":<request>]  }  [,<members>]  }}

Lines that are made in one piece (``_envelope``, ``notes``) and those of drafts have it from here.
"""

from __future__ import annotations

from . import _plain

SCHEMA = "1.0"
ORIGIN = "bluerock_hooks"
SENSOR_ID = 1


def opening(name: str, kind: str) -> str:
    """What stands between the time and the number: the same for every event of that name."""
    meta = {"name": name, "type": kind, "origin": ORIGIN, "schema": SCHEMA, "sensor_id": SENSOR_ID}
    return f'","event":{{"meta":{_plain.dumps(meta)[:-1]},"source_event_id":'


def dashed(digits: str) -> str:
    """32 hex digits as a UUID is written."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def closing(component_id: str, pid: int) -> str:
    """What stands between the number and the request: the same for every event of a process."""
    return f',"component_id":"{component_id}"}},"context":{{"process":{{"pid":{pid}}}'
