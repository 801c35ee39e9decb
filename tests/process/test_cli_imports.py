"""``bluerock-hooks imports``: what ran, by distribution; a changed file and a swapped ``.pyc`` are found, no others."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import _peers
import pytest
from _peers import Peer, named, read_spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# With what they need, more than 60 distributions: pure ones, extension modules, namespace packages, odd names.
PACKAGES = (
    "mcp==1.30.0", "flask", "requests", "rich", "pytest", "pyyaml", "tqdm", "platformdirs", "filelock", "sqlalchemy",
    "python-dateutil", "pytz", "docutils", "tabulate", "toml", "cachetools", "pyparsing", "markdown", "mistune",
    "sortedcontainers", "more-itertools", "decorator", "networkx", "zope.interface", "google-api-core", "colorama",
    "simplejson", "six", "beautifulsoup4", "ply", "pycparser", "chardet", "html5lib", "bleach", "loguru", "arrow",
    "humanize",
)  # fmt: skip
PROGRAM = """
import importlib, sys
# Whichever version of them is installed needs: what it does without is passed over.
for name in '''
    mcp.server flask requests jinja2 rich.console pygments pytest yaml tqdm packaging.version platformdirs filelock
    sqlalchemy six dateutil.parser pytz docutils.core tabulate toml cachetools pyparsing markdown mistune
    sortedcontainers more_itertools decorator networkx zope.interface google.api_core colorama simplejson certifi
    charset_normalizer urllib3 idna itsdangerous werkzeug blinker click markupsafe httpx anyio h11 google.protobuf
    google.auth google.rpc.status_pb2 proto pyasn1 pyasn1_modules uvicorn starlette pydantic jsonschema attr referencing
    rpds wrapt msgspec importlib_metadata zipp iniconfig pluggy cryptography bs4 soupsieve lxml.etree ply pycparser
    cffi regex chardet xlrd webencodings html5lib bleach loguru arrow humanize
'''.split():
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as exc:
        print(exc, file=sys.stderr)
"""


class Environment:
    """One of the test's own, to be damaged."""

    def __init__(self, peer: Peer, directory: Path) -> None:
        self.peer = peer
        self.spool = directory / "spool"
        self.env = _peers.environment(directory, BLUEROCK_ENABLE="1", BLUEROCK_SPOOL_DIR=str(self.spool))
        self.program = directory / "program.py"
        self.program.write_text(PROGRAM)

    def run(self) -> list[dict[str, Any]]:
        """The program's events."""
        shutil.rmtree(self.spool, ignore_errors=True)
        self.peer.run("python", self.program, env=self.env, timeout=120)
        return read_spool(self.spool)

    def imports(self, *options: str) -> tuple[int, str, str]:
        """Status, output and errors of the command."""
        command = ("-m", "bluerock_hooks", "imports", *options)
        done = self.peer.run("python", *command, env=self.env, check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    directory = tmp_path_factory.mktemp("imports")
    made = Environment(_peers.fresh(wheel, directory / "venv", *PACKAGES, python="3.11"), directory)
    made.run()  # makes the bytecode
    return made


def mismatches(output: str) -> list[str]:
    return re.findall(r"^MISMATCH: ([\w.]+): ", output, re.M)


def test_nothing_is_flagged_where_nothing_is_wrong(environment: Environment) -> None:
    assert len(list(environment.peer.site.glob("*.dist-info"))) >= 60
    events = environment.run()
    modules = named(events, "python_import")
    installed = [event for event in modules if str(event.get("file")).startswith(str(environment.peer.site))]
    assert len(installed) > 1000
    assert [event for event in installed if event.get("record") != "match"] == []
    assert [event for event in modules if event.get("pyc")] == []
    assert [event["fullname"] for event in modules if event.get("shadows_stdlib")] == []
    names = {event["name"] for event in named(events, "python_package")}
    assert len(names) >= 60
    assert {"PyYAML", "google-api-core", "googleapis-common-protos", "zope.interface"} <= names
    status, output, errors = environment.imports("--verify")
    assert (status, mismatches(output), errors) == (0, [], "")
    assert "not compared" not in output
    assert re.search(r"^bytecode: \d{3,} modules are what their source compiles to$", output, re.M)
    assert re.search(r"^PyYAML \S+ +\d+ modules  \d+ match$", output, re.M)


@pytest.fixture
def edited(environment: Environment) -> Iterator[Path]:
    path = environment.peer.site / "click" / "core.py"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"import", b"Import", 1) if b"# import" in before else before + b"#")
    yield path
    path.write_bytes(before)
    environment.run()


