"""Which distribution a file belongs to, and what its RECORD says of it.

Made for the drain: imports nothing, and reads little. The names in a site directory tell all distributions and versions
(0.4 ms for 225, where ``importlib.metadata.packages_distributions()`` takes 700); a RECORD is read when a file of that
distribution turns up.
"""

from __future__ import annotations

import sys
from binascii import Error, a2b_base64, a2b_hex

from . import _guard, _plain, _stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_INFO, _EGG = ".dist-info", ".egg-info"
_MOST = 16 << 20  # bytes of a metadata file that are read
_DIGEST = 43  # characters of a SHA-256 in base64
_URLSAFE = bytes.maketrans(b"-_", b"+/")


class Distribution:
    """One installed distribution: ``name`` and ``version`` as its metadata says, ``path`` of the directory of that."""

    __slots__ = ("_read", "_record", "members", "name", "path", "version")

    def __init__(self, path: str) -> None:
        self.path = path
        stem = path.rpartition("/")[2].rpartition(".")[0]
        self.name, _, rest = stem.partition("-")
        self.version = rest.partition("-")[0]
        self.members = ""
        """Name and version as members of an event, once it is ``named``."""
        self._read = False
        self._record: bytes | None = None

    def row(self, inside: str) -> str | None:
        """What RECORD says of a file, after its path relative to the site directory; None if it does not name it.

        Searched for as text: there are thousands of rows, and few files of them are ever asked for.
        """
        content = self._rows()
        written = inside.encode("utf-8", "surrogateescape")
        if b"," in written or b'"' in written:
            written = b'"%b"' % written.replace(b'"', b'""')
        start = content.find(b"\n%b," % written)
        if start < 0:
            return None
        start += len(written) + 2
        end = content.find(b"\n", start)
        return content[start : end if end >= 0 else None].decode("ascii", "replace").rstrip("\r")

    def rows_of(self, directory: str) -> int:
        """Where the rows of a directory, which ends with a slash, begin in RECORD; -1 where that names none."""
        return self._rows().find(b"\n%b" % directory.encode("utf-8", "surrogateescape"))

    def digest(self, inside: str, start: int) -> str | None:
        """The SHA-256 of a file, of a plain row behind ``start`` (``rows_of``); None where there is none such."""
        content = self._rows()
        written = inside.encode("utf-8", "surrogateescape")
        at = content.find(b"\n%b,sha256=" % written, start)
        if at < 0:
            return None
        at += len(written) + len("\n,sha256=")
        return _hex(content[at : at + _DIGEST]) if content[at + _DIGEST : at + _DIGEST + 1] == b"," else None

    def unlisted(self, top: str) -> bool:
        """Has it no RECORD, but brings the package or module ``top``, by its name or its list of such?"""
        if self._rows():
            return False
        tops = _text(f"{self.path}/top_level.txt").split() or [self.name]
        return top.removesuffix(".py") in tops

    def _rows(self) -> bytes:
        if self._record is None:
            content = _content(f"{self.path}/RECORD")
            self._record = b"\n" + content if content else b""
        return self._record

    def forget(self) -> None:
        """Keep no RECORD: imports come in bursts."""
        self._record = None

    def named(self) -> Distribution:
        """Itself, with its name and version as the metadata spells them: that of the directory is normalised."""
        if not self._read:
            self._read = True
            text = _text(f"{self.path}/METADATA") or _text(f"{self.path}/PKG-INFO") or _text(self.path)
            for line in text.partition("\n\n")[0].splitlines():
                key, _, value = line.partition(":")
                if key == "Name":
                    self.name = value.strip()
                elif key == "Version":
                    self.version = value.strip()
            self.members = f',"pkg":{_plain.quote(self.name)},"version":{_plain.quote(self.version)}'
        return self

    def direct_url(self) -> dict[str, object]:
        """``url`` without credentials and query, ``editable``, ``vcs``, ``commit``, ``subdirectory``: if installed
        from one (PEP 610)."""
        found = _json(f"{self.path}/direct_url.json")
        if not found:
            return {}
        vcs, directory = found.get("vcs_info"), found.get("dir_info")
        return {
            "url": _bare(str(found.get("url", ""))),
            "editable": (isinstance(directory, dict) and directory.get("editable") is True) or None,
            "vcs": vcs.get("vcs") if isinstance(vcs, dict) else None,
            "commit": vcs.get("commit_id") if isinstance(vcs, dict) else None,
            "subdirectory": found.get("subdirectory"),
        }

    def facts(self) -> dict[str, object]:
        """The members of its ``python_package`` event that are known without looking at a module."""
        self.named()
        tags = [line[4:].strip() for line in _text(f"{self.path}/WHEEL").splitlines() if line.startswith("Tag:")]
        return {
            "name": self.name,
            "version": self.version,
            "location": self.path.rpartition("/")[0],
            "installer": _text(f"{self.path}/INSTALLER").strip() or None,
            "requested": _exists(f"{self.path}/REQUESTED"),
            "direct_url": self.direct_url() or None,
            "tags": tags or None,
            "files": self._rows().rstrip().count(b"\n") or None,
        }


