"""Run inside an environment with the sensor and an SDK: what the hooks replaced must look and behave as before.

Walks the whole patch table, then has the same conversations with the hooks in place and with everything put back.
Prints one JSON object of findings; the test says what each must be.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import sys
import traceback
from contextlib import AbstractAsyncContextManager, AsyncContextDecorator, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent.parent)]
from importlib import import_module

import _in_memory
import anyio
import bluerock_hooks._bootstrap as bootstrap
import client as example
import server as served
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from bluerock_hooks.hooks.mcp._versions import generation
from mcp import ClientSession, StdioServerParameters
from mcp.client import stdio

findings: dict[str, Any] = {}


def resolve(target: str) -> tuple[Any, str]:
    """The owner and name of ``module:attribute``."""
    module, _, attribute = target.partition(":")
    owner_name, _, name = attribute.rpartition(".")
    owner = import_module(module)
    return (getattr(owner, owner_name) if owner_name else owner), name


@served.server.tool()
async def sleepy(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "awake"


# -- what a replaced function looks like


def looks(function: Any) -> dict[str, Any]:
    """What tools ask of a function."""
    return {
        "signature": str(inspect.signature(function)),
        "kind": [
            check(function)
            for check in (
                inspect.isfunction,
                inspect.iscoroutinefunction,
                inspect.isgeneratorfunction,
                inspect.isasyncgenfunction,
                callable,
            )
        ],
        "names": [function.__name__, function.__qualname__, function.__module__, function.__doc__],
        "annotations": sorted(map(str, function.__annotations__)),
        "attributes": sorted(k for k in vars(function) if k not in ("__wrapped__", "_bluerock_hooks_wrapper")),
    }


def pickled(function: Any) -> str:
    """What comes of pickling a function by its name."""
    try:
        return "same" if pickle.loads(pickle.dumps(function)) is function else "another"
    except Exception as exc:
        return type(exc).__name__


# -- what conversations are like


async def streams_of_a_session() -> None:
    """The taps answer as the streams they stand for."""
    async with _in_memory.connect("legacy") as session:
        inner = getattr(session, "session", session)
        owner = getattr(inner, "_dispatcher", inner)
        read, write = owner._read_stream, owner._write_stream
        raw_read, raw_write = read.__wrapped__, write.__wrapped__
        findings["isinstance"] = isinstance(read, type(raw_read)) and isinstance(write, type(raw_write))
        findings["equal"] = read == raw_read and hash(write) == hash(raw_write)
        if isinstance(raw_write, MemoryObjectSendStream):
            findings["statistics"] = write.statistics().open_send_streams >= 1
            findings["statistics"] &= isinstance(read, MemoryObjectReceiveStream)
        findings["last_context"] = hasattr(read, "last_context") == hasattr(raw_read, "last_context")


def described(exc: BaseException) -> list[Any]:
    """An exception as its catcher sees it: itself, what it came from, and the frames that are not ours."""
    inner = innermost(exc)
    entries = traceback.extract_tb(inner.__traceback__)
    frames = [entry.name for entry in entries if "bluerock_hooks" not in entry.filename]
    cause, context = (type(e).__name__ for e in (inner.__cause__, inner.__context__))
    code = getattr(getattr(inner, "error", None), "code", None)
    kinds = [type(exc).__name__, type(inner).__name__, cause, context]
    return [*kinds, str(inner), code, inner.__suppress_context__, frames]


def innermost(exc: Any) -> BaseException:
    """The exception inside of groups."""
    while getattr(exc, "exceptions", None):
        exc = exc.exceptions[0]
    found: BaseException = exc
    return found


class MineError(Exception):
    """The host's own."""


@asynccontextmanager
async def over_stdio() -> Any:
    """A session of the SDK's own client function."""
    parameters = StdioServerParameters(command=sys.executable, args=[str(example.SERVER)])
    async with stdio.stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


