"""See what really runs inside a Python MCP server.

Nothing needs to be imported: with ``BLUEROCK_ENABLE=1`` the sensor starts with the interpreter. ``start()`` is for
environments where no ``.pth`` file runs. Names load on first use, so that the interpreter's start-up pays for nothing.
"""

from __future__ import annotations

import sys

__all__ = ["__version__", "start"]


def start() -> bool:
    """Start the sensor in this process if ``BLUEROCK_ENABLE`` says so; True if it runs now.

    Called by the ``.pth`` line in every interpreter; calling it again changes nothing. Never raises.
    """
    try:
        from ._bootstrap import start_by
    except Exception:  # a half removed package must stay silent: this runs inside site, before any handler exists
        return False
    # site runs the lines of a .pth file in its own namespace.
    return start_by("pth" if sys._getframe(1).f_globals.get("__name__") == "site" else "call")


def __getattr__(name: str) -> str:
    if name == "__version__":
        from ._version import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
