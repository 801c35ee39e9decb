"""``imports``: which code ran, by distribution, and whether it is what was installed."""

from __future__ import annotations

import argparse
import json

from ..reader import Snapshot
from . import _bytecode, _sbom
from ._loaded import Loaded
from ._say import say
from ._selection import Selection, add_filters, existing_spool, report
from ._terminal import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._bytecode import Verified
    from ._loaded import Module

    Group = tuple[tuple[str, str], list[Module]]


def main(args: list[str], prog: str) -> int:
    """Print what was loaded; with ``--verify`` 1 where something is not what it should be."""
    options = _parser(prog).parse_args(args)
    spool = existing_spool(options.spool)
    snapshot = Snapshot(spool)
    loaded = Loaded()
    loaded.read(snapshot, Selection(options))
    verified = _bytecode.verify(loaded.modules.values()) if options.verify else None
    faults = list(_faults(loaded, verified))
    if options.sbom:
        _write(options.sbom, _sbom.document(loaded))
    elif options.json:
        print(json.dumps(_as_json(loaded, verified, faults), indent=2))
    else:
        for line in _lines(loaded, verified, faults):
            print(visible(line))
    report(snapshot.problems)
    if not loaded.modules:
        say(f"no imports are recorded in {spool.path}")
    if options.verify and (options.sbom or options.json):
        for module, what in faults:
            say(visible(f"{module.name}: {what} ({module.get('file')})"))
    return 1 if options.verify and faults else 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Which code ran: modules by distribution, and whether their files are as they were installed.",
    )
    add_filters(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compile the sources again and compare with the bytecode that ran; exit status 1 where anything differs",
    )
    parser.add_argument(
        "--sbom", metavar="FILE", help="write a CycloneDX 1.6 bill of materials (JSON) of what was loaded; - is stdout"
    )
    return parser


def _faults(loaded: Loaded, verified: Verified | None) -> Iterator[tuple[Module, str]]:
    for module in loaded.modules.values():
        for what in module.faults():
            yield module, what
    for module in verified.different if verified is not None else ():
        yield module, "the bytecode that ran is not what its source compiles to"


def _lines(loaded: Loaded, verified: Verified | None, faults: list[tuple[Module, str]]) -> Iterator[str]:
    groups = loaded.distributions()
    width = max((len(f"{name} {version}") for name, version in groups), default=0)
    for group in groups.items():
        (name, version), modules = group
        title = f"{name} {version}" if name else "(no distribution)"
        yield f"{title:<{max(width, 17)}}  {len(modules):>5} modules  {_verdict(modules)}{_source(loaded, group)}"
        if not name:
            for module in modules:
                yield f"    {module.name}  {module.get('file') or ''}".rstrip()
    for each in loaded.startup.values():
        owner = f"{each.get('pkg')} {each.get('version')}" if each.get("pkg") else "NO DISTRIBUTION"
        yield f"runs at start-up: {each.get('file')}  {owner}"
    for module in loaded.modules.values():
        if module.get("shadows_stdlib"):
            yield f"SHADOWS the standard library: {module.name}  {module.get('file') or 'without a file'}"
    if verified is not None:
        yield f"bytecode: {verified.same} modules are what their source compiles to"
        for module, why in verified.unknown:
            yield f"not compared: {module.name}: {why}"
    for module, what in faults:
        yield f"MISMATCH: {module.name}: {what} ({module.get('file')})"


def _verdict(modules: list[Module]) -> str:
    said = [module.get("record") or "unknown" for module in modules if module.get("pkg")]
    counts = [(said.count(word), word) for word in ("match", "mismatch", "absent", "unknown")]
    words = [f"{count} {word.upper() if word == 'mismatch' else word}" for count, word in counts if count]
    return ", ".join(words)


def _source(loaded: Loaded, group: Group) -> str:
    origin = loaded.packages.get(group[0], {}).get("direct_url")
    if not isinstance(origin, dict):
        return ""
    return f"  {'editable ' if origin.get('editable') else ''}{origin.get('url')}"


def _as_json(loaded: Loaded, verified: Verified | None, faults: list[tuple[Module, str]]) -> dict[str, Any]:
    facts = ("location", "installer", "requested", "direct_url", "tags", "files")
    found: dict[str, Any] = {
        "distributions": [
            {
                "name": name or None,
                "version": version or None,
                **{key: value for key, value in loaded.packages.get((name, version), {}).items() if key in facts},
                "modules": [{**module.members, "processes": len(module.processes)} for module in modules],
            }
            for (name, version), modules in loaded.distributions().items()
        ],
        "startup": list(loaded.startup.values()),
        "mismatches": [{"module": module.name, "file": module.get("file"), "what": what} for module, what in faults],
    }
    if verified is not None:
        unknown = [{"module": module.name, "file": module.get("file"), "why": why} for module, why in verified.unknown]
        found["bytecode"] = {"same": verified.same, "not_compared": unknown}
    return found


def _write(path: str, text: str) -> None:
    if path == "-":
        print(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")
