"""Imports: what ran, where it came from, and whether it is what was installed."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from ._base import Event, Known


class PythonImport(Event, kw_only=True):
    """A module was loaded, or code of a file ran. Of the standard library, see ``python_import_stdlib``."""

    NAME: ClassVar[str] = "python_import"

    fullname: Known | None = None
    """Its name, dots included; ``__main__`` for the program. Left out where code ran that belongs to no module."""
    file: Known | None = None
    """Left out for what has none, such as namespace packages."""
    loader: Known | None = None
    """Class of the loader."""
    how: Literal["main", "direct", "found"] | None = None
    """Left out for an ordinary import. ``main``: run as the program. ``direct``: run without the import system
    (``spec_from_file_location``, ``exec`` of a file). ``found``: stood in ``sys.modules`` without having been seen:
    loaded before the sensor, or by a loader that runs no Python code."""
    executed: Literal["source", "pyc", "transformed"] | None = None
    """What the code was made of: ``source``, bytecode read from a file, or a tree that somebody (an assertion rewriter,
    a type checker) changed before. Left out where the interpreter does not say, and for extension modules."""
    executed_sha256: Known | None = None
    """Of the bytes that were executed: the source as it was compiled, or the bytecode without its 16-byte header."""
    pyc_hash: Known | None = None
    """Of an unchecked hash-based ``.pyc``: the hash of the source it was made of."""
    sha256: Known | None = None
    """Of the file on disk, shortly after the import."""
    unread: bool | None = None
    """True where the file was not read: the process ended, and ``BLUEROCK_EXIT_HASH_BYTES`` were read. ``record`` is
    left out then."""
    archive: Known | None = None
    """Of a module in an archive: the archive; ``sha256`` is of that."""
    pkg: Known | None = None
    """Distribution that the file belongs to."""
    version: Known | None = None
    record: Literal["match", "mismatch", "absent"] | None = None
    """Whether RECORD, written at the installation, agrees with ``sha256``; ``absent``: it does not say."""
    pyc: Literal["stale"] | None = None
    """The bytecode that ran was made of another source. (``bluerock-hooks imports --verify`` compares all bytecode.)"""
    kept: bool | None = None
    """False where the module was not in ``sys.modules`` any more when this was looked up: its import failed, or it
    removed itself."""
    shadows_stdlib: bool | None = None
    """True for a name of the standard library that was loaded from elsewhere."""


class ImportStdlib(Event, kw_only=True):
    """Modules of the standard library that were loaded since the last such event, summed up."""

    NAME: ClassVar[str] = "python_import_stdlib"

    count: int
    modules: list[Known]


class DirectUrl(msgspec.Struct, omit_defaults=True):
    """Where a distribution was installed from, if not from an index (PEP 610)."""

    url: Known
    """Without credentials and query."""
    editable: bool | None = None
    vcs: Known | None = None
    commit: Known | None = None
    subdirectory: Known | None = None


class PythonPackage(Event, kw_only=True):
    """A distribution was used for the first time in this process."""

    NAME: ClassVar[str] = "python_package"

    name: Known
    version: Known
    location: Known | None = None
    """The directory it is installed in."""
    installer: Known | None = None
    """What installed it, as it says."""
    requested: bool | None = None
    """Whether somebody asked for it by name, as far as the installer noted."""
    direct_url: DirectUrl | None = None
    tags: list[Known] | None = None
    """Of its wheel."""
    files: int | None = None
    """Rows of its RECORD."""
    modules: int = 0
    """Modules of it that were loaded when this was recorded."""
    mismatches: int = 0
    """How many of those differ from RECORD."""
