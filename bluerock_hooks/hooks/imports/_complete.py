"""What takes time to say of a module: its file's digest, its distribution, and whether both agree.

Runs where the ring is drained, imports nothing, and never changes what was recorded, but for what it adds.
"""

from __future__ import annotations

import sys
from _imp import source_hash

from ... import _digest
from ...distributions import Distributions
from ._code import vars_of
from ._startup import CUSTOMIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...distributions import Distribution
    from .. import Recording

# What importlib hashes the source of a hash-based .pyc with.
_KEY = int.from_bytes(sys.modules["_frozen_importlib_external"].MAGIC_NUMBER, "little")


class Completer:
    """Completes ``python_import`` events, and records ``python_package`` for each distribution that they bring up."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._distributions = Distributions()
        self._used: set[str] = set()
        """Directories of the metadata of distributions that were told of."""
        self._new: dict[str, _Use] = {}
        self._archive: tuple[str, str] = "", ""

    def new_process(self) -> None:
        """In a forked child: what was being completed is the parent's, and so is what it had in hand."""
        self._distributions = Distributions()
        self._new = {}

    def module(self, event: dict[str, Any]) -> dict[str, object]:
        """The members to add."""
        found: dict[str, object] = {}
        name, file = event.get("fullname"), event.get("file")
        if name is not None and event.get("how") is None and name not in sys.modules:
            found["kept"] = False
        if file is None or not file.startswith("/"):
            return found
        digest = self._file(file, event.get("pyc_hash"), found)
        distribution, recorded = self._distributions.owner(file)
        if distribution is not None:
            found["pkg"], found["version"] = distribution.name, distribution.version
            found["record"] = "absent" if recorded is None else "match" if recorded == digest else "mismatch"
            self._use(distribution, mismatch=found["record"] == "mismatch")
        return found

    def startup(self, event: dict[str, Any]) -> dict[str, object]:
        """Whose the files are that ran before the program; with the customisation modules, if they did."""
        files = list(event.get("startup", ()))
        for each in files:
            distribution = self._distributions.listing(each["file"])
            if distribution is not None:
                each["pkg"], each["version"] = distribution.name, distribution.version
        for name in CUSTOMIZE:
            namespace = vars_of(sys.modules.get(name))
            path = None if namespace is None else namespace.get("__file__")
            hashed = _digest.file_digest(path) if type(path) is str else None
            if hashed is not None:
                files.append({"file": path, "sha256": hashed[0].hexdigest()})
        return {"startup": files} if files else {}

    def _file(self, file: str, pyc_hash: str | None, found: dict[str, object]) -> bytes | None:
        hashed = _digest.file_digest(file, whole=pyc_hash is not None)
        if hashed is None:
            self._in_archive(file, found)
            return None
        found["sha256"] = hashed[0].hexdigest()
        if pyc_hash is not None and source_hash(_KEY, hashed[1]).hex() != pyc_hash:
            found["pyc"] = "stale"
        return hashed[0].digest()

    def _in_archive(self, file: str, found: dict[str, object]) -> None:
        """``/a/b.zip/c/d.py``: the digest is the archive's."""
        path = file
        if not self._archive[0] or not file.startswith(self._archive[0] + "/"):
            while path := path.rpartition("/")[0]:
                hashed = _digest.file_digest(path)
                if hashed is not None:
                    self._archive = path, hashed[0].hexdigest()
                    break
            else:
                return
        found["archive"], found["sha256"] = self._archive

    def _use(self, distribution: Distribution, *, mismatch: bool) -> None:
        if distribution.path not in self._used:
            self._used.add(distribution.path)
            self._new[distribution.path] = _Use(distribution)
        use = self._new.get(distribution.path)
        if use is not None:
            use.modules += 1
            use.mismatches += mismatch

    def settled(self) -> None:
        """The events of a batch are complete: tell of the distributions that are new in it."""
        new, self._new = self._new, {}
        for use in new.values():
            fields = use.distribution.facts()
            fields.update(modules=use.modules, mismatches=use.mismatches)
            self._recording.note("python_package", fields)
        self._distributions.settle()


class _Use:
    __slots__ = ("distribution", "mismatches", "modules")

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self.modules = 0
        self.mismatches = 0