async def conversation(mode: str) -> list[Any]:
    """Time out, cancel in both ways, raise in the middle of everything: what the host sees of each."""
    seen: list[Any] = []
    async with _in_memory.connect(mode) as session:
        newer = example.Client is not None
        try:
            patience: Any = 0.1 if newer else timedelta(seconds=0.1)
            await session.call_tool("sleepy", {"seconds": 5}, read_timeout_seconds=patience)
        except Exception as exc:
            seen.append(["timeout", *described(exc)])
        with anyio.move_on_after(0.1) as scope:
            await session.call_tool("sleepy", {"seconds": 5})
        seen.append(["scope", scope.cancelled_caught])
        task = asyncio.ensure_future(session.call_tool("sleepy", {"seconds": 5}))
        await asyncio.sleep(0.1)
        task.cancel("by the host")
        try:
            await task
        except asyncio.CancelledError as exc:
            seen.append(["task", *described(exc), task.cancelled()])
        try:
            await session.read_resource("no://such")
        except Exception as exc:
            seen.append(["error", *described(exc)])
        seen.append(["after", (await session.call_tool("add", {"a": 1, "b": 2})).content[0].text])
    seen += await interrupted(lambda: _in_memory.connect(mode))
    seen += await interrupted(over_stdio)
    opener = stdio.stdio_client(StdioServerParameters(command="/no/such/program"))
    seen.append([isinstance(opener, kind) for kind in (AbstractAsyncContextManager, AsyncContextDecorator)])
    seen.append([name for name in ("gen", "func", "args", "_recreate_cm") if hasattr(opener, name)])
    try:
        async with opener:
            pass
    except BaseException as exc:
        seen.append(["no program", *described(exc)])
    return seen


async def interrupted(make: Any) -> list[Any]:
    """The host raises in the middle of a session."""
    mine = MineError("in the middle")
    try:
        async with make():
            raise mine
    except BaseException as exc:
        return [["mine", innermost(exc) is mine, *described(exc)]]


async def conversations() -> dict[str, list[Any]]:
    modes = ("legacy", "auto") if example.Client is not None else ("legacy",)
    return {mode: await conversation(mode) for mode in modes}


sensor = bootstrap.sensor()
assert sensor is not None
assert sensor.hooks is not None
patches = sensor.hooks.patches
# A client in memory imports little: every row of this SDK is to be seen.
for row in patches.rows:
    if generation() in row.sdk:
        try:
            import_module(row.module)
        except ImportError:
            findings.setdefault("not installed", []).append(row.module)
asyncio.run(streams_of_a_session())
after = asyncio.run(conversations())

replaced = {}
for outcome in patches.outcomes:
    if outcome.state == "applied":
        owner, name = resolve(outcome.patch.target)
        replaced[outcome.patch.target] = vars(owner)[name]
findings["not applied"] = [
    outcome.patch.target
    for outcome in patches.outcomes
    if outcome.state != "applied" and generation() in outcome.patch.sdk
]
findings["replaced"] = len(replaced)
look = {target: looks(function) for target, function in replaced.items()}
pickles = {target: pickled(function) for target, function in replaced.items()}
opening = type(stdio.stdio_client(StdioServerParameters(command="true"))).__name__

patches.undo()
originals = {}
for target in replaced:
    owner, name = resolve(target)
    originals[target] = vars(owner)[name]
findings["undone"] = all(replaced[target] is not originals[target] for target in replaced)
findings["looks"] = [target for target in replaced if look[target] != looks(originals[target])]
findings["pickles"] = [target for target in replaced if pickles[target] != pickled(originals[target])]
findings["by name"] = sorted({pickles[target] for target in replaced if "." not in target.partition(":")[2]})
before = asyncio.run(conversations())
findings["behaves"] = [(a, b) for mode in before for a, b in zip(after[mode], before[mode], strict=True) if a != b]
findings["conversations"] = {mode: len(seen) for mode, seen in before.items()}
print(json.dumps(findings))
