"""Runs ``_catalogue.py`` in an SDK that has none of the attributes by which registrations are seen.

Usage: ``python _absent.py PACKAGE MODE``.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from bluerock_hooks.hooks.mcp import _catalog

rows = _catalog.Catalog.rows


def renamed(self: _catalog.Catalog) -> list[_catalog.Patch]:
    found = rows(self)
    for row in found:
        row.attribute += "_of_a_later_version"
    return found


_catalog.Catalog.rows = renamed
runpy.run_path(str(Path(__file__).with_name("_catalogue.py")), run_name="__main__")
