"""What ran, put together from the import events of many processes: files by distribution, with their verdicts."""

from __future__ import annotations

from ..distributions import Distributions
from ..reader import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..reader import Snapshot
    from ._selection import Selection

_SITES = ("/site-packages", "/dist-packages")
CONTAINING = (b'"python_import"', b'"python_package"', b'"sensor_startup"')

# Members that tell one fact about a module from another; those of many processes are mostly the same.
_MEMBERS = (
    "fullname", "file", "loader", "how", "executed", "executed_sha256", "pyc_hash", "sha256", "archive", "pkg",
    "version", "record", "pyc", "kept", "shadows_stdlib",
)  # fmt: skip


class Module:
    """One module as it was loaded: by how many processes, and what was said of it."""

    __slots__ = ("members", "processes", "python")

    def __init__(self, members: dict[str, Any], python: str | None) -> None:
        self.members = members
        self.python = python
        """``major.minor.micro`` of the interpreter that loaded it, where that is known."""
        self.processes: set[str] = set()

    def get(self, name: str) -> Any:
        """A member of its event, None where it is unknown."""
        return self.members.get(name)

    @property
    def name(self) -> str:
        """Of the module, or of the file that ran."""
        return str(self.get("fullname") or self.get("file") or "?")

    def faults(self) -> Iterator[str]:
        """What is wrong with it by the words of the process that loaded it."""
        if self.get("record") == "mismatch":
            yield "the file differs from RECORD"
        if self.get("pyc") == "stale":
            yield "the bytecode that ran was made of another source"
        ran, file = self.get("executed_sha256"), self.get("sha256")
        if self.get("executed") == "source" and not self.get("archive") and ran and file and ran != file:
            yield "the source that ran is not what was in the file"


class Loaded:
    """Everything of a spool that concerns imports."""

    def __init__(self) -> None:
        self.modules: dict[tuple[object, ...], Module] = {}
        self.packages: dict[tuple[str, str], dict[str, Any]] = {}
        self.startup: dict[tuple[str, str], dict[str, Any]] = {}
        self._python: dict[str, str] = {}

    def read(self, snapshot: Snapshot, selection: Selection) -> None:
        """Take in what the spool holds and the filters let pass."""
        for stored in snapshot.events(selection.since_ns, containing=CONTAINING):
            if selection.matches(stored):
                self._take(stored.name, stored.event)
        self._adopt()

    def _take(self, name: str, event: dict[str, Any]) -> None:
        process = str(member(event, "meta", "component_id"))
        if name == "sensor_startup":
            self._python[process] = str(event.get("python"))
            for each in event.get("startup") or ():
                if isinstance(each, dict):
                    self.startup.setdefault((str(each.get("file")), str(each.get("sha256"))), each)
        elif name == "python_package":
            self.packages.setdefault((str(event.get("name")), str(event.get("version"))), event)
        elif name == "python_import":
            members = {key: event[key] for key in _MEMBERS if key in event}
            python = self._python.get(process)
            key = (python, *(str(members.get(each)) for each in _MEMBERS))
            module = self.modules.setdefault(key, Module(members, python))
            module.processes.add(process)

    def _adopt(self) -> None:
        """Whose a module is, where its process was killed before it could say: by what is installed now.

        Only that: whether the file was as it was installed, nobody can tell any more.
        """
        orphans = [
            module
            for module in self.modules.values()
            if module.get("sha256") is None and module.get("pkg") is None and isinstance(module.get("file"), str)
        ]
        sites = {module.get("file").rpartition(mark)[0] + mark for module in orphans for mark in _SITES}
        known = Distributions([site for site in sites if site not in _SITES])
        for module in orphans:
            distribution, _ = known.owner(module.get("file"))
            if distribution is not None:
                module.members["pkg"], module.members["version"] = distribution.name, distribution.version

    def distributions(self) -> dict[tuple[str, str], list[Module]]:
        """Modules by name and version of their distribution, sorted; ``("", "")`` is what belongs to none."""
        groups: dict[tuple[str, str], list[Module]] = {}
        for module in self.modules.values():
            groups.setdefault((str(module.get("pkg") or ""), str(module.get("version") or "")), []).append(module)
        for modules in groups.values():
            modules.sort(key=lambda module: module.name)
        return dict(sorted(groups.items(), key=lambda item: (not item[0][0], item[0][0].lower(), item[0][1])))
