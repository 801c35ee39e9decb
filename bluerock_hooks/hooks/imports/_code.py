"""From audit events to facts: which bytes were compiled or read as bytecode, and which module's body they are.

The interpreter raises ``marshal.loads`` (bytecode) or ``compile`` (source) with the very bytes, and then ``exec`` with
the code object, on the same thread. What it does not say, whose code it is, stands in the frame that called.
"""

from __future__ import annotations

import sys

from ... import _digest, _guard, _stdlib
from .. import _caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

    from ...digests import Digests
    from ._standard import Summary

    Namespace = dict[str, Any]

_ident = _stdlib.get_ident
_getframe = sys._getframe
_LOADERS = ("exec_module", "_call_with_frames_removed", "load_module")  # functions that run the body of a module
_IMPORTLIB, _EXTERNAL = vars(sys.modules["_frozen_importlib"]), vars(sys.modules["_frozen_importlib_external"])
_UNCHECKED = b"\1\0\0\0"  # flags of a .pyc: made of source with that hash, and never compared with it
_MOST_THREADS = 64
LONGEST_NAME = 4096  # characters of a name or path; a path on disk is no longer
_LARGEST = 16 << 20  # bytes that are held on to until they run; no module is as large

if not TYPE_CHECKING:  # their home modules are not loaded at start-up
    ModuleType = type(sys)
    ModuleSpec = type(sys.__spec__)
_namespace_of = vars(ModuleType)["__dict__"].__get__


def is_source(args: tuple[Any, ...]) -> bool:
    """A sieve for ``compile`` events: text of a file. What has no name at all is a tree, perhaps of a module."""
    file = args[1]
    return file is None or (type(file) is str and file[:1] != "<")


def is_extension(args: tuple[Any, ...]) -> bool:
    """A sieve for ``import`` events: an attempt has a name only."""
    return type(args[1]) is str


class Origin:
    """What became code: ``kind`` is ``source``, ``pyc``, or ``transformed`` for a tree that somebody else made."""

    __slots__ = ("_cached", "_data", "_view", "file", "kind")

    def __init__(
        self, kind: str, data: bytes | str | None, file: str | None, cached: object = None, view: object = None
    ) -> None:
        self.kind = kind
        self._data = data if data is None or len(data) <= _LARGEST else None
        self.file = file
        """The source file's path, where the loader said so."""
        self._cached = cached  # the path of the file that has the bytecode, and a view of what was read from it
        self._view = view

    def digest(self, known: Digests | None) -> str | None:
        """SHA-256 of the bytes, where they are known; ``known`` has those of ``.pyc`` files, if it is to be asked."""
        data = self._data
        if data is None:
            return None
        if known is not None and type(self._cached) is str and type(data) is bytes:
            return known.of_code(self._cached, data)
        digest = _digest.sha256(data.encode("utf-8", "surrogatepass") if type(data) is str else data).hexdigest()  # type: ignore[arg-type]
        _digest.prepare()
        return digest

    def pyc_hash(self) -> str | None:
        """Hash of the source that an unchecked ``.pyc`` was made of."""
        whole = self._view.obj if type(self._view) is memoryview else None
        if type(whole) is not bytes or whole[4:8] != _UNCHECKED or len(whole) < 16:
            return None
        return whole[8:16].hex()


