"""Records ``events.ndjson``, the sample that ``bluerock-hooks stack up --demo`` loads, by running ``examples/``.

Two environments with an SDK of each generation; in the first, one file of a distribution is changed after the
installation. The toolbox runs in both, the example server over stdio and over HTTP, with one request that is refused.
What is kept is what was recorded, but of each distribution's unremarkable imports only one a process, and with paths
of this machine replaced.

Usage: ``python deploy/grafana-loki/demo/record.py`` in the development environment; needs uv and the registry.
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
SDKS = ("mcp==2.3.0", "mcp==1.30.0")
TAMPERED = "idna/core.py"


def main() -> None:
    """Record, and write the sample."""
    with tempfile.TemporaryDirectory(prefix="demo") as name:
        directory = Path(name)
        shutil.copytree(ROOT / "examples", directory / "example", ignore=shutil.ignore_patterns("__pycache__"))
        venvs = [venv(directory / f"venv{number}", sdk) for number, sdk in enumerate(SDKS, 1)]
        with (site(venvs[0]) / TAMPERED).open("a") as file:
            file.write("\n# changed after the installation\n")
        for python in venvs:
            run(directory, python, "toolbox.py")
        run(directory, venvs[0], "client.py")
        over_http(directory, venvs[1])
        EVENTS.write_text("".join(f"{line}\n" for line in kept(directory)))


def venv(directory: Path, *packages: str) -> Path:
    """The interpreter of a new environment with the packages and this one."""
    uv = str(Path(sys.prefix, "bin", "uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)], check=True)
    python = directory / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--link-mode=copy", "--python", str(python)]
    subprocess.run([*install, str(ROOT), *packages], check=True)
    return python


def site(python: Path) -> Path:
    return next(python.parent.parent.glob("lib/python*/site-packages"))


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
    spool = directory / "spool"
    recover = [sys.executable, "-m", "bluerock_hooks", "recover", "--spool", str(spool)]
    subprocess.run(recover, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    lines = [line for segment in spool.glob("python-*.ndjson") for line in segment.read_text().splitlines()]
    seen = set()
    chosen = []
    for line in sorted(lines):  # a line begins with its time
        stored = json.loads(line)
        event = stored["event"]
        if unremarkable(event):
            owner = (event["meta"]["component_id"], event.get("pkg"))
            if owner in seen:
                continue
            seen.add(owner)
        chosen.append(elsewhere(line, directory))
    return chosen


def unremarkable(event: dict[str, Any]) -> bool:
    return event["meta"]["name"] == "python_import" and event.get("record") == "match" and "mcp" not in event["context"]


def elsewhere(line: str, directory: Path) -> str:
    """The line with the paths of a machine that might be anybody's."""
    return line.replace(str(directory), "/srv").replace(sys.base_prefix, "/usr/local").replace(str(ROOT), "/srv/src")


if __name__ == "__main__":
    main()
