"""Run inside an environment with the sensor and an SDK: every entry of ours into the host fails, the example goes on.

Usage: ``python _sabotaged.py EXAMPLES_DIRECTORY MODE PLACE``; PLACE names what raises.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

examples, mode, place = sys.argv[1:]
sys.path[:0] = [examples, str(Path(__file__).parent.parent)]

import _in_memory
import mcp  # noqa: F401  loads the hooks
from bluerock_hooks import _guard
from bluerock_hooks import encode as encode_module
from bluerock_hooks import recorder as recorder_module
from bluerock_hooks.hooks import mcp as hooks
from bluerock_hooks.hooks.mcp import _catalog, _direct, _forms, _inventory, _messages, _sessions, _transports, _v1, _v2


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError("sabotage")


TARGETS: dict[str, tuple[Any, str]] = {
    "load": (hooks.McpHooks, "_load"),
    "connection": (_sessions.Connection, "__init__"),
    "message": (_forms.Forms, "event"),
    "shared": (_forms.Forms, "shared"),
    "form": (encode_module.Encoder, "form"),
    "context": (encode_module.Encoder, "context"),
    "terminated": (_sessions.Connection, "created"),
    "tap": (_messages, "ReadTap"),
    "endpoint": (_transports.Streams, "endpoint"),
    "opened": (_transports.Streams, "opened"),
    "registered": (_catalog.Catalog, "_add"),
    "constructed": (_catalog.Catalog, "_contents"),
    "listed": (_inventory.Inventory, "_note"),
    "request-1": (_v1.Sessions, "_span"),
    "request-2": (_v2.Dispatchers, "_span"),
    "direct": (_direct.Direct, "_connection"),
    "encode": (encode_module.Encoder, "line"),
    "clean": (encode_module.Encoder, "_clean"),
    "emit": (recorder_module.Recorder, "emit"),
}
owner, name = TARGETS[place]
setattr(owner, name, fails)


asyncio.run(_in_memory.talk(mode))
print("swallowed", _guard.caught > 0)
