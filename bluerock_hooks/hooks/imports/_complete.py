"""What takes time to say of a module: its file's digest, its distribution, and whether both agree.

Runs where the ring is drained, imports nothing, and never changes what was recorded, but for what it adds.
"""

from __future__ import annotations

import sys
from _imp import source_hash

from ... import _digest, _proc
from ..._plain import member, quote
from ...distributions import Distributions
from ._code import LONGEST_NAME, vars_of
from ._startup import CUSTOMIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...digests import Digests
    from ...distributions import Distribution
    from .. import Recording

# What importlib hashes the source of a hash-based .pyc with.
_KEY = int.from_bytes(sys.modules["_frozen_importlib_external"].MAGIC_NUMBER, "little")


class Completer:
    """Completes ``python_import`` events, and records ``python_package`` for each distribution that they bring up."""

    def __init__(self, recording: Recording, digests: Digests) -> None:
        self._recording = recording
        self._digests = digests
        self._distributions = Distributions()
        self._used: set[str] = set()
        """Directories of the metadata of distributions that were told of."""
        self._new: dict[str, _Use] = {}

    def new_process(self) -> None:
        """In a forked child: what was being completed is the parent's, and so is what it had in hand."""
        self._distributions = Distributions()
        self._new = {}

    def module(self, line: bytes) -> str:
        """The members to add to a ``python_import``."""
        name, file = member(line, b"fullname"), member(line, b"file")
        members = ""
        # A name that is cut is not the whole name.
        if name is not None and name not in sys.modules and b',"how":' not in line and len(name) <= LONGEST_NAME:
            members = ',"kept":false'
        if file is None or file[:1] != "/":
            return members
        members += self._about(file)
        pyc_hash = member(line, b"pyc_hash")
        if pyc_hash is not None and _is_stale(file, pyc_hash):
            members += ',"pyc":"stale"'
        return members

    def library(self, line: bytes) -> str:
        """The members to add to a ``python_native_load``: of the file that the name led to, where it was loaded."""
        path = member(line, b"path") or ""
        file = path if path.startswith("/") else _loaded(path)
        if file is None:
            return ""
        members = "" if file == path else f',"file":{quote(file)}'
        return members + self._about(file)

    def _about(self, file: str) -> str:
        """Digest and distribution of a file, and whether its RECORD agrees."""
        unread = self._digests.unread
        digest = self._digests.of(file)
        members = self._without_digest(file, unread) if digest is None else f',"sha256":"{digest}"'
        distribution, recorded = self._distributions.owner(file)
        if distribution is None:
            return members
        verdict = "absent"
        if recorded is not None:
            if digest is not None:
                verdict = "match" if recorded == digest else "mismatch"
            elif self._digests.unread != unread:
                verdict = ""  # nobody knows
        self._use(distribution, mismatch=verdict == "mismatch")
        members += distribution.members
        return f'{members},"record":"{verdict}"' if verdict else members

    def _without_digest(self, file: str, unread: int) -> str:
        """That a file was not read (as ``Digests.unread`` was ``unread`` before), or the archive that it lies in, as in
        ``/a/b.zip/c/d.py``."""
        archive = file
        while self._digests.unread == unread and (archive := archive.rpartition("/")[0]):
            digest = self._digests.of(archive)
            if digest is not None:
                return f',"archive":{quote(archive)},"sha256":"{digest}"'
        return ',"unread":true' if self._digests.unread != unread else ""

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
            if type(path) is str and (digest := self._digests.of(path)) is not None:
                files.append({"file": path, "sha256": digest})
        return {"startup": files} if files else {}

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
        self._digests.remember()


def _is_stale(file: str, pyc_hash: str) -> bool:
    content = _digest.file_digest(file, whole=True)
    return content is not None and source_hash(_KEY, content[1]).hex() != pyc_hash


def _loaded(name: str) -> str | None:
    """The file that is mapped into this process under this name."""
    end = b"/" + name.encode("utf-8", "surrogateescape")
    maps = _proc.content("/proc/self/maps").splitlines()
    line = next((line for line in maps if line.endswith(end)), None)
    return None if line is None else line[line.index(b"/") :].decode("utf-8", "surrogateescape")


class _Use:
    __slots__ = ("distribution", "mismatches", "modules")

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self.modules = 0
        self.mismatches = 0