class _Site:
    """One directory of modules with its distributions, as they are now."""

    __slots__ = ("_by_name", "_by_top", "_seen", "distributions", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen = 0
        self.distributions: dict[str, Distribution] = {}
        self._by_name: dict[str, Distribution] = {}
        self._by_top: dict[str, list[Distribution]] = {}
        """Who turned out to bring a package or module, latest first."""

    def refresh(self) -> None:
        """Look again if something was installed or removed."""
        try:
            now = _stdlib.stat(self.path).st_mtime_ns
            if now == self._seen:
                return
            names = [name for name in _stdlib.listdir(self.path) if name.endswith((_INFO, _EGG))]
        except OSError as exc:
            _guard.give_back(exc)
            names, now = [], 0
        known = self.distributions
        paths = [f"{self.path}/{name}" for name in names]
        self.distributions = {path: known.get(path) or Distribution(path) for path in paths}
        self._by_name = {_normal(each.name): each for each in self.distributions.values()}
        self._seen, self._by_top = now, {}

    def owner(self, inside: str) -> tuple[Distribution | None, str | None]:
        """The distribution of a file, and the digest its RECORD gives; ``inside`` is relative to this directory."""
        top = inside.partition("/")[0]
        known = self._by_top.setdefault(top, [])
        for distribution in known:
            row = distribution.row(inside)
            if row is not None:
                return distribution.named(), _sha256(row)
        for distribution in self._others(top, known):
            row = distribution.row(inside)
            if row is not None:
                known.insert(0, distribution)
                return distribution.named(), _sha256(row)
        for distribution in self.distributions.values():
            if distribution.unlisted(top):
                return distribution.named(), None
        return None, None

    def _others(self, top: str, known: list[Distribution]) -> Iterator[Distribution]:
        """All that are not known to bring ``top``: first the one that is called so, which spares reading the rest."""
        guess = self._by_name.get(_normal(top.partition(".")[0]))
        if guess is not None and guess not in known:
            yield guess
        for distribution in self.distributions.values():
            if distribution is not guess and distribution not in known:
                yield distribution

    def listing(self, name: str) -> Distribution | None:
        """The distribution whose RECORD names a file of this very directory."""
        for distribution in self._others(name, []):
            if distribution.row(name) is not None:
                return distribution.named()
        return None

    def editable(self) -> Iterator[tuple[str, Distribution]]:
        """Project directories that distributions were installed from without being copied."""
        for distribution in self.distributions.values():
            found = distribution.direct_url()
            url = str(found.get("url", ""))
            if found.get("editable") and url.startswith("file://"):
                yield _unquoted(url[len("file://") :]).rstrip("/"), distribution


class Distributions:
    """The distributions of the directories ``paths``, else of those on ``sys.path``, which may change at any time."""

    def __init__(self, paths: list[str] | None = None) -> None:
        self._paths = paths
        self._sites: dict[str, _Site] = {}
        self._path: list[str] = []
        self._editable: list[tuple[str, Distribution]] | None = None
        self._fresh = False
        self._near: dict[str, tuple[Distribution, int, int]] = {}
        """Of a directory: whose a file in it was, how much of a path is the site's, where the RECORD has its rows."""

    def owner(self, file: str) -> tuple[Distribution | None, str | None]:
        """The distribution that a file belongs to and its SHA-256 in RECORD; None for what nobody says."""
        if not self._fresh:
            self._refresh()
        directory = file[: file.rindex("/") + 1]
        near = self._near.get(directory)
        if near is not None:
            distribution, skipped, start = near
            digest = distribution.digest(file[skipped:], start)
            if digest is not None:
                return distribution, digest
        # The longest first: a directory of modules may lie in another.
        for site in self._sites.values():
            if file.startswith(site.path + "/"):
                skipped = len(site.path) + 1
                owner, digest = site.owner(file[skipped:])
                if owner is not None:
                    if near is None and digest is not None:
                        self._near[directory] = owner, skipped, owner.rows_of(directory[skipped:])
                    return owner, digest
        if self._editable is None:
            self._editable = [each for site in self._sites.values() for each in site.editable()]
            self._editable.sort(key=lambda each: len(each[0]), reverse=True)
        for root, distribution in self._editable:
            if file.startswith(root + "/"):
                return distribution.named(), None
        return None, None

    def listing(self, file: str) -> Distribution | None:
        """The distribution whose RECORD names a file that lies in a site directory itself."""
        if not self._fresh:
            self._refresh()
        directory, _, name = file.rpartition("/")
        site = self._sites.get(directory)
        return None if site is None else site.listing(name)

    def settle(self) -> None:
        """A burst of questions is over: keep little, and look anew next time."""
        self._fresh = False
        self._editable = None
        self._near.clear()
        for site in self._sites.values():
            for distribution in site.distributions.values():
                distribution.forget()

    def _refresh(self) -> None:
        self._fresh = True
        entries = [entry for entry in (sys.path if self._paths is None else self._paths) if type(entry) is str]
        if entries != self._path:
            self._path = entries
            paths = sorted({each.rstrip("/") for each in entries if each.startswith("/")}, key=len, reverse=True)
            self._sites = {path: self._sites.get(path) or _Site(path) for path in paths}
        for site in self._sites.values():
            site.refresh()


def _normal(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()


def _sha256(entry: str) -> str | None:
    digest = entry.partition(",")[0]
    return _hex(digest[len("sha256=") :].encode("ascii")) if digest.startswith("sha256=") else None


def _hex(digest: bytes) -> str | None:
    try:
        return a2b_base64(digest.translate(_URLSAFE) + b"==").hex()
    except (Error, ValueError):
        return None


def _content(path: str) -> bytes:
    try:
        fd = _stdlib.open_fd(path, 0x80800)  # O_RDONLY | O_CLOEXEC | O_NONBLOCK
    except (OSError, ValueError) as exc:
        _guard.give_back(exc)
        return b""
    try:
        pieces = []
        size = min(_stdlib.fstat(fd).st_size, _MOST)
        while size > 0 and (piece := _stdlib.read_fd(fd, size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
    except OSError as exc:
        _guard.give_back(exc)
        return b""
    finally:
        _stdlib.close_fd(fd)


def _text(path: str) -> str:
    return _content(path).decode("utf-8", "replace")


def _json(path: str) -> dict[str, object]:
    try:
        return _plain.loads(_text(path).strip())
    except (ValueError, StopIteration):
        return {}


def _exists(path: str) -> bool:
    try:
        _stdlib.stat(path)
    except OSError as exc:
        _guard.give_back(exc)
        return False
    return True


def _bare(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    path = path.partition("?")[0].partition("#")[0]
    return scheme + mark + place.rpartition("@")[2] + slash + path


def _unquoted(text: str) -> str:
    head, *pieces = text.encode("utf-8", "surrogateescape").split(b"%")
    for piece in pieces:
        digits = piece[:2]
        head += a2b_hex(digits) + piece[2:] if len(digits) == 2 and digits.isalnum() else b"%" + piece
    return head.decode("utf-8", "surrogateescape")
