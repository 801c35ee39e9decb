"""What runs in this interpreter before its program: the lines of ``.pth`` and ``.start`` files that ``site`` executes.

Asked while ``site`` runs: its own functions say which directories it reads.
"""

from __future__ import annotations

import os
import sys

from ... import _digest, _guard, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import TypedDict

    class StartupFile(TypedDict):
        """As in ``events.StartupFile``."""

        file: str
        sha256: str
        lines: list[str]


_LONGEST = 300  # characters of a line; malware hides in long ones, and the digest is of the whole file
_MOST_LINES = 16
_STARTS = sys.version_info >= (3, 15)  # PEP 829: .start files are run, and stand in for import lines
_IMPORTS = sys.version_info < (3, 18)
_LABELS = ("://", "bearer", "key=", "passw", "secret", "token")  # of what the redactor should see; most lines have none
CUSTOMIZE = ("sitecustomize", "usercustomize")


def inventory() -> list[StartupFile]:
    """``file``, ``sha256`` and ``lines`` of each such file, in the order they are run."""
    site = sys.modules.get("site")
    if site is None:
        return []
    return [each for directory in _directories(site) for each in _of_directory(directory, site)]


def may_hold_secrets(line: str) -> bool:
    """Is a line worth the import of the redactor, which takes longer than all the rest of a start?"""
    lowered = line.lower()
    return any(label in lowered for label in _LABELS)


def _directories(site: ModuleType) -> Iterator[str]:
    """Those that ``site`` reads, in its order. It does not know all of that itself yet: it is at the first."""
    isolated = sys.prefix != sys.base_prefix
    candidates = list(site.getsitepackages([sys.prefix])) if isolated else []
    if not isolated or _with_system_site():
        if site.check_enableusersite():
            candidates.append(site.getusersitepackages())
        candidates += site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])
    seen = set()
    for path in candidates:
        real = os.path.realpath(path)  # lib64 is another name of lib
        if real not in seen:
            seen.add(real)
            yield path


def _with_system_site() -> bool:
    """Does this virtual environment use the modules of the interpreter it was made with?"""
    found = _digest.file_digest(f"{sys.prefix}/pyvenv.cfg", whole=True)
    for line in found[1].decode("utf-8", "replace").splitlines() if found is not None else ():
        key, _, value = line.partition("=")
        if key.strip().lower() == "include-system-site-packages":
            return value.strip().lower() == "true"
    return False


def _of_directory(directory: str, site: ModuleType) -> Iterator[StartupFile]:
    try:
        names = sorted(_stdlib.listdir(directory))
    except OSError as exc:
        _guard.give_back(exc)
        return
    if hasattr(site, "stat"):  # it looks whether a file is hidden, as older ones do not
        names = [name for name in names if not name.startswith(".")]
    starts = [name for name in names if name.endswith(".start")] if _STARTS else []
    for name in names:
        if name.endswith(".pth") and _IMPORTS and f"{name[:-4]}.start" not in starts:
            yield from _lines(f"{directory}/{name}", ("import ", "import\t"))
    for name in starts:
        yield from _lines(f"{directory}/{name}", ())


def _lines(path: str, prefixes: tuple[str, ...]) -> Iterator[StartupFile]:
    hashed = _digest.file_digest(path, whole=True)
    if hashed is None:
        return
    lines = [line.strip() for line in hashed[1].decode("utf-8-sig", "replace").splitlines()]
    run = [line for line in lines if (line.startswith(prefixes) if prefixes else line and not line.startswith("#"))]
    if run:
        kept = [line[:_LONGEST] for line in run[:_MOST_LINES]]
        yield {"file": path, "sha256": hashed[0].hexdigest(), "lines": kept}
