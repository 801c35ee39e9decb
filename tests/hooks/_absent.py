"""Runs ``_catalogue.py`` in an SDK that has none of the attributes by which registrations are seen.

Usage: ``python _absent.py PACKAGE MODE``.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerock_hooks.hooks import mcp as hooks

if TYPE_CHECKING:
    from bluerock_hooks.hooks._rows import Patch

rows = hooks.rows
REGISTRATIONS = ("registered", "elements given")


def renamed(*arguments: Any) -> list[Patch]:
    found = rows(*arguments)
    for row in found:
        if row.sees.startswith(REGISTRATIONS):
            row.attribute += "_of_a_later_version"
    return found


hooks.rows = renamed
runpy.run_path(str(Path(__file__).with_name("_catalogue.py")), run_name="__main__")
