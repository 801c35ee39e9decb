"""The command as a whole: help, version, errors, and the schema it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from _command import call, command_env
from _peers import ROOT

from bluerock_hooks._version import __version__
from bluerock_hooks.cli import COMMANDS, main
from bluerock_hooks.events import KINDS

if TYPE_CHECKING:
    from pathlib import Path


def test_every_command_has_help_under_the_name_it_was_called_by(tmp_path: Path) -> None:
    overview = call(tmp_path, "--help", text=True)
    assert overview.returncode == 0
    for name, summary in COMMANDS:
        assert f"{name} " in overview.stdout
        assert summary in overview.stdout
        done = call(tmp_path, name, "--help", text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: python -m bluerock_hooks {name}")


def test_every_option_is_in_the_documentation(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for name, _ in COMMANDS[1:]:
        words = call(tmp_path, name, "--help", text=True).stdout.replace(",", " ").replace("]", " ").split()
        options = {word for word in words if word.startswith("--")} - {"--help"}
        assert {option for option in options if option not in page} == set(), name


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert call(tmp_path, "--version", text=True).stdout == f"bluerock-hooks {__version__}\n"


@pytest.mark.parametrize(("words", "said"), [(["frob"], "'frob' is no command"), ([], "no command")])
def test_what_is_no_command_is_a_usage_error(tmp_path: Path, words: list[str], said: str) -> None:
    done = call(tmp_path, *words, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "--help" in done.stderr


def test_main_returns_what_the_process_would_end_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--help"]) == 0
    assert main(["show", "--frob"]) == 2
    assert main(["show", "--spool", "/no/such/spool"]) == 3
    assert "bluerock-hooks: nothing is recorded yet" in capsys.readouterr().err


def test_the_overview_imports_no_command(tmp_path: Path) -> None:
    code = (
        "import sys; from bluerock_hooks.cli import main; main(['--help']); "
        "print(*[name for name in sys.modules if name in ('argparse', 'json', 'msgspec', 'typing')])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=command_env(tmp_path), capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""


def test_the_schema_describes_every_kind(tmp_path: Path) -> None:
    schema = json.loads(call(tmp_path, "schema").stdout)
    *kinds, cut = schema["properties"]["event"]["anyOf"]
    assert cut == {"$ref": "#/$defs/CutEvent"}
    names = [kind["properties"]["meta"]["properties"]["name"]["const"] for kind in kinds]
    assert names == [kind.NAME for kind in KINDS]
    for kind in kinds:
        definition = schema["$defs"][kind["$ref"].removeprefix("#/$defs/")]
        assert definition["description"]
        assert {"meta", "context"} <= set(definition["properties"])
