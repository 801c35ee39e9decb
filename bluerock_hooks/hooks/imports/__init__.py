"""Imports: every module whose code runs in this process, as the interpreter's own audit events tell it.

No finder, no wrapped loader, no search: nothing that a program, or its tools, could see or trip over.

``exec``    the body of a module, whoever loads it: import, reload, lazy loaders, ``spec_from_file_location``, ``runpy``
``import``  with a file: an extension module
the rest    what runs no Python code of its own (namespace packages, modules of C loaders) stands in ``sys.modules`` and
            is found there: by its first child, and before every batch that the drain writes

The importing thread records what it knows, at once. What takes time (the digest of the file, the distribution) is added
by the drain: ``_complete``.
"""

from __future__ import annotations

import sys
from posixpath import normpath

from ... import _stdlib
from ..._plain import quote
from .. import _attribution, _caller
from .._text import working_directory
from ._code import (
    LONGEST_NAME,
    Origins,
    is_extension,
    is_source,
    namespace_of,
    origin_of,
    spec_of,
    vars_of,
)
from ._complete import Completer
from ._standard import HOMES, PLACES, Summary, is_built_in, is_standard_file, is_standard_name
from ._startup import inventory, may_hold_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

    from ...digests import Digests
    from .. import Completion, Recording
    from .._audit import Audit
    from ._code import Namespace, Origin

__all__ = ["Imports", "inventory", "may_hold_secrets"]

_OURS = __name__.partition(".")[0]
_SOURCE_LOADER = vars(sys.modules["_frozen_importlib_external"])["SourceFileLoader"]
_SOURCE, _EXTENSION = ',"loader":"SourceFileLoader"', ',"loader":"ExtensionFileLoader"'
_LAZY = "_LazyModule"  # stands in sys.modules before its body has run, and wakes when it is looked at


