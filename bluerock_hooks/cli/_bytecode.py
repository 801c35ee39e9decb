"""Compares all bytecode that ran with its source: compiles the source again, in an interpreter that may crash."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._loaded import Module

_PROGRAM = f"{os.path.dirname(__file__)}/_recompile.py"
_OWN_LOADERS = ("SourceFileLoader",)


class Verified:
    """``different``: bytecode ran that its source does not compile to. ``unknown``: module and why, where the question
    cannot be answered here and now."""

    def __init__(self) -> None:
        self.same = 0
        self.different: list[Module] = []
        self.unknown: list[tuple[Module, str]] = []


def verify(modules: Iterable[Module]) -> Verified:
    """Compare the bytecode of each module that was loaded from a ``.pyc`` beside its source."""
    found = Verified()
    asked: dict[tuple[str, str], list[Module]] = {}
    for module in modules:
        if module.get("executed") != "pyc" or module.get("loader") not in _OWN_LOADERS:
            continue
        reason = _no_answer(module)
        if reason:
            found.unknown.append((module, reason))
        else:
            asked.setdefault((module.get("file"), module.get("executed_sha256")), []).append(module)
    for question, answer in _answers(list(asked)):
        for module in asked[question]:
            if answer == "same":
                found.same += 1
            elif answer == "different":
                found.different.append(module)
            else:
                found.unknown.append((module, "the bytecode that ran is not on disk any more"))
    return found


def _no_answer(module: Module) -> str:
    if module.python is None or module.python.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
        return f"run this with Python {module.python or 'that it ran in'}: bytecode differs between versions"
    try:
        with open(module.get("file"), "rb") as file:
            now = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "the source is not there any more"
    recorded = module.get("sha256")
    return "the source has changed since" if recorded is not None and recorded != now else ""


def _answers(questions: list[tuple[str, str]]) -> Iterable[tuple[tuple[str, str], str]]:
    """Each question with its answer. What crashes the interpreter that reads it is bytecode of no compiler."""
    while questions:
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        command = [sys.executable, "-I", "-S", "-W", "ignore", _PROGRAM]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        answers = done.stdout.split()[: len(questions)]
        yield from zip(questions, answers, strict=False)
        if len(answers) < len(questions):
            yield questions[len(answers)], "different"
        questions = questions[len(answers) + 1 :]
