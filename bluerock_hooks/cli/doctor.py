"""``doctor``: is the sensor active in this environment, and if not, why not and what to do."""

from __future__ import annotations

import argparse
import json
import os
import shlex

from .. import config
from . import _installation, _recordings
from ._findings import Findings
from ._recordings import size_text
from ._selection import add_spool, open_spool
from ._terminal import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def main(args: list[str], prog: str) -> int:
    """Print what was found; 0 if healthy, 1 if there is a problem."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Is the sensor active in this environment? Prints each problem with what to do about it. "
        "Exit status: 0 healthy, 1 a problem.",
    )
    parser.add_argument("--json", action="store_true", help="everything that was found, as JSON")
    parser.add_argument("--settings", action="store_true", help="list every setting with its value, source and meaning")
    add_spool(parser)
    options = parser.parse_args(args)
    findings, settings = examine(options.spool)
    if options.json:
        print(json.dumps(findings.as_json(), indent=2))
    else:
        for line in _report(findings):
            print(visible(line))
        for line in _settings_lines(settings) if options.settings else ():
            print(visible(line))
        for line in _verdict(findings):
            print(visible(line))
    return 1 if findings.problems else 0


def examine(directory: str | None = None) -> tuple[Findings, config.Settings]:
    """Look at everything; ``directory`` stands for the configured spool."""
    findings = Findings()
    settings = config.load(os.environ)
    if directory:
        settings.spool_dir = os.path.abspath(directory)
        settings.sources["spool_dir"] = "--spool"
    _installation.examine(findings, settings)
    findings.facts["settings"] = {
        row.attribute: {
            "value": getattr(settings, row.attribute),
            "source": settings.sources.get(row.attribute, "default"),
            "meaning": row.doc,
        }
        for row in config.TABLE
    }
    findings.facts["settings_file"] = settings.file
    _recordings.examine(findings, settings, open_spool(settings.spool_dir) if settings.spool_dir else None)
    return findings, settings


def _report(findings: Findings) -> Iterator[str]:
    facts = findings.facts
    interpreter = facts["interpreter"]
    where = "virtual environment" if interpreter["virtual_environment"] else "installation"
    yield f"interpreter   {interpreter['executable']} (Python {interpreter['python']}, {where} {interpreter['prefix']})"
    yield "versions      " + ", ".join(f"{name} {version or '-'}" for name, version in facts["versions"].items())
    for row in facts["start_up_files"]:
        yield f"start-up file {row['path']}" + ("" if row["as_shipped"] else " (CHANGED)")
        yield f"              sha256 {row['sha256']}"
    yield "environment   " + (
        ", ".join(f"{k}={v}" for k, v in facts["environment"].items()) or "no BLUEROCK_ variables"
    )
    status = facts["trial"]["status"]
    active = status is not None and status.get("active") is True
    yield "trial start   " + (f"active, by {status['activation']}" if active and status else "not active")
    changed = [f"{name}={row['value']} ({row['source']})" for name, row in _changed(facts)]
    yield "settings      " + ("; ".join(changed) or "all at their defaults")
    yield from _spool_lines(facts["spool"])
    yield from _process_lines(facts.get("processes") or [])


def _changed(facts: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, row) for name, row in facts["settings"].items() if row["source"] != "default"]


def _spool_lines(spool: dict[str, Any]) -> Iterator[str]:
    yield f"spool         {spool['path'] or 'nowhere'}"
    if "free_bytes" in spool:
        yield f"              owner {spool['owner']}, mode {spool['mode']}, {size_text(spool['free_bytes'])} free"
    if "segments" in spool:
        used, most = size_text(spool["segment_bytes"]), size_text(spool["retention_bytes"])
        owners = [row["owner"] for row in spool["rings"]]
        kinds = ", ".join(f"{owners.count(kind)} {word}" for kind, word in _OWNERS if kind in owners) or "none"
        yield f"              {spool['segments']} segments, {used} of {most}; rings: {kinds}"


_OWNERS = (
    ("alive", "of running processes"),
    ("dead", "of ended processes"),
    ("unknown", "of processes not seen from here"),
)


def _process_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        argv = shlex.join(map(str, row["argv"])) if isinstance(row["argv"], list) else "?"
        yield f"process       {row['pid']} {row['state']}, since {row['since'][:19]}Z: {argv[:160]}"
        if row["hooks"]:
            yield f"              {row['sdk'] or 'unknown SDK'}: {row['hooks_applied']} of {row['hooks']} hooks applied"
        yield f"              {_accounts_text(row)}"
        for miss in row["missed"]:
            needed = " (required)" if miss["required"] else ""
            yield f"              {miss['outcome']}: {miss['target']}{needed}"


def _accounts_text(row: dict[str, Any]) -> str:
    emitted, written, waiting = row["emitted"], row["written"], row["waiting"]
    known = [f"{emitted} events", f"{written} written"] if emitted is not None else ["it left no account of its events"]
    if waiting is not None:
        known.append(f"{waiting} in the ring")
    reasons = ", ".join(f"{count} {reason}" for reason, count in row["dropped_by"].items())
    known += [f"{row['dropped']} lost" + (f" ({reasons})" if reasons else ""), f"{row['errors']} errors of ours"]
    return ", ".join(known)


def _settings_lines(settings: config.Settings) -> Iterator[str]:
    yield f"settings file {settings.file or 'none'}"
    for row in config.TABLE:
        value = getattr(settings, row.attribute)
        text = {True: "on", False: "off", "": "-"}.get(value, value)
        yield f"  {row.variable}={text}"
        yield f"      {settings.sources.get(row.attribute, 'default')}. {row.doc}"


def _verdict(findings: Findings) -> Iterator[str]:
    for sentence in findings.notes:
        yield f"note: {sentence}"
    for what, remedy in findings.problems:
        yield f"PROBLEM: {what}"
        yield f"         what to do: {remedy}"
    if findings.problems:
        count = len(findings.problems)
        yield f"NOT HEALTHY: {count} problem{'s' if count > 1 else ''}"
    else:
        yield "HEALTHY: with BLUEROCK_ENABLE=1 the sensor starts in every interpreter of this environment"
