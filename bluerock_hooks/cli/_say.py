"""What a command says beside its output: one line on stderr, never anywhere else."""

from __future__ import annotations

import sys

PROG = "bluerock-hooks"


def say(text: str) -> None:
    """One line on stderr, or nothing where that is closed: ``print`` would then take stdout, which may be a wire."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{PROG}: {text}\n")
        sys.stderr.flush()
    except OSError:
        return