class Origins:
    """Remembers, for each thread, what it last made code of; at most one at a time.

    Handlers and sieves of audit events, and ``take``, in the importing thread: whose time it is. What is not to be told
    one by one comes into the ``summary``.
    """

    __slots__ = ("_last", "_read", "_summary")

    def __init__(self, summary: Summary) -> None:
        self._last: dict[int, Origin] = {}
        self._read: tuple[str, str, int] | None = None
        """File, name and thread: of what comes into the summary that is enough. One for all, of the thread that came
        last: what another one runs takes the long way."""
        self._summary = summary

    def is_not_importlibs(self, args: tuple[Any, ...]) -> bool:
        """A sieve for ``marshal.loads``: what importlib reads is remembered here."""
        try:
            frame = _getframe(2)  # raised the event, where nobody else listens to it: spares most of a look
        except ValueError as exc:  # no Python did
            _guard.give_back(exc)
            return True
        if frame.f_globals is not _EXTERNAL:
            above = _caller.above()
            if above is None or above.f_globals is not _EXTERNAL:
                return True
            frame = above
        given = frame.f_locals  # of _compile_bytecode
        file, name = given.get("source_path"), given.get("name")
        if type(file) is not str:
            file = None
        elif type(name) is str and self._summary.covers(file):
            if self._last:
                self._last.pop(_ident(), None)
            self._read = file, name, _ident()
            return False
        self._remember(Origin("pyc", args[0], file, given.get("bytecode_path"), given.get("data")))
        return False

    def is_body(self, args: tuple[Any, ...]) -> bool:
        """A sieve for ``exec`` events: bodies of modules, but for those that just come into the summary.

        Functions are none, nor is code without a file (``dataclasses``, ``namedtuple``, templates), unless a loader
        runs it.
        """
        code = args[0]
        if code.co_name != "<module>":
            return False
        file, read = code.co_filename, self._read
        if read is not None and read[2] == _ident():
            self._read = None
            if read[0] == file:
                return self._summary.add(read[1])  # if it is full, the handler sees to that
        if file[:1] != "<":
            return True
        frame = _caller.above()
        return frame is not None and (frame.f_globals is _IMPORTLIB or frame.f_code.co_name in _LOADERS)

    def bytecode(self, _event: str, args: tuple[Any, ...]) -> None:
        """``marshal.loads``, where ``is_not_importlibs``."""
        self._remember(Origin("pyc", args[0], None))

    def source(self, _event: str, args: tuple[Any, ...]) -> None:
        """``compile``, where ``is_source``; of a tree without a file's name, most often what was just parsed."""
        source, file = args
        if file is None:
            parsed = self._last.get(_ident())
            self._remember(Origin("transformed", None, None if parsed is None else parsed.file))
        elif type(source) is bytes or type(source) is str:
            self._remember(Origin("source", source, file))

    def unknown(self, _event: str, _args: tuple[Any, ...]) -> None:
        """``marshal.load``: code was made of something that nobody showed us."""
        self._last.pop(_ident(), None)
        self._read = None

    def take(self, file: str) -> Origin | None:
        """What this thread made the code of ``file`` of, None where that is not known."""
        origin = self._last.pop(_ident(), None)
        return origin if origin is not None and origin.file in (None, file) else None

    def clear(self) -> None:
        """Forget what all threads were about to run."""
        self._last.clear()
        self._read = None

    def _remember(self, origin: Origin) -> None:
        if len(self._last) >= _MOST_THREADS:  # threads that ended between the two events
            self._last.clear()
        self._last[_ident()] = origin
        self._read = None


def namespace_of(frame: FrameType | None, file: str) -> Namespace | None:
    """Where the code of ``file`` that ``frame`` executes will run; None for code that is no module's body.

    Code without a real file counts only where a loader runs it: ``Origins.is_body``.
    """
    if frame is None:
        return None if file[:1] == "<" else vars_of(sys.modules.get("__main__"))  # the interpreter runs its program
    given = None
    if frame.f_globals is _IMPORTLIB:
        given = frame.f_locals
        words = given.get("args")
        if type(words) is tuple and len(words) > 1 and type(words[1]) is dict:
            return words[1]  # _call_with_frames_removed(exec, code, it)
    by_loader = frame.f_code.co_name in _LOADERS
    given = given or frame.f_locals
    known = [each for each in map(_as_namespace, given.values()) if each is not None]
    for each in known:
        if each.get("__file__") == file or origin_of(each) == file:
            return each
    return known[0] if by_loader and len(known) == 1 else {}


def _as_namespace(value: object) -> Namespace | None:
    if type(value) is dict:
        return value if ("__name__" in value and "__builtins__" in value) or "__spec__" in value else None
    return vars_of(value)


def vars_of(module: object) -> Namespace | None:
    """The namespace of a module, whatever its class does to look-ups: a lazy one must not wake. None for no module."""
    return _namespace_of(module) if issubclass(type(module), ModuleType) else None


def spec_of(namespace: Namespace) -> ModuleSpec | None:
    """Its spec, where it is a plain one."""
    spec = namespace.get("__spec__")
    return spec if type(spec) is ModuleSpec else None


def origin_of(namespace: Namespace) -> str | None:
    """Where it was loaded from, as its spec says."""
    spec = spec_of(namespace)
    return spec.origin if spec is not None and type(spec.origin) is str else None
