"""Runs the recipes of ``docs/recipes.md`` and writes what they print into the page.

The spool is a directory with the events of the demonstration and of ``docs/recipes.ndjson``, in a home directory of
its own, where the recipes look for it.

Usage::

    python docs/recipes.py             # writes the page; needs jq and duckdb
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "recipes.md"
SAMPLES = (HERE.parent / "deploy" / "grafana-loki" / "demo" / "events.ndjson", HERE / "recipes.ndjson")

# A program, and what it printed.
PAIR = re.compile(r"```(sh|sql)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.S)

# Reads statements, prints what each but the first shows: all in one process, since DuckDB is slow to load.
_SHOW = """
import duckdb, sys
view, *queries = sys.stdin.read().split("\\0")
duckdb.execute(view)
for query in queries:
    duckdb.sql(query).show(max_width=120)
    print(end="\\0")
"""


def home(directory: Path) -> Path:
    """A home directory with the sample as its spool."""
    spool = directory / ".bluerock" / "event-spool"
    spool.mkdir(parents=True, mode=0o700)
    for number, sample in enumerate(SAMPLES, 1):
        shutil.copy(sample, spool / f"python-{number}-0123456789abcdef.000001.ndjson")
    return directory


def outputs(page: str, place: Path, python: str = sys.executable) -> list[tuple[str, str, str]]:
    """Each recipe that shows what it prints: its text, what the page says, and what it prints in that home.

    ``python``: an interpreter that has duckdb.
    """
    env = {**os.environ, "HOME": str(place), "LC_ALL": "C.UTF-8"}
    (_, view, _), *pairs = PAIR.findall(page)
    queries = [text for language, text, _ in pairs if language == "sql"]
    tables = iter(_printed([python, "-c", _SHOW], env, "\0".join([view, *queries])).split("\0"))
    return [
        (text, said, (next(tables) if language == "sql" else _printed(["bash", "-ec", text], env)).rstrip("\n") + "\n")
        for language, text, said in pairs
    ]


def _printed(command: list[str], env: dict[str, str], program: str = "") -> str:
    done = subprocess.run(command, env=env, input=program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{program or command[-1]}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Run them all, and write the page."""
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory() as name:
        for text, said, printed in outputs(page, home(Path(name))):
            page = page.replace(f"{text}```\n\n```text\n{said}```\n", f"{text}```\n\n```text\n{printed}```\n")
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
