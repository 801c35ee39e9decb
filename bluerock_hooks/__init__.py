"""See what really runs inside a Python MCP server.

Nothing needs to be imported: with ``BLUEROCK_ENABLE=1`` the sensor starts with the interpreter. ``start()`` is for
environments where no ``.pth`` file runs. Names load on first use, so that the interpreter's start-up pays for nothing.
"""

from __future__ import annotations

__all__ = ["__version__", "start"]

__version__ = "0.1.0"


def start() -> bool:
    """Start the sensor in this process if ``BLUEROCK_ENABLE`` says so; True if it runs now.

    Called by the ``.pth`` line in every interpreter; calling it again changes nothing. Never raises.
    """
    try:
        from ._bootstrap import start as start_sensor
    except Exception:  # a half removed package must stay silent: this runs inside site, before any handler exists
        return False
    return start_sensor()
