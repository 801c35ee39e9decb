"""The files of the Grafana and Loki stack, and the compose program that runs them."""

from __future__ import annotations

import json
import os
import subprocess

from ..errors import BluerockError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SERVICES = ("loki", "collector", "grafana")
_STACK = "grafana-loki"
_SHIPPED = (_STACK, "collectors")
_COMPOSE = f"{_STACK}/compose.yaml"
_SAMPLE = f"{_STACK}/demo/events.ndjson"
_INSTALL = "install Docker with its compose plugin: https://docs.docker.com/compose/install/"


class Stack:
    """The stack of this user. Its files are copied out of the package: what Docker restarts must not need a venv."""

    def __init__(self) -> None:
        """BluerockError where there is no compose, or no home."""
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise BluerockError("there is no home directory to keep the stack's files in", "set HOME")
        self.directory = f"{home}/.bluerock/stack"
        self._command = find()

    @property
    def demo_spool(self) -> str:
        """Where ``--demo`` puts the sample."""
        return f"{self.directory}/demo-spool"

    def install(self) -> bool:
        """Copy what is new or has changed, remove what is no more; whether anything was.

        In place, since containers that run have these files and directories mounted. Other users read them there.
        """
        changed = False
        files = {f"{self.directory}/{name}": content for name, content in _files().items()}
        for path, content in files.items():
            if _read(path) != content:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
                changed = True
        for path in self._copied():
            if path in files:
                os.chmod(path, 0o644)
            else:
                os.unlink(path)
                changed = True
        return changed

    def _copied(self) -> list[str]:
        """Every file there, of directories that are open to others."""
        found = []
        for name in _SHIPPED:
            for directory, _, files in os.walk(f"{self.directory}/{name}"):
                os.chmod(directory, 0o755)  # noqa: S103 - no secret is in it
                found += [f"{directory}/{file}" for file in files]
        return found

    def installed(self) -> bool:
        """Was it ever started by this user?"""
        return os.path.exists(f"{self.directory}/{_COMPOSE}")

    def compose(self, *words: str, env: dict[str, str] | None = None, quiet: bool = False) -> str:
        """Run compose; what it printed where ``quiet``, else it all goes to stderr. BluerockError where it fails."""
        command = [*self._command, "--file", f"{self.directory}/{_COMPOSE}", *words]
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else 2,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or "").strip().splitlines()
            why = said[-1] if said else "it says why above"
            raise BluerockError(f"`{' '.join(self._command)} {words[0]}` ended with {done.returncode}", why)
        return done.stdout or ""

    def states(self) -> dict[str, dict[str, Any]]:
        """What compose says of each service that has a container."""
        printed = self.compose("ps", "--all", "--format", "json", quiet=True).strip()
        # A list up to compose 2.20, then an object a line.
        found = json.loads(printed) if printed.startswith("[") else [json.loads(line) for line in printed.splitlines()]
        return {each["Service"]: each for each in found}


def sample() -> str:
    """The recorded events of ``--demo``, as text."""
    with open(f"{_shipped()}/{_SAMPLE}", encoding="utf-8") as file:
        return file.read()


def _files() -> dict[str, bytes]:
    """What compose needs: content by path below ``deploy``."""
    source = _shipped()
    return {
        os.path.relpath(path, source): _read(path)
        for name in _SHIPPED
        for directory, _, files in os.walk(f"{source}/{name}")
        for path in (f"{directory}/{file}" for file in files)
        if path.endswith((".json", ".yaml"))
    }


def _read(path: str) -> bytes:
    """Nothing where there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _shipped() -> str:
    """The directory ``deploy`` of the wheel, or of the sources where the installation is editable."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for place in (f"{package}/_deploy", f"{os.path.dirname(package)}/deploy"):
        if os.path.exists(f"{place}/{_COMPOSE}"):
            return place
    raise BluerockError("this installation has no files of the stack", "install bluerock-hooks from its wheel")


def find() -> list[str]:
    """The compose program of this machine, of version 2 or newer; BluerockError where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0 and not done.stdout.strip().lstrip("v").startswith(("0.", "1.")):
            return command
    raise BluerockError("there is no `docker compose` and no `docker-compose` 2 here", _INSTALL)
