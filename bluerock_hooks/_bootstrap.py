"""Where the interpreter's start-up meets the sensor: decides whether to start, and never lets anything out.

Runs inside ``site`` in every interpreter of the environment, before any application code. It runs twice in most virtual
environments (``lib`` and ``lib64`` are one directory), beside a ``.start`` file on 3.15, and again when somebody calls
``bluerock_hooks.start()``.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sensor import Sensor

_sensor: Sensor | None = None
_tried = False
_reason = "not started"
_problems: list[str] = []


def start() -> bool:
    """Entry point of the ``.start`` file (PEP 829): start the sensor if the environment says so; True if it runs.

    An exception from here would be printed, a ``SystemExit`` would end the interpreter before it began.
    """
    return start_by("start")


def start_by(activation: str) -> bool:
    """``start`` for an activation of another kind: ``pth`` or ``call``."""
    global _reason
    try:
        return _start(activation)
    except (Exception, SystemExit) as exc:
        _reason = f"could not start: {type(exc).__name__}"
        return False


def sensor() -> Sensor | None:
    """The sensor of this process, if one runs."""
    return _sensor


def status() -> dict[str, object]:
    """``active``, ``reason`` where it is not, ``activation``, ``spool``, ``problems``: what ``doctor`` asks a child."""
    running = _sensor
    return {
        "active": running is not None,
        "reason": "" if running is not None else _reason,
        "activation": running.activation if running is not None else "",
        "spool": running.settings.spool_dir if running is not None else "",
        "problems": list(_problems),
    }


def _start(activation: str) -> bool:
    global _sensor, _reason, _tried
    if _sensor is not None:
        return True
    if _tried and activation != "call":
        return False  # said once why not
    _tried = True
    if not os.environ.get("BLUEROCK_ENABLE"):
        # The .pth line looks before it calls; a .start file (3.15) calls always, in every interpreter.
        _reason = "BLUEROCK_ENABLE is not set"
        return False
    from . import config

    if not config.enabled(os.environ):
        disabled = os.environ.get("BLUEROCK_DISABLED")
        _reason = "BLUEROCK_DISABLED is set" if disabled else "BLUEROCK_ENABLE does not say on"
        return False
    settings = config.load(os.environ)
    _problems[:] = settings.problems
    pattern = config.excluded(settings, sys.orig_argv)
    if pattern:
        _reason = f"this program stays dark (BLUEROCK_EXCLUDE has {pattern})"
        return False
    from .sensor import Sensor

    candidate = Sensor(settings, activation)
    if not candidate.start():
        _reason = candidate.reason
        _problems.append(candidate.reason)
        return False
    _sensor = candidate
    return True
