"""Fixtures of the whole suite; the work is done in ``_peers``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import _peers
import pytest
from hypothesis import HealthCheck, settings

from bluerock_hooks import _guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A shell starts what it puts into the background with Ctrl-C ignored, and so would be every program of the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def refuse_to_fail_open(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, Exception]]]:
    """A test fails where our guard swallowed something in this process; ``@pytest.mark.swallows`` allows it.

    The value lists what was swallowed, as (place, exception).
    """
    swallowed: list[tuple[str, Exception]] = []
    before, _guard.observer = _guard.observer, lambda place, exc: swallowed.append((place, exc))
    yield swallowed
    _guard.observer = before
    if swallowed and not request.node.get_closest_marker("swallows"):
        place, exc = swallowed[0]
        raise AssertionError(f"the guard swallowed {len(swallowed)} exceptions, the first at {place}") from exc


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel of the sources as they are now."""
    return _peers.build_wheel()


@pytest.fixture(scope="session")
def peer_venv(wheel: Path) -> Callable[..., _peers.Peer]:
    """``peer_venv("3.11", "mcp==1.30.0")``: a cached environment with the wheel and these packages."""

    def make(python: str = _peers.CURRENT, *packages: str) -> _peers.Peer:
        return _peers.peer(wheel, python, packages)

    return make


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where ``sensor_env`` lets events land; it does not exist yet."""
    return tmp_path / "home" / "spool"


@pytest.fixture
def sensor_env(tmp_path: Path, spool: Path) -> dict[str, str]:
    """A clean environment in which the sensor is on and everything of it stays under ``tmp_path``."""
    home = tmp_path / "home"
    home.mkdir()
    return _peers.environment(home, BLUEROCK_ENABLE="1", BLUEROCK_SPOOL_DIR=str(spool))
