"""Records ``events.ndjson``, the sample that ``bluerock-hooks stack up --demo`` loads, by running ``examples/``.

Two environments with an SDK of each generation. The toolbox runs in both, the example server over stdio and over HTTP,
with one request that is refused. In the first environment things are wrong that the dashboards show: a source file was
replaced after its bytecode was made, a module has a name of the standard library, a distribution comes from a
directory. What is kept is what was recorded, but of each distribution's unremarkable imports only one a process, and
with paths of this machine replaced.

Usage: ``python deploy/grafana-loki/demo/record.py`` in the development environment; needs uv and the registry. Then
``python docs/recipes.py``: the recipes show what they find in it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EVENTS = HERE / "events.ndjson"
UV = str(Path(sys.prefix, "bin", "uv"))
SDKS = ("mcp==2.3.0", "mcp==1.30.0")
SWAPPED = "idna/core.py"
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "tides"
version = "1.0"
"""


def main() -> None:
    """Record, and write the sample."""
    with tempfile.TemporaryDirectory(prefix="demo") as name:
        directory = Path(name)
        shutil.copytree(ROOT / "examples", directory / "example", ignore=shutil.ignore_patterns("__pycache__"))
        venvs = [venv(directory / f"venv{number}", sdk) for number, sdk in enumerate(SDKS, 1)]
        swap(next(venvs[0].parent.parent.glob(f"lib/python*/site-packages/{SWAPPED}")), venvs[0])
        for python in venvs:
            run(directory, python, "toolbox.py")
        run(directory, venvs[0], "client.py")
        odd_ones(directory, venvs[0])
        over_http(directory, venvs[1])
        EVENTS.write_text("".join(f"{line}\n" for line in kept(directory)))


def venv(directory: Path, *packages: str) -> Path:
    """The interpreter of a new environment with the packages and this one."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(directory)], check=True)
    python = directory / "bin" / "python"
    install(python, str(ROOT), *packages)
    return python


def install(python: Path, *packages: str) -> None:
    command = [UV, "pip", "install", "--quiet", "--link-mode=copy", "--python", str(python), *packages]
    subprocess.run(command, check=True)


def swap(source: Path, python: Path) -> None:
    """Change a source file; its bytecode, which Python was told not to check, still runs."""
    unchecked = "py_compile.PycInvalidationMode.UNCHECKED_HASH"
    code = f"import py_compile; py_compile.compile({str(source)!r}, invalidation_mode={unchecked})"
    subprocess.run([str(python), "-c", code], check=True)
    with source.open("a") as file:
        file.write("\n# changed after the installation\n")


def odd_ones(directory: Path, python: Path) -> None:
    """A distribution from a directory, and a module that hides one of the standard library."""
    project = directory / "tides"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "tides.py").write_text("high = 12\n")
    install(python, str(project))
    (directory / "example" / "colorsys.py").write_text("red = 1\n")
    run(directory, python, "-c", "import colorsys, tides")


def environment(directory: Path) -> dict[str, str]:
    spool = str(directory / "spool")
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "BLUEROCK_ENABLE": "1", "BLUEROCK_SPOOL_DIR": spool}


def run(directory: Path, python: Path, *words: str) -> None:
    command = [str(python), *words]
    subprocess.run(command, cwd=directory / "example", env=environment(directory), check=True, timeout=120)


def over_http(directory: Path, python: Path) -> None:
    """The example server over HTTP, its client, and one request of a session that there is not."""
    command = [str(python), "http_server.py"]
    where = directory / "example"
    with subprocess.Popen(command, cwd=where, env=environment(directory), stdout=subprocess.PIPE, text=True) as server:
        url = next(iter(server.stdout or ())).strip()
        run(directory, python, "client.py", "--url", url)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        stranger = urllib.request.Request(url, body, {**headers, "Mcp-Session-Id": "0" * 32})
        try:
            urllib.request.urlopen(stranger, timeout=10).close()
        except urllib.error.HTTPError as refused:
            refused.close()
        server.send_signal(signal.SIGINT)  # as Ctrl-C: it ends in order


def kept(directory: Path) -> list[str]:
    """The lines of the sample, oldest first."""
    seen = set()
    chosen = []
    for line in recorded(directory / "spool"):
        event = json.loads(line)["event"]
        owner = (event["meta"]["component_id"], event.get("pkg"))
        if not unremarkable(event) or owner not in seen:
            chosen.append(elsewhere(line, directory))
        seen.add(owner)
    return chosen


def recorded(spool: Path) -> list[str]:
    """Every line, oldest first, since a line begins with its time."""
    recover = [sys.executable, "-m", "bluerock_hooks", "recover", "--spool", str(spool)]
    subprocess.run(recover, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return sorted(line for segment in spool.glob("python-*.ndjson") for line in segment.read_text().splitlines())


def unremarkable(event: dict[str, Any]) -> bool:
    return event["meta"]["name"] == "python_import" and event.get("record") == "match" and "mcp" not in event["context"]


def elsewhere(line: str, directory: Path) -> str:
    """The line with the paths of a machine that might be anybody's."""
    return line.replace(str(directory), "/srv").replace(sys.base_prefix, "/usr/local").replace(str(ROOT), "/srv/src")


if __name__ == "__main__":
    main()