def test_an_edited_module_is_flagged_and_nothing_else(environment: Environment, edited: Path) -> None:
    events = environment.run()
    wrong = [event for event in named(events, "python_import") if event.get("record") == "mismatch"]
    assert [(event["fullname"], event["file"]) for event in wrong] == [("click.core", str(edited))]
    (click,) = [event for event in named(events, "python_package") if event["name"] == "click"]
    assert click["mismatches"] == 1
    assert sum(event["mismatches"] for event in named(events, "python_package")) == 1
    status, output, _ = environment.imports("--verify")
    assert (status, mismatches(output)) == (1, ["click.core"])
    assert environment.imports()[0] == 0  # without --verify it reports


SWAP = """
import importlib.util, marshal, sys
source, pyc = sys.argv[1:]
text = open(source, "rb").read() + b"\\nevil = True\\n"
header = open(pyc, "rb").read()[:16]
with open(pyc, "wb") as file:
    file.write(header + marshal.dumps(compile(text, source, "exec", dont_inherit=True)))
"""


def test_a_swapped_pyc_is_flagged_and_nothing_else(environment: Environment, tmp_path: Path) -> None:
    source = environment.peer.site / "idna" / "core.py"
    (pyc,) = (source.parent / "__pycache__").glob("core.*.pyc")
    before = pyc.read_bytes()
    try:
        environment.peer.run("python", "-c", SWAP, source, pyc, env={})
        events = environment.run()
        (module,) = [event for event in named(events, "python_import") if event["fullname"] == "idna.core"]
        assert (module["executed"], module["record"]) == ("pyc", "match")  # what others look at is as it was
        status, output, _ = environment.imports("--verify")
        assert (status, mismatches(output)) == (1, ["idna.core"])
        assert "not what its source compiles to" in output
        document = json.loads(environment.imports("--verify", "--json")[1])
        assert [each["module"] for each in document["mismatches"]] == ["idna.core"]

        pyc.write_bytes(before[:16] + b"\xe3" + b"\x00" * 40)  # bytecode of no compiler
        document = json.loads(environment.imports("--verify", "--json")[1])
        assert document["mismatches"] == []
        unknown = [(each["module"], each["why"]) for each in document["bytecode"]["not_compared"]]
        assert unknown == [("idna.core", "the bytecode that ran is not on disk any more")]
    finally:
        pyc.write_bytes(before)


def test_the_list_as_json(environment: Environment) -> None:
    environment.run()
    status, output, _ = environment.imports("--json")
    document = json.loads(output)
    assert status == 0
    by_name = {each["name"]: each for each in document["distributions"]}
    assert by_name["click"]["installer"] == "uv"
    assert {each["fullname"] for each in by_name["click"]["modules"]} >= {"click", "click.core"}
    (main,) = [each for each in by_name[None]["modules"] if each["fullname"] == "__main__"]
    assert main["file"] == str(environment.program)
    start = {each["file"].rpartition("/")[2]: each for each in document["startup"]}
    assert start["bluerock_hooks.pth"]["pkg"] == "bluerock-hooks"


def test_the_bill_of_materials_is_valid_and_names_what_was_loaded(environment: Environment, tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    from bluerock_hooks.cli import main

    environment.run()
    path = tmp_path / "sbom.json"
    assert main(["imports", "--spool", str(environment.spool), "--sbom", str(path)]) == 0
    text = path.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["specVersion"] == "1.6"
    found = {each["name"]: each for each in document["components"]}
    events = read_spool(environment.spool)
    for package in named(events, "python_package"):
        component = found[package["name"]]
        assert component["version"] == package["version"]
        assert component["purl"].startswith("pkg:pypi/")
        hashes = {each["name"]: each["hashes"][0]["content"] for each in component["components"]}
        mine = [event for event in named(events, "python_import") if event.get("pkg") == package["name"]]
        assert hashes == {event["file"]: event["sha256"] for event in mine}
    assert str(environment.program) in found


def test_the_bill_says_what_it_needs(environment: Environment) -> None:
    status, _, errors = environment.imports("--sbom", "-")
    assert status == 2
    assert "pip install 'bluerock-hooks[sbom]'" in errors
