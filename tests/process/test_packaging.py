"""The real wheel, installed by real installers: what lands in site-packages, and what is gone after uninstalling."""

from __future__ import annotations

import email
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import _peers
import pytest
from _peers import ROOT, Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOOT_FILES = ("bluerock_hooks.pth", "bluerock_hooks.start")
DEPLOY = "bluerock_hooks/_deploy/"
STARTED = "import sys; print('bluerock_hooks._bootstrap' in sys.modules)"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository: what is built from it cannot change half way, and nothing is left in it."""
    copy = tmp_path_factory.mktemp("sources") / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build"))
    return copy


def build(sources: Path, out: Path, *options: str) -> Path:
    _peers.install("build", "--quiet", *options, "--out-dir", str(out), str(sources))
    return next(path for path in sorted(out.iterdir()) if path.name.endswith((".whl", ".tar.gz")))


def content(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_there_is_one_pure_wheel_with_the_boot_files_at_its_root(wheel: Path) -> None:
    assert [path.name for path in wheel.parent.glob("*.whl")] == [wheel.name]
    assert wheel.name.endswith("-py3-none-any.whl")
    names = content(wheel)
    tops = {name.partition("/")[0] for name in names}
    info = next(top for top in tops if top.endswith(".dist-info"))
    assert tops == {*BOOT_FILES, "bluerock_hooks", info}
    for boot in BOOT_FILES:
        assert names[boot] == hashlib.sha256((ROOT / boot).read_bytes()).hexdigest()
    assert "bluerock_hooks/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    assert not [
        name
        for name in names
        if not name.startswith((info, DEPLOY)) and not name.endswith((".py", *BOOT_FILES, ".typed"))
    ]
    shipped = {name.removeprefix(DEPLOY): digest for name, digest in names.items() if name.startswith(DEPLOY)}
    assert {"grafana-loki/compose.yaml", "grafana-loki/demo/events.ndjson", "collectors/otelcol.yaml"} <= set(shipped)
    for name, digest in shipped.items():
        assert digest == hashlib.sha256((ROOT / "deploy" / name).read_bytes()).hexdigest(), name


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    said = metadata(wheel)
    assert said["Name"] == "bluerock-hooks"
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.10"
    needed = [line for line in said.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(re.split(r"[^A-Za-z-]", line)[0] for line in needed) == ["importlib-metadata", "msgspec", "wrapt"]
    # Floors only: a cap on a shared dependency would make hosts uninstallable.
    assert all(re.fullmatch(r"[a-z-]+>=[0-9.]+", line) for line in needed), needed


def test_the_pth_is_one_plain_line() -> None:
    line = (ROOT / "bluerock_hooks.pth").read_text()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert line.startswith("import ")
    assert len(line) < 250
    for word in ("exec", "eval", "base64", "compile", "subprocess", "http"):
        assert word not in line


def test_the_source_distribution_builds_the_same_wheel(sources: Path, tmp_path: Path) -> None:
    sdist = build(sources, tmp_path / "sdist", "--sdist")
    direct = build(sources, tmp_path / "direct", "--wheel")
    indirect = build(sdist, tmp_path / "indirect", "--wheel")
    assert direct.name == indirect.name
    assert content(direct) == content(indirect)


def make_venv(installer: str, directory: Path) -> Peer:
    if installer == "uv":
        _peers.install("venv", "--quiet", "--python", str(_peers.interpreter()), str(directory))
    else:
        done = subprocess.run([str(_peers.interpreter()), "-m", "venv", str(directory)], capture_output=True, text=True)
        if done.returncode != 0:
            _peers.missing(f"python -m venv: {done.stdout}{done.stderr}")
    return Peer(directory)


def pip(installer: str, venv: Peer, *arguments: str) -> None:
    if installer == "uv":
        _peers.install("pip", arguments[0], "--quiet", "--python", str(venv.python), *arguments[1:])
    else:
        yes = ["--yes"] if arguments[0] == "uninstall" else []
        venv.run("python", "-m", "pip", arguments[0], "--quiet", *yes, *arguments[1:], timeout=180)


def listing(venv: Peer) -> set[str]:
    return {str(path.relative_to(venv.site)) for path in venv.site.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_install_boots_and_uninstall_leaves_nothing(
    installer: str, kind: str, wheel: Path, sources: Path, sensor_env: dict[str, str], tmp_path: Path
) -> None:
    venv = make_venv(installer, tmp_path / "venv")
    pip(installer, venv, "install", "wrapt", "msgspec", "importlib-metadata")
    before = listing(venv)
    pip(installer, venv, "install", *(["-e", str(sources)] if kind == "editable" else [str(wheel)]))
    for boot in BOOT_FILES:
        assert (venv.site / boot).read_bytes() == (ROOT / boot).read_bytes()
    assert (venv.site / "bluerock_hooks" / "__init__.py").exists() == (kind == "wheel")
    assert venv.run("python", "-c", STARTED, env=sensor_env).stdout == "True\n"
    assert venv.run("python", "-c", STARTED, env=_peers.environment(tmp_path)).stdout == "False\n"
    assert venv.run("bluerock-hooks", "--version", env=sensor_env).stdout.startswith("bluerock-hooks ")
    pip(installer, venv, "uninstall", "bluerock-hooks")
    assert listing(venv) == before
    assert not (venv.bin / "bluerock-hooks").exists()
    silent = venv.run("python", "-c", "", env=sensor_env)
    assert (silent.stdout, silent.stderr) == ("", "")


# The oldest release of each dependency that has a wheel for that Python and that the sensor runs with. The first row is
# the floors themselves; later Pythons never see releases as old, because no wheel of those fits them.
OLDEST = {
    "3.10": ("wrapt==1.13.3", "msgspec==0.14.0", "importlib-metadata==1.0"),
    "3.11": ("wrapt==1.14.1", "msgspec==0.14.0", "importlib-metadata==1.0"),
    "3.12": ("wrapt==1.15.0", "msgspec==0.18.6", "importlib-metadata==1.0"),
    "3.13": ("wrapt==1.16.0", "msgspec==0.19.0", "importlib-metadata==1.0"),
}


def test_the_floors_are_the_oldest_that_are_tested(wheel: Path) -> None:
    floors = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(floors) == sorted(pin.replace("==", ">=") for pin in OLDEST["3.10"])


@pytest.mark.parametrize("version", OLDEST)
def test_the_oldest_dependencies_record_the_example(
    version: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], spool: Path
) -> None:
    venv = peer_venv(version, "mcp==1.30.0", *OLDEST[version])
    done = venv.run("python", _peers.EXAMPLES / "client.py", env=sensor_env)
    assert "add: 5" in done.stdout
    assert done.stderr == ""
    events = _peers.read_spool(spool)
    outcomes = [
        event["outcome"] for event in _peers.named(events, "server_send_response") if event["method"] == "tools/call"
    ]
    assert outcomes == ["ok", "ok", "tool_error", "ok"]
    shown = venv.run("bluerock-hooks", "show", "--event", "python_mcp_event", env=sensor_env)
    assert len(shown.stdout.splitlines()) == len(_peers.named(events, "python_mcp_event"))
    json.loads(venv.run("bluerock-hooks", "schema", env=sensor_env).stdout)


def test_a_tool_that_uv_starts_beside_the_wheel_has_the_sensor(
    wheel: Path, sensor_env: dict[str, str], tmp_path: Path
) -> None:
    """``uvx --with bluerock-hooks TOOL``, as client configurations have it."""
    command = [_peers.uv(), "tool", "run", "--quiet", "--python", str(_peers.interpreter()), "--with", str(wheel)]
    env = {**sensor_env, "UV_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [*command, "--from", "wrapt", "python", "-c", STARTED], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"
