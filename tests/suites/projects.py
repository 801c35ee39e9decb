"""The suites: of which project and version, what they need, and which of their tests see the sensor for what it is."""

from __future__ import annotations

from typing import NamedTuple

NEWEST = "2026-11-25"
"""Nothing newer is installed: what a suite needs is named without versions."""

DEFAULTS: dict[str, str] = {}
EVERYTHING = {
    "IMPORTS": "all",
    "NETWORK": "all",
    "FILES": "all",
    "NATIVE": "all",
    "CODE": "all",
    "PAYLOADS": "full",
    "RESULTS": "full",
}


class Project(NamedTuple):
    """One suite. It plays in the unpacked source distribution."""

    sdist: str
    needs: tuple[str, ...]
    """What is installed with it."""
    tests: tuple[str, ...] = ("tests",)
    """Where pytest finds them."""
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Directories that would hide the installed package, where that has been compiled."""
    variables: dict[str, str] = {}
    unittests: str = ""
    """The package with the tests, where they are run by ``unittest``, each module in a process of its own."""
    extras: str = ""
    everything: bool = False
    """Play it with the whole reach of the sensor, too."""
    known: dict[str, str] = {}
    """Test, or the beginning of its name -> why it ends otherwise with the sensor, and rightly so."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What its environment needs."""
        return (self.sdist.replace("==", f"{self.extras}==", 1), *self.needs)

    @property
    def slug(self) -> str:
        """A name for files."""
        return self.sdist.replace("==", "-")

    def reason(self, test: str) -> str:
        """Why ``test`` may differ; empty where it may not."""
        return next((why for name, why in self.known.items() if test.startswith(name)), "")


_PYTEST = "pytest"

PROJECTS = (
    Project("h11==0.16.0", (_PYTEST,), ("h11/tests",)),
    Project(
        "httpx==0.28.1",
        (_PYTEST, "trio", "trustme", "uvicorn", "chardet<6", "cryptography", "typing-extensions"),
        extras="[brotli,cli,http2,socks,zstd]",
    ),
    Project(
        "anyio==4.16.0",
        (_PYTEST, "blockbuster", "exceptiongroup", "hypothesis", "psutil", "pytest-mock", "pytest-timeout", "trustme",
         "truststore", "uvloop"),
        extras="[trio]",
        everything=True,
    ),
    Project(
        "mcp==1.30.0",
        (_PYTEST, "dirty-equals", "inline-snapshot", "pytest-examples", "pytest-flakefinder", "pytest-pretty",
         "pytest-xdist", "requests", "trio", "uv"),
        options=("-n0", "--color=no"),
        extras="[cli,rich,ws]",
    ),
    Project(
        "mcp==2.3.0",
        (_PYTEST, "blockbuster", "coverage", "dirty-equals", "griffelib==2.1.0", "inline-snapshot", "logfire",
         "markdown", "opentelemetry-sdk", "pillow", "pydantic-settings", "pytest-examples", "pytest-flakefinder",
         "pytest-pretty", "pytest-xdist", "pyyaml", "trio", "zensical==0.0.50"),
        # Its examples are a distribution of their own, that is nowhere but here.
        options=("--color=no", "-o", "pythonpath=scripts/docs examples"),
        extras="[cli]",
        everything=True,
    ),
    Project(
        "pydantic==2.14.4",
        (_PYTEST, "cloudpickle", "dirty-equals", "faker", "jsonschema", "packaging", "pytest-benchmark",
         "pytest-examples", "pytest-mock", "pytest-run-parallel", "pytz", "sqlalchemy", "time-machine"),
        options=("--benchmark-disable", "--ignore=tests/test_docs.py"),  # the documents are not there
        extras="[email,timezone]",
    ),
    Project(
        "starlette==1.10.0",
        (_PYTEST, "blockbuster", "httpx2[zstd]", "importlib-metadata", "opentelemetry-sdk", "pytest-codspeed", "trio"),
        extras="[full]",
    ),
    Project(
        "uvicorn==0.54.0",
        (_PYTEST, "a2wsgi", "cryptography", "httpx2", "pytest-codspeed", "pytest-mock", "pytest-xdist[psutil]",
         "trustme", "wsproto", "zttp"),
        options=("-n0",),
        extras="[standard]",
    ),
    Project(
        "trio==0.35.0",
        (_PYTEST, "astor", "async-generator", "black", "cryptography", "jedi", "mypy", "pylint", "pyopenssl", "pyright",
         "pyyaml", "ruff", "trustme"),
        ("src/trio",),
        options=("--run-slow", "-o", "faulthandler_timeout=900"),  # whose word in a deep recursion ends the run
    ),
    Project(
        "psutil==7.2.2",
        (_PYTEST, "pytest-xdist", "setuptools"),
        # Its addopts name plugins; psleak, of its own making, measures memory.
        options=("-o", "addopts=", "-o", "verbosity_subtests=auto", "--ignore=tests/test_memleaks.py"),
        without=("psutil",),
    ),
    Project(
        "pytest==9.2.0",
        ("argcomplete", "attrs", "hypothesis", "mock", "requests", "setuptools", "xmlschema"),
        ("testing",),
    ),
    Project(
        "coverage==7.17.4",
        (_PYTEST, "flaky", "hypothesis", "pygments", "pytest-xdist"),
        options=("-n0",),
        without=("coverage",),
    ),
    Project("typeguard==4.6.1", (_PYTEST, "mypy")),
    Project("wrapt==2.5.2", (_PYTEST, "setuptools")),
    Project("msgspec==0.22.0", (_PYTEST, "attrs", "pyyaml", "tomli-w"), ("tests/unit",)),
    Project(
        "loky==3.7.0",
        (_PYTEST, "numpy", "packaging", "psutil"),
        options=("-o", "faulthandler_timeout=900"),  # which ends the run
    ),
    Project(
        "joblib==1.6.0",
        (_PYTEST, "lz4", "numpy", "psutil", "pytest-asyncio", "pytest-run-parallel", "pytest-timeout", "threadpoolctl"),
        ("joblib",),
    ),
    Project(
        "setuptools==84.2.1",
        (_PYTEST, "build[virtualenv]", "filelock", "ini2toml[lite]", "jaraco-envs", "jaraco-path", "jaraco-test",
         "packaging", "pip", "pyproject-hooks", "pytest-cov", "pytest-home", "pytest-subprocess", "pytest-timeout",
         "pytest-xdist", "tomli-w", "virtualenv", "wheel"),
        ("setuptools",),
        options=("-m", "not uses_network"),
        variables={"PYTHONPATH": "."},  # the wheel has no tests
    ),
    Project("gevent==26.9.0", ("psutil", "requests", "dnspython", "idna"), unittests="gevent.tests"),
    Project(
        "fastmcp==4.2.3",
        (_PYTEST, "dirty-equals", "fastapi", "httpx", "hypothesis", "inline-snapshot[dirty-equals]",
         "opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-sdk", "psutil", "pydocket", "pytest-asyncio",
         "pytest-cov", "pytest-env", "pytest-examples", "pytest-flakefinder", "pytest-retry", "pytest-timeout",
         "pytest-xdist"),
        options=("-o", "timeout=60"),
        extras="[anthropic,apps,azure,code-mode,gemini,jev,openai]",
    ),
)  # fmt: skip
