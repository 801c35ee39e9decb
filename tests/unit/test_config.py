"""Settings: defaults, file, environment; and every wrong one is a sentence, never an error."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from _peers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from bluerock_hooks import config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def write_file(home: dict[str, str], content: object) -> str:
    path = os.path.join(home["HOME"], ".bluerock", "bluerock-hooks.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return path


def test_without_file_and_variables_everything_is_its_default(home: dict[str, str]) -> None:
    settings = config.load(home)
    for row in config.TABLE:
        if row.attribute != "spool_dir":
            assert getattr(settings, row.attribute) == row.default
    assert settings.spool_dir == home["HOME"] + "/.bluerock/event-spool"
    assert settings.problems == []
    assert settings.changed() == {}


def test_every_setting_is_declared_on_the_class() -> None:
    declared = set(config.Settings.__annotations__)
    assert {row.attribute for row in config.TABLE} <= declared


def test_every_default_text_is_within_its_own_rules() -> None:
    for row in config.TABLE:
        if isinstance(row.default, str) and row.default:
            assert row.parse(row.default) == row.default
        elif isinstance(row.default, bool):
            assert row.parse("on" if row.default else "off") is row.default
        elif isinstance(row.default, int):
            assert row.parse(str(row.default)) == row.default


def test_the_environment_wins_over_the_file(home: dict[str, str]) -> None:
    path = write_file(home, {"payloads": "shape", "BLUEROCK_RESULTS": "none", "ring_bytes": 131072, "mcp": False})
    settings = config.load({**home, "BLUEROCK_PAYLOADS": "full"})
    assert (settings.payloads, settings.results, settings.ring_bytes, settings.mcp) == ("full", "none", 131072, False)
    assert settings.sources["payloads"] == "BLUEROCK_PAYLOADS"
    assert settings.sources["results"] == path
    assert settings.file == path
    assert settings.problems == []


def test_a_named_file_replaces_the_one_at_home(home: dict[str, str], tmp_path: Path) -> None:
    write_file(home, {"payloads": "none"})
    other = tmp_path / "other.json"
    other.write_text('{"results": "shape"}')
    settings = config.load({**home, "BLUEROCK_CONFIG": str(other)})
    assert (settings.payloads, settings.results) == ("redacted", "shape")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1]", "expected a JSON object"),
        ({"no_such": 1}, "no_such: no such setting"),
        ({"payloads": ["full"]}, "payloads: expected a plain value"),
        ({"payloads": None}, "payloads: expected a plain value"),
        ({"payloads": "most"}, "expected one of full, redacted, shape, none"),
        ({"ring_bytes": -1}, "expected a size above zero"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_defaults(home: dict[str, str], content: object, sentence: str) -> None:
    write_file(home, content)
    settings = config.load(home)
    assert len(settings.problems) == 1
    assert sentence in settings.problems[0]
    assert settings.changed() == {}


def test_a_file_that_is_no_file_is_one_sentence(home: dict[str, str], tmp_path: Path) -> None:
    settings = config.load({**home, "BLUEROCK_CONFIG": str(tmp_path)})
    assert len(settings.problems) == 1
    settings = config.load({**home, "BLUEROCK_CONFIG": str(tmp_path / "absent")})
    assert "no such file" in settings.problems[0]
    settings = config.load({**home, "BLUEROCK_CONFIG": "relative.json"})
    assert "expected an absolute path" in settings.problems[0]


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("BLUEROCK_MCP", "maybe", "expected on or off"),
        ("BLUEROCK_PAYLOADS", "some", "expected one of"),
        ("BLUEROCK_RING_BYTES", "big", "expected a size in bytes"),
        ("BLUEROCK_SPOOL_DIR", "here", "expected an absolute path"),
        ("BLUEROCK_LOG", "loud", "expected off, error, info or debug"),
        ("BLUEROCK_LOG", "debug:here", "expected off, error, info or debug"),
        ("BLUEROCK_NETWORK", "everything", "expected one of off, tool, all"),
        ("BLUEROCK_NO_SUCH", "1", "no such setting"),
    ],
)
def test_a_wrong_variable_is_one_sentence_and_its_default(
    home: dict[str, str], variable: str, text: str, sentence: str
) -> None:
    settings = config.load({**home, variable: text})
    assert [problem for problem in settings.problems if variable in problem and sentence in problem]
    assert len(settings.problems) == 1
    assert settings.changed() == {}


@pytest.mark.parametrize("row", config.TABLE, ids=lambda row: row.variable)
@given(text=st.text(max_size=40))
def test_no_text_makes_loading_raise(row: config.Setting, text: str) -> None:
    settings = config.load({"HOME": "/nowhere", row.variable: text})
    assert isinstance(settings, config.Settings)


@pytest.mark.parametrize(
    ("text", "size"),
    [("65536", 65536), ("64k", 65536), ("64KiB", 65536), (" 16 MiB ", 16 << 20), ("1g", 1 << 30), ("2MB", 2 << 20)],
)
def test_sizes_take_binary_units(text: str, size: int) -> None:
    assert config.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["0", "-1", "", "k", "1.5m", "1t", "0x10"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        config.parse_bytes(text)


def test_sizes_beyond_reason_are_cut_and_said(home: dict[str, str]) -> None:
    settings = config.load({**home, "BLUEROCK_RING_BYTES": "1", "BLUEROCK_MAX_EVENT_BYTES": "1g"})
    assert settings.ring_bytes == 64 << 10
    assert settings.max_event_bytes == 1 << 20
    assert len(settings.problems) == 2


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", "On", " 1 "])
def test_words_that_enable(word: str) -> None:
    assert config.enabled({"BLUEROCK_ENABLE": word})


@pytest.mark.parametrize("word", ["0", "false", "no", "off", "", "2", "enable", "y"])
def test_words_that_do_not(word: str) -> None:
    assert not config.enabled({"BLUEROCK_ENABLE": word})
    assert not config.enabled({})


def test_disabled_wins() -> None:
    assert not config.enabled({"BLUEROCK_ENABLE": "1", "BLUEROCK_DISABLED": "1"})
    assert config.enabled({"BLUEROCK_ENABLE": "1", "BLUEROCK_DISABLED": "0"})


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": "~"}])
def test_files_never_land_beside_the_program_for_want_of_a_home(environ: dict[str, str]) -> None:
    settings = config.load(environ)
    assert settings.spool_dir == "" or settings.spool_dir.startswith("/")
    assert settings.problems


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["python", "pip"], ["pip"]),
        (["python", "/usr/bin/pip", "install"], ["pip"]),
        (["python", "-m", "pip", "install"], ["pip", "pip"]),
        (["python", "-mpip"], ["pip", "pip"]),
        (["python", "-m", "pip.__main__"], ["pip.__main__", "pip"]),
        (["python", "-X", "dev", "-W", "error", "-I", "server.py", "-m"], ["server.py"]),
        (["python", "-Xdev", "/srv/app/__main__.py"], ["app"]),
        (["python", "-c", "print()"], []),
        (["python", "-"], []),
        (["python"], []),
        (["python", "--check-hash-based-pycs", "always", "run.py"], ["run.py"]),
        (["python", "-m"], ["", ""]),
        ([], []),
    ],
)
def test_what_the_interpreter_was_started_to_run(argv: list[str], names: list[str]) -> None:
    assert config.program_names(argv) == names


@pytest.mark.parametrize("program", ["pip", "pip3", "pip3.11", "uv", "ruff", "mypy", "_in_process.py", "virtualenv"])
def test_tools_stay_dark_by_default(program: str) -> None:
    assert config.excluded(config.Settings(), ["python", "/somewhere/" + program])


@pytest.mark.parametrize("program", ["server.py", "pipeline", "uvicorn", "build_server.py", "fastmcp", "pytest"])
def test_hosts_do_not(program: str) -> None:
    assert not config.excluded(config.Settings(), ["python", "/somewhere/" + program])


def test_the_exclusion_list_can_grow_or_be_replaced(home: dict[str, str]) -> None:
    grown = config.load({**home, "BLUEROCK_EXCLUDE": "+ worker-*, celery"})
    replaced = config.load({**home, "BLUEROCK_EXCLUDE": "celery"})
    assert config.excluded(grown, ["python", "worker-7"])
    assert config.excluded(grown, ["python", "-m", "celery"])
    assert config.excluded(grown, ["python", "pip"])
    assert config.excluded(replaced, ["python", "celery"])
    assert not config.excluded(replaced, ["python", "pip"])


def test_loading_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "from bluerock_hooks import config; config.excluded(config.load({'HOME': '/'}), sys.orig_argv)\n"
        "print(sorted(n for n in set(sys.modules) - before if not n.startswith('bluerock_hooks')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['__future__']")


def test_reading_settings_leaves_the_file_alone(home: dict[str, str]) -> None:
    path = write_file(home, {"payloads": "full"})
    before = os.stat(path)
    config.load(home)
    after = os.stat(path)
    assert (before.st_mtime_ns, stat.S_IMODE(before.st_mode)) == (after.st_mtime_ns, stat.S_IMODE(after.st_mode))


@pytest.mark.parametrize(
    ("text", "value"),
    [("on", "on"), ("TRUE", "on"), ("1", "on"), ("yes", "on"), ("off", "off"), ("0", "off"), ("All", "all")],
)
def test_imports_are_off_on_or_all(text: str, value: str) -> None:
    assert config.load({"HOME": "/", "BLUEROCK_IMPORTS": text}).imports == value


def test_another_word_for_imports_is_a_problem() -> None:
    settings = config.load({"HOME": "/", "BLUEROCK_IMPORTS": "some"})
    assert settings.imports == "on"
    assert "expected one of off, on, all" in settings.problems[0]
