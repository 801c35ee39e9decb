"""A client of the matrix. Usage: ``python talk.py PLAY``, where PLAY is JSON with the members of ``play.Script``.

Prints every answer. In memory the server is in this process, and a witness sits below the SDK.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
import warnings
from typing import Any


async def talk(script: dict[str, Any]) -> None:
    """Connect and go through the scenario."""
    scenario = importlib.import_module(script["generation"])
    if script["transport"] == "memory":
        from witness import in_memory

        in_memory(script["log"])
    async with scenario.connect(script["transport"], script["target"], script["era"]) as client:
        if script["crowd"]:
            await scenario.crowd(client)
        else:
            await scenario.drive(client, asks=script["asks"], raw=script["raw"])
        await asyncio.sleep(0.3)  # what is still under way


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the 2.x SDK deprecates half of what is asked of it here
    logging.disable(logging.CRITICAL)
    asyncio.run(talk(json.loads(sys.argv[1])))