class Imports:
    """The import family of hooks in this process. ``everything``: the standard library and ourselves one by one too."""

    def __init__(self, recording: Recording, digests: Digests, bytecode: Digests, *, everything: bool = False) -> None:
        self._recording = recording
        self._tell = recording.kind("python_import")
        self._everything = everything
        self._summary = Summary(everything=everything)
        self._origins = Origins(self._summary)
        self._seen: dict[str, tuple[str | None, str | None]] = {}
        """File and digest of each module that was recorded, by name."""
        self._ours: set[str] = set()
        """Modules of our own, of which nothing is told."""
        self._looked_at = 0
        self._digests = digests
        self._bytecode: Digests | None = bytecode
        """Asked until the first batch is settled: a list that is read again for each late import costs more than it
        spares."""
        self._completer = Completer(recording, digests)

    def install(self, audit: Audit, completion: Completion) -> None:
        """Listen, and record what was loaded before us."""
        audit.on("marshal.loads", self._origins.bytecode, when=self._origins.is_not_importlibs)
        audit.on("marshal.load", self._origins.unknown)
        audit.on("compile", self._origins.source, when=is_source)
        audit.on("exec", self._executed, when=self._origins.is_body)
        audit.on("import", self._imported, when=is_extension)
        completion.adds("python_import", self._completer.module)
        completion.around(before=self.look, settled=self._settled)
        completion.on("sensor_startup", self._completer.startup)
        self.complete_libraries(completion)
        self._find(list(sys.modules.items()))

    def complete_libraries(self, completion: Completion) -> None:
        """The part of ``install`` that says of native libraries what there is to say."""
        completion.adds("python_native_load", self._completer.library)
        completion.around(settled=self._completer.settled)

    # -- what the interpreter says; in the importing thread, whose time it is

    def _executed(self, _event: str, args: tuple[Any, ...]) -> None:
        file: str = args[0].co_filename
        origin = self._origins.take(file)
        namespace = namespace_of(_caller.above(), file)
        if namespace is None:
            return
        # A path in the code object proves nothing, so it takes the loader's word to spare the rest.
        if file.startswith(HOMES) and namespace.get("__file__") == file and self._summary.covers(file):
            self._standard(namespace.get("__name__"))
        else:
            self._body(file, namespace, origin)

    def _imported(self, _event: str, args: tuple[Any, ...]) -> None:
        name, file = args[:2]
        if type(name) is not str or self._summary.covers(file):
            return
        if self._is_new(name, file, None):
            self._parents(name)
            self._record(name, file, _EXTENSION)

    def _standard(self, name: object) -> None:
        if type(name) is str and self._summary.add(name[:LONGEST_NAME]):
            self._sum_up()

    def _body(self, code_file: str, namespace: Namespace, origin: Origin | None) -> None:
        spec = spec_of(namespace)
        name = namespace.get("__name__")
        main = name == "__main__" or name == "__mp_main__"
        if spec is not None and not main:
            name = spec.name
        file = namespace.get("__file__")
        if type(file) is not str:
            file = origin_of(namespace) or code_file
        if file.startswith(PLACES) and self._summary.covers(file):
            return
        digest = None
        if origin is not None:
            # Other loaders may give other bytes than those of the file.
            as_it_is = type(namespace.get("__loader__")) is _SOURCE_LOADER
            digest = origin.digest(self._bytecode if as_it_is else None)
        if type(name) is str:
            if (name.startswith(_OURS) and self._is_ours(name)) or not self._is_new(name, file, digest):
                return
            self._parents(name)
        else:
            name = None
        members = _loader(namespace)
        if main:
            members += ',"how":"main"'
        elif name is None or vars_of(sys.modules.get(name)) is not namespace:
            members += ',"how":"direct"'
        if origin is not None:
            members += f',"executed":"{origin.kind}"'
            if digest is not None:
                members += f',"executed_sha256":"{digest}"'
            pyc_hash = origin.pyc_hash()
            if pyc_hash is not None:
                members += f',"pyc_hash":"{pyc_hash}"'
        self._record(name, file, members)

    def _parents(self, name: str) -> None:
        """A package whose body was not seen has none (a namespace package), or was loaded before us."""
        parent = name.rpartition(".")[0]
        if parent and parent not in self._seen:
            module = sys.modules.get(parent)
            if module is not None:
                self._find([(parent, module)])

    # -- what stands in sys.modules

    def look(self) -> None:
        """Record what was loaded without running code that we could see, and sum up the standard library."""
        if len(sys.modules) != self._looked_at:
            modules = list(sys.modules.items())
            self._looked_at = len(modules)
            self._find(modules)
        self._sum_up()

    def _sum_up(self) -> None:
        names = self._summary.take()
        if names:
            self._recording.note("python_import_stdlib", {"count": len(names), "modules": names})

    def _find(self, modules: Sequence[tuple[str, object]]) -> None:
        summarised = self._summary.names()
        for name, module in modules:
            if type(name) is str and not (name in self._seen or name in summarised or name in self._ours):
                self._found(name, module)

    def _found(self, name: str, module: object) -> None:
        namespace = vars_of(module)
        if module is None or _stdlib.type_name(type(module)) == _LAZY:
            return  # an import that is forbidden; a body that has not run
        spec = None if namespace is None else spec_of(namespace)
        if spec is not None and getattr(spec, "_initializing", False):
            return  # being loaded just now: its body, or its file, is to be seen yet
        file = None if namespace is None else namespace.get("__file__") or origin_of(namespace)
        if type(file) is not str or not file.startswith(("/", "<frozen ")):
            file = None
        if self._is_ours(name):
            self._ours.add(name)
            return
        if not self._everything and _is_standard(name, file, spec):
            self._summary.add(name[:LONGEST_NAME])
            return
        if namespace is not None:
            own = namespace.get("__name__")
            if own != name and (own in self._seen or own == "__main__"):
                return  # another name of a module that is recorded
            if name == "__main__" and file is None:
                return  # -c, stdin: no module that could be told from another
        self._seen[name] = file, None
        loader = "" if namespace is None else _loader(namespace)
        self._record(name, file, f'{loader},"how":"found"', spec)

    def _settled(self) -> None:
        bytecode, self._bytecode = self._bytecode, None
        if bytecode is not None:
            bytecode.remember()

    # -- recording

    def _is_ours(self, name: str) -> bool:
        return not self._everything and name.partition(".")[0] == _OURS

    def _is_new(self, name: str, file: str, digest: str | None) -> bool:
        """Not recorded yet with these bytes."""
        now = file, digest
        if self._seen.get(name) == now:
            return False
        self._seen[name] = now
        return True

    def _record(self, name: str | None, file: str | None, members: str, spec: ModuleSpec | None = None) -> None:
        """``members``: what else there is to say, as JSON, each behind a comma."""
        if name is not None and is_standard_name(name) and not _is_standard(name, file, spec):
            members += ',"shadows_stdlib":true'
        if file is not None and not file.startswith("/"):
            directory = None if file[:1] == "<" else working_directory()  # <frozen x>, <in memory>: no file
            file = None if directory is None else normpath(f"{directory}/{file}")
        if name is None and file is None:
            return
        said = "" if name is None else f',"fullname":{quote(_cut(name))}'
        place = "" if file is None else f',"file":{quote(_cut(file))}'
        self._tell(f"{said}{place}{members}", _attribution.current())

    def ending(self, size: int) -> None:
        """The interpreter waits for us from now on: read no more than ``size`` bytes of files."""
        self._digests.bound(size)

    @property
    def unread(self) -> int:
        """How many files were not read because of that."""
        return self._digests.unread

    def new_process(self) -> None:
        """In a forked child: what waits is the parent's to tell."""
        self._summary.forget()
        self._origins.clear()
        self._completer.new_process()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…[+{len(text) - LONGEST_NAME}]"


def _loader(namespace: Namespace) -> str:
    """Who loaded it, as a member; an empty string where nobody says."""
    loader = namespace.get("__loader__")
    if type(loader) is _SOURCE_LOADER:
        return _SOURCE  # nearly always
    if loader is None:
        spec = spec_of(namespace)
        loader = None if spec is None else spec.loader
    if loader is None:
        return ""
    name: str = _stdlib.type_name(loader if type(loader) is type else type(loader))
    return f',"loader":{quote(name[:LONGEST_NAME])}'


def _is_standard(name: str, file: str | None, spec: ModuleSpec | None) -> bool:
    if file is not None:
        return is_standard_file(file)
    # Without a file: compiled in, frozen, or an object that a module of the standard library put there (typing.io).
    if is_built_in(name) or (spec is not None and spec.origin in ("built-in", "frozen")):
        return is_standard_name(name)
    return "." in name and is_standard_name(name)
