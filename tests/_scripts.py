"""Scripts of the documentation, as modules."""

from __future__ import annotations

import importlib.util
from typing import Any

from _peers import ROOT


def loaded(name: str) -> Any:
    """The module of ``docs/NAME.py``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
