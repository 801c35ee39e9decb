"""Examines this environment for ``doctor``: the start-up files, the variables, a trial start, and the versions."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import site
import subprocess
import sys
import tempfile
from importlib import metadata

from .. import config
from .._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._findings import Findings

START_UP_FILES = {
    "bluerock_hooks.pth": "7a0776f79c5eff05e28354bfb029b52a1a73c724a2574c30e6a1b27d48b68339",
    "bluerock_hooks.start": "6e2e4b9955abee979a37f370d0c6cc4769bb2332061e536ae9214d3b04a1d687",
}
"""SHA-256 of the files of this version that the interpreter runs at its start. What differs was not written by us."""

NEEDED = ("msgspec", "wrapt", "importlib-metadata")
WATCHED = ("mcp", "fastmcp")
REINSTALL = f"{sys.executable} -m pip install --force-reinstall bluerock-hooks"

_ASK = "import json,sys; m=sys.modules.get('bluerock_hooks._bootstrap'); print(json.dumps(m.status() if m else None))"
_TRIAL_SECONDS = 60


def examine(findings: Findings, settings: config.Settings) -> None:
    """Everything about the installation; the trial starts a child interpreter and deletes what it recorded."""
    _interpreter(findings)
    _variables(findings, settings)
    files = _start_up_files(findings)
    _trial(findings, settings, files)
    _versions(findings)


def _interpreter(findings: Findings) -> None:
    flags = [letter for letter, on in (("-S", sys.flags.no_site), ("-I", sys.flags.isolated)) if on]
    findings.facts["interpreter"] = {
        "executable": sys.executable,
        "python": ".".join(map(str, sys.version_info[:3])),
        "prefix": sys.prefix,
        "virtual_environment": sys.prefix != sys.base_prefix,
        "user_site": bool(site.ENABLE_USER_SITE),
        "flags": flags,
    }
    if not sys.executable:
        findings.problem("this interpreter does not know its own path", "start it by an absolute path")


def _variables(findings: Findings, settings: config.Settings) -> None:
    # Of a name that is not ours nobody knows what it holds, and what doctor prints ends up in bug reports.
    shown = {
        name: os.environ[name] if name in config.VARIABLES else "?"
        for name in sorted(os.environ)
        if name.startswith(config.PREFIX)
    }
    findings.facts["environment"] = shown
    if os.environ.get("BLUEROCK_DISABLED", "").strip().lower() in config.TRUE:
        findings.problem("BLUEROCK_DISABLED is set here and wins over BLUEROCK_ENABLE", "unset BLUEROCK_DISABLED")
    elif not config.enabled(os.environ):
        findings.note("BLUEROCK_ENABLE is not on in this shell: programs started from it are recorded only by `run`")
    for sentence in settings.problems:
        findings.problem(sentence, "correct it; the sensor runs without it")


def site_directories() -> list[str]:
    """Where a ``.pth`` file is read, each directory once (``lib64`` is often a link to ``lib``)."""
    found = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return list({os.path.realpath(directory): directory for directory in reversed(found)}.values())[::-1]


def _start_up_files(findings: Findings) -> list[dict[str, Any]]:
    """The start-up files of ours that are in the site directories."""
    found: list[dict[str, Any]] = []
    for directory in site_directories():
        for name, expected in START_UP_FILES.items():
            path = os.path.join(directory, name)
            try:
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read(1 << 20)).hexdigest()
            except FileNotFoundError:
                continue
            except OSError as exc:
                findings.problem(f"{path} cannot be read: {exc.strerror}", "correct its owner and mode")
                continue
            found.append({"path": path, "sha256": digest, "as_shipped": digest == expected})
            if digest != expected:
                findings.problem(
                    f"{path} is not the file of version {__version__} ({digest})", f"look at it; {REINSTALL}"
                )
    findings.facts["start_up_files"] = found
    needed = "bluerock_hooks.start" if sys.version_info >= (3, 18) else "bluerock_hooks.pth"
    if not any(row["path"].endswith(needed) for row in found):
        findings.problem(
            f"{needed} is in no site directory of {sys.executable}, so no interpreter loads the sensor", _why()
        )
    return found


def _why() -> str:
    package = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    user = os.path.realpath(site.getusersitepackages())
    if package == user and not site.ENABLE_USER_SITE:
        return "the package is in the user's site directory, which is off here (a virtual environment, -s or -I)"
    return (
        f"the package is used from {package}, which is no site directory (--target, PYTHONPATH or a checkout): "
        f"install it with {sys.executable} -m pip install bluerock-hooks, or call bluerock_hooks.start()"
    )


def _trial(findings: Findings, settings: config.Settings, files: list[dict[str, Any]]) -> None:
    """Start an interpreter as a user would, with the sensor on, and ask it."""
    status, said = _ask_child(settings)
    findings.facts["trial"] = {"status": status, "stderr": said}
    if status is not None and status.get("active") is True:
        for sentence in status.get("problems") or ():
            if sentence not in settings.problems:
                findings.problem(str(sentence), "see the sentence")
        return
    if status is None:
        what = f"an interpreter started with BLUEROCK_ENABLE=1 did not load the sensor{said and ': ' + said}"
        if files:  # else said already, with its remedy
            findings.problem(what, f"the package may be half removed: {REINSTALL}")
    else:
        remedy = "mend that, then run doctor again"
        findings.problem(f"an interpreter started with BLUEROCK_ENABLE=1 stays dark: {status.get('reason')}", remedy)


def _ask_child(settings: config.Settings) -> tuple[dict[str, Any] | None, str]:
    """Status of a fresh interpreter's sensor, None where there is none, and the last line of its stderr.

    It records into a directory of its own, in the spool if there is one: the same file system, without a trace in it.
    """
    inside = settings.spool_dir if os.path.isdir(settings.spool_dir) else None
    try:
        scratch = tempfile.mkdtemp(prefix="doctor-", dir=inside)
    except OSError:  # the examination of the spool says why
        scratch = tempfile.mkdtemp(prefix="bluerock-hooks-doctor-")
    environ = {name: value for name, value in os.environ.items() if name != "BLUEROCK_DISABLED"}
    environ |= {"BLUEROCK_ENABLE": "1", "BLUEROCK_SPOOL_DIR": os.path.join(scratch, "spool")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return None, str(exc)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    said = done.stderr.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]
    try:
        # The last line: a sitecustomize may print too.
        status = json.loads(done.stdout.strip().rpartition(b"\n")[2])
    except ValueError:
        return None, said
    return (status if isinstance(status, dict) else None), said


def _versions(findings: Findings) -> None:
    found = {"bluerock-hooks": __version__, **{name: _version_of(name) for name in (*NEEDED, *WATCHED)}}
    for name in NEEDED:
        if found[name] is None:
            findings.problem(f"{name} is not installed: MCP is not recorded", f"{sys.executable} -m pip install {name}")
    findings.facts["versions"] = found
    if not any(found[name] for name in WATCHED):
        findings.note("neither mcp nor fastmcp is installed in this environment: there is no MCP to record")
    recorded = _version_of("bluerock-hooks")
    if recorded is None:
        findings.note("bluerock-hooks runs from a directory without its metadata")
    elif recorded != __version__:
        findings.note(f"the metadata says bluerock-hooks {recorded}, the code {__version__}: reinstall it")


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
