"""A server whose one tool does what it is asked for, in many ways, and marks all of it with a tag of the caller.

``python _tools.py stdio`` or ``python _tools.py http``, which prints its address. Every way takes the tag, the port of
somebody who listens for this call alone, and a directory; what it gives back are pids that Python told of.
"""

import asyncio
import contextlib
import ctypes
import json
import multiprocessing
import os
import pty
import shlex
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

try:
    from mcp.server.mcpserver import MCPServer  # mcp 2.x
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer

server: Any = MCPServer("tools", log_level="CRITICAL")
pool = ThreadPoolExecutor(4)
later: set[Any] = set()

CHILD = "import colorsys, socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[2]))).close()"


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port)).close()


# -- processes, in a worker thread of the call's own


def popen(tag: str, port: int, place: str) -> list[int]:
    child = subprocess.Popen(["true", tag])
    child.wait()
    return [child.pid]


def shell(tag: str, port: int, place: str) -> list[int]:
    subprocess.run(f": {tag}", shell=True)
    return []


def system(tag: str, port: int, place: str) -> list[int]:
    os.system(f": {tag}")
    return []


def os_popen(tag: str, port: int, place: str) -> list[int]:
    with os.popen(f"echo {tag}") as pipe:
        pipe.read()
    return []


def posix_spawn(tag: str, port: int, place: str) -> list[int]:
    pid = os.posix_spawn("/bin/true", ["true", tag], os.environ)
    os.waitpid(pid, 0)
    return [pid]


def spawnv(tag: str, port: int, place: str) -> list[int]:
    os.spawnv(os.P_WAIT, "/bin/true", ["true", tag])
    return []


def fork_exec(tag: str, port: int, place: str) -> list[int]:
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/true", ["true", tag])
    os.waitpid(pid, 0)
    return [pid]


def pty_fork(tag: str, port: int, place: str) -> list[int]:
    pid, fd = pty.fork()
    if pid == 0:
        os.execv("/bin/true", ["true", tag])
    os.waitpid(pid, 0)
    os.close(fd)
    return [pid]


def mp_spawn(tag: str, port: int, place: str) -> list[int]:
    child = multiprocessing.get_context("spawn").Process(target=os.system, args=(f": {tag}",))
    child.start()
    pid = child.pid or 0
    child.join()
    return [pid]


def missing(tag: str, port: int, place: str) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["/no/such/program", tag])
    return []


def python_child(tag: str, port: int, place: str) -> list[int]:
    subprocess.run([sys.executable, "-c", CHILD, tag, str(port)], check=True)
    return []


def shell_child(tag: str, port: int, place: str) -> list[int]:
    subprocess.run(shlex.join([sys.executable, "-c", CHILD, tag, str(port)]) + "; true", shell=True, check=True)
    return []


def system_child(tag: str, port: int, place: str) -> list[int]:
    os.system(shlex.join([sys.executable, "-c", CHILD, tag, str(port)]) + "; true")
    return []


# -- sockets


def connect_in_thread(tag: str, port: int, place: str) -> list[int]:
    thread = threading.Thread(target=connect, args=(port,))
    thread.start()
    thread.join()
    return []


async def connect_in_pool(tag: str, port: int, place: str) -> list[int]:
    await asyncio.get_running_loop().run_in_executor(pool, connect, port)
    return []


async def connect_asyncio(tag: str, port: int, place: str) -> list[int]:
    _, writer = await asyncio.open_connection("localhost", port, family=socket.AF_INET)
    writer.close()
    return []


async def connect_httpx(tag: str, port: int, place: str) -> list[int]:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{port}/{tag}")
    return []


async def connect_later(tag: str, port: int, place: str) -> list[int]:
    """After the answer, on behalf of the call all the same."""

    async def background() -> None:
        await asyncio.sleep(0.3)
        await connect_asyncio(tag, port, place)

    task = asyncio.create_task(background())
    later.add(task)
    task.add_done_callback(later.discard)
    return []


# -- the rest


async def asyncio_exec(tag: str, port: int, place: str) -> list[int]:
    child = await asyncio.create_subprocess_exec("true", tag)
    await child.wait()
    return [child.pid]


async def asyncio_shell(tag: str, port: int, place: str) -> list[int]:
    child = await asyncio.create_subprocess_shell(f": {tag}")
    await child.wait()
    return [child.pid]


async def files(tag: str, port: int, place: str) -> list[int]:
    for _ in range(3):
        with open(f"{place}/{tag}", "w") as file:  # noqa: ASYNC230
            file.write(tag)
        await asyncio.sleep(0)
    os.rename(f"{place}/{tag}", f"{place}/{tag}.new")
    os.remove(f"{place}/{tag}.new")
    return []


async def native(tag: str, port: int, place: str) -> list[int]:
    with contextlib.suppress(OSError):
        ctypes.CDLL(f"{place}/{tag}.so")
    ctypes.CDLL("libm.so.6")
    return []


async def code(tag: str, port: int, place: str) -> list[int]:
    compile("1", tag, "eval")
    return []


@server.tool()
async def act(way: str, tag: str, port: int, place: str) -> str:
    """Do it; the pids as JSON."""
    function = globals()[way]
    if asyncio.iscoroutinefunction(function):
        return json.dumps(await function(tag, port, place))
    return json.dumps(await asyncio.to_thread(function, tag, port, place))


if __name__ == "__main__":
    if sys.argv[1:] == ["http"]:
        import uvicorn

        listener = socket.create_server(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical")).run(sockets=[listener])
    else:
        server.run()
