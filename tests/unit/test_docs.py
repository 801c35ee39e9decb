"""The documentation says what is: every setting, event and command, and commands that are the ones we run."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import _schema
import _scripts
import pytest
from _peers import ROOT

from bluerock_hooks import config, events
from bluerock_hooks.cli import COMMANDS, schema

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])

# How the page writes a default that is no plain word.
SAID_DEFAULTS = {
    "BLUEROCK_SPOOL_DIR": "~/.bluerock/event-spool",
    "BLUEROCK_LOG": "off",
    "BLUEROCK_EXCLUDE": "installers, build back ends, linters",
    "BLUEROCK_IGNORE_FILES": "the kernel's own, bytecode",
    "BLUEROCK_IGNORE_CALLERS": "import system, class makers",
}


def rows(page: str) -> dict[str, list[str]]:
    """First column without backquotes -> the other columns, of every table of a page."""
    found = {}
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[cells[0].strip("`")] = cells[1:]
    return found


@pytest.mark.parametrize("row", config.TABLE, ids=lambda row: row.variable)
def test_every_setting_has_its_row(row: config.Setting) -> None:
    default, meaning = rows("settings.md")[row.variable]
    if row.variable in SAID_DEFAULTS:
        assert default.strip("`") == SAID_DEFAULTS[row.variable]
    else:
        plain = {True: "on", False: "off"}.get(row.default, row.default) if type(row.default) is bool else row.default
        assert default == f"`{plain}`"
    assert meaning == row.doc


def test_no_row_is_of_a_setting_that_is_not() -> None:
    said = {name for name in rows("settings.md") if name.startswith("BLUEROCK_")}
    assert said == set(config.VARIABLES)


@pytest.mark.parametrize("listed", [config.DARK_PROGRAMS, config.IGNORED_FILES, config.IGNORED_CALLERS])
def test_the_default_lists_are_the_ones_in_force(listed: str) -> None:
    blocks = re.findall(r"```text\n(.*?)```", (DOCS / "settings.md").read_text(), re.S)
    assert listed.split() in [block.split() for block in blocks]


def test_the_settings_file_of_the_page_is_a_good_one(tmp_path: Path) -> None:
    block = re.search(r"```json\n(.*?)```", (DOCS / "settings.md").read_text(), re.S)
    assert block
    path = tmp_path / "file.json"
    path.write_text(block[1])
    settings = config.load({"HOME": "/", "BLUEROCK_CONFIG": str(path)})
    assert settings.problems == []
    assert len(settings.changed()) == len(json.loads(block[1]))


@pytest.fixture(scope="module")
def generator() -> Any:
    return _scripts.loaded("generate")


def test_the_page_of_events_is_up_to_date(generator: Any) -> None:
    assert (DOCS / "events.md").read_text() == generator.page(), "run: python docs/generate.py"


def test_the_schema_file_is_up_to_date_and_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main([], "bluerock-hooks schema") == 0
    assert (DOCS / "events.schema.json").read_text() == capsys.readouterr().out, "run: python docs/generate.py"


def test_every_event_has_its_heading_and_a_real_example(generator: Any) -> None:
    page = (DOCS / "events.md").read_text()
    examples = [json.loads(line) for line in (DOCS / "examples.ndjson").read_text().splitlines()]
    shown = {line["event"]["meta"]["name"] for line in examples}
    for kind in events.KINDS:
        assert f"\n## {kind.NAME}\n" in page
        assert kind.NAME in shown


def test_every_example_is_as_the_schema_says() -> None:
    _schema.check(json.loads(line) for line in (DOCS / "examples.ndjson").read_text().splitlines())


def test_no_sentence_of_the_generator_is_left_over(generator: Any) -> None:
    structs = [*events.KINDS, events.Meta, events.Context, events.Process, events.Request, events.CutEvent]
    names = set()
    queue = list(structs)
    while queue:
        cls = queue.pop()
        for field in generator.fields(cls):
            names.add(f"{cls.__name__}.{field.name}")
            queue += generator.structs_in(field.type)
    assert set(generator.PLAIN) <= names


def test_every_command_has_its_heading() -> None:
    page = (DOCS / "cli.md").read_text()
    for name, _ in COMMANDS:
        assert re.search(rf"^##+ .*\b{name}\b", page, re.M), name


def test_the_readme_runs_commands_that_exist() -> None:
    known = {name for name, _ in COMMANDS}
    used = set(re.findall(r"bluerock-hooks (\w+)", README)) - {"beside"}
    assert used
    assert used <= known


def command_under(heading: str) -> str:
    block = re.search(rf"^## {heading}\n.*?```sh\n(.*?)```", README, re.S | re.M)
    assert block
    return block[1].strip()


def test_both_commands_of_the_readme_are_one_line_each() -> None:
    for heading in ("Try it", "Run the tests"):
        assert "\n" not in command_under(heading)


def test_the_checks_run_the_readme_s_test_command_as_it_stands() -> None:
    assert command_under("Run the tests") in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("boot", ["bluerock_hooks.pth", "bluerock_hooks.start"])
def test_the_digest_of_what_runs_at_start_up_is_documented(boot: str) -> None:
    (digest,) = rows("operations.md")[boot]
    assert digest.strip("`") == hashlib.sha256((ROOT / boot).read_bytes()).hexdigest()


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_blocks_are_json(page: Path) -> None:
    for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.S):
        if "..." not in block:
            json.loads(block)


def test_the_changelog_has_the_version_that_is_built() -> None:
    from bluerock_hooks import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog or f"## [{__version__}]" in changelog


@pytest.mark.parametrize("name", ["run", "matrix", "conformance", "pipelines"])
def test_the_scripts_of_the_checks_are_sound_shell(name: str) -> None:
    script = ROOT / ".ci" / name
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True).returncode == 0
    assert "set -euo pipefail" in script.read_text()


@pytest.mark.parametrize("file", ["PAGE", "SCHEMA"])
def test_the_generator_can_find_a_file_out_of_date(file: str, tmp_path: Path, generator: Any, monkeypatch: Any) -> None:
    stale = tmp_path / "stale"
    stale.write_text("# Events\n")
    monkeypatch.setattr(generator, file, stale)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generator.main() == 1
