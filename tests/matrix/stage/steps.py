"""The steps that every generation's scenario is made of, and how their answers are printed.

What is printed is compared between a run with the sensor and one without, so it holds nothing that changes from run to
run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

AT_ONCE = 200
"""Calls that ``flood`` has open at the same time."""


async def step(label: str, call: Awaitable[Any]) -> None:
    """Do it; print its answer or its error."""
    try:
        said = describe(await call)
    except Exception as exc:
        said = f"{type(exc).__name__}: {str(exc).splitlines()[0] if str(exc) else ''}"
    print(f"{label}: {said}", flush=True)


def describe(answer: Any) -> str:
    """The part of an answer that a person would look at."""
    for name in ("tools", "resources", "prompts", "resourceTemplates", "resource_templates"):
        if hasattr(answer, name):
            return " ".join(str(item.name) for item in getattr(answer, name))
    if isinstance(answer, list):
        return " ".join(str(getattr(item, "name", None) or getattr(item, "text", "")) for item in answer)
    for name in ("content", "contents"):
        if hasattr(answer, name):
            failed = getattr(answer, "isError", False) or getattr(answer, "is_error", False)
            return ("failed " if failed else "") + " ".join(str(item.text) for item in getattr(answer, name))
    if hasattr(answer, "messages"):
        return str(answer.messages[0].content.text)
    if hasattr(answer, "completion"):
        return " ".join(answer.completion.values)
    return type(answer).__name__


async def cancelled(call: Awaitable[Any]) -> str:
    """Begin the call, give it up."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0.25)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return "finished"


async def flood(call: Callable[[str, dict[str, Any]], Awaitable[Any]]) -> None:
    """Many calls at once; each reports progress and logs with its own number, and answers with it."""
    answers = await asyncio.gather(*(call("mark", {"number": number}) for number in range(AT_ONCE)))
    print("flood:", " ".join(describe(answer) for answer in answers))


async def mark(
    number: int, report: Callable[[float, float], Awaitable[Any]], log: Callable[[str], Awaitable[Any]]
) -> str:
    """The tool of ``flood``: awaits between its messages, so that the calls interleave."""
    await report(number, AT_ONCE)
    await asyncio.sleep(0.001 * (number % 7))
    await log(f"mark {number}")
    await asyncio.sleep(0.001 * (number % 5))
    return f"marked {number}"
