"""``python -m fuzz TARGET [OPTION OF LIBFUZZER ...]``, in an environment with atheris; ``tests`` is on the path."""

from __future__ import annotations

import importlib
import sys

import atheris


def main() -> None:
    name = sys.argv[1]
    with atheris.instrument_imports(include=["bluerock_hooks"]):
        target = importlib.import_module(f"fuzz.{name}")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.one)
    atheris.Fuzz()


main()
