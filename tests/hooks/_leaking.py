"""Run inside an environment with the sensor and an SDK: a client, a server and its tools, with secrets everywhere.

Usage: ``python _leaking.py stdio``, ``python _leaking.py http URL``; for the server side ``serve --api-key SECRET``
(stdio) or ``serve-http``, which prints its address. Prints the places at which a secret was planted.
"""

# No "from __future__ import annotations": the SDK reads the annotations of local functions.

import asyncio
import base64
import ctypes
import json
import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import mcp.types as types
from _canaries import canary
from mcp import StdioServerParameters
from mcp.client import streamable_http
from mcp.client.stdio import stdio_client
from pydantic import BaseModel

try:
    from mcp import Client
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:  # mcp 1.x
    from mcp import ClientSession
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer

    Client = None  # type: ignore[assignment, misc]

app: Any = MCPServer("leaking", log_level="CRITICAL")


def plant(place: str) -> str:
    """The secret of ``place``; that it was planted is said by whoever ends first."""
    print("planted", place, file=sys.stderr, flush=True)
    return canary(place)


class Login(BaseModel):
    """What is elicited."""

    password: str


@app.tool()
async def store(api_key: str, more: Any = None, password: str = canary("default of a parameter")) -> str:
    """Take secrets."""
    return "stored"


@app.tool()
async def read_settings() -> str:
    """Give some back."""
    config = json.dumps({"db": {"password": plant("JSON in a result")}})
    return f"DEBUG=1\nOPENAI_API_KEY={plant('.env in a result')}\n\n{config}\nAuthorization: Basic " + basic("a result")


@app.tool()
async def connect() -> str:
    """Fail, and say too much."""
    raise ValueError(f"postgresql://svc:{plant('DSN in an exception')}@db.example.com/x refused")


@app.tool()
async def log(ctx: Context) -> str:
    """Tell the client."""
    said = f"GET /x Authorization: Bearer {plant('header in a log message')}"
    await (ctx.info(said) if Client is None else ctx.log("info", said))
    return "logged"


@app.tool()
async def ask(ctx: Context) -> str:
    """Ask the user."""
    if Client is None:
        await ctx.elicit(f"is password={plant('question of an elicitation')} right?", Login)
    return "asked"


@app.tool()
def work(directory: str) -> str:
    """Do what tools do."""
    subprocess.run(["true", "--password", plant("flag of a process")])
    subprocess.run(f"true --token={plant('flag in a shell')}", shell=True)
    curl = (
        f"true -H 'Authorization: Bearer {plant('header in a shell')}' https://u:{plant('URL in a shell')}@x.example/y"
    )
    os.system(curl)
    subprocess.run(["true"], env={**os.environ, "GITHUB_TOKEN": plant("environment of a process")})
    pid = os.posix_spawn("/bin/true", ["true", f"DB_PASSWORD={plant('assignment in a spawn')}"], os.environ)
    os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/true", ["true", "--client-secret", plant("flag of an exec")])
    os.waitpid(pid, 0)
    subprocess.run(["true", f"--api-key={plant('flag with equals')}"])
    urls = (
        f"http://127.0.0.1:9/?token={plant('query of a URL')}",
        f"http://user:{plant('userinfo of a URL')}@127.0.0.1:9/",
    )
    for url in urls:
        with suppress(Exception):
            urllib.request.urlopen(url, timeout=1)
    with suppress(OSError):
        socket.getaddrinfo(f"user:{plant('userinfo in a look-up')}@127.0.0.1", 80)
    Path(directory, f"dump?access_token={plant('query in a file name')}").write_text("x")
    Path(directory, f"password={plant('assignment in a file name')}").write_text("x")
    exec(f"password = '{plant('code')}'")
    with suppress(OSError):
        ctypes.CDLL(f"/no/such/lib.so?token={plant('query in a library')}")
    return "done"


@app.resource("conn://{name}")
def conn(name: str) -> str:
    """A connection string."""
    return f"Server=x;Password={plant('resource')};"


@app.prompt()
def login(token: str) -> str:
    """A prompt with a secret."""
    return f"use token={token}"


def basic(place: str) -> str:
    """Of ``Authorization: Basic``."""
    return base64.b64encode(f"user:{plant('Basic in ' + place)}".encode()).decode()


async def on_elicitation(context: Any, params: Any) -> Any:
    """Accepts."""
    return types.ElicitResult(action="accept", content={"password": plant("answer of an elicitation")})


def streams(url: str) -> Any:
    """The client's transport."""
    if not url:
        command = [__file__, "serve", "--api-key", plant("flag of the server")]
        env = {**os.environ, "DB_PASSWORD": plant("environment of the server")}
        return stdio_client(StdioServerParameters(command=sys.executable, args=command, env=env))
    headers = {"Authorization": f"Bearer {plant('Authorization header')}", "X-Api-Key": plant("X-Api-Key header")}
    url += f"?api_key={plant('query of the address')}"
    if Client is None:
        return streamable_http.streamablehttp_client(url, headers=headers)
    from mcp.shared._httpx_utils import create_mcp_http_client

    return streamable_http.streamable_http_client(url, http_client=create_mcp_http_client(headers=headers))


@asynccontextmanager
async def session(url: str) -> Any:
    """A client."""
    if Client is not None:
        async with Client(streams(url), elicitation_callback=on_elicitation) as client:
            yield client
    else:
        async with streams(url) as opened, ClientSession(*opened[:2], elicitation_callback=on_elicitation) as client:
            await client.initialize()
            yield client


async def talk(url: str, directory: str) -> None:
    """Everything once."""
    nested = {
        "headers": {"authorization": f"Basic {basic('an argument')}", "Cookie": f"session={plant('cookie')}"},
        "url": f"https://api.example.com/?sig={plant('query in an argument')}",
        "text": json.dumps({"body": json.dumps({"client_secret": plant("JSON in JSON")})}),
        "command": f"curl -H 'X-Api-Key: {plant('header in a command')}' https://x.example",
        "env": [{"name": "PGPASSWORD", "value": plant("pair")}],
    }
    async with session(url) as client:
        await client.list_tools()
        await client.call_tool("store", {"api_key": plant("argument"), "more": nested, "password": plant("password")})
        await client.call_tool("store", {"api_key": "x"}, meta={"example.com/auth": {"token": plant("_meta")}})
        for tool in ("read_settings", "connect", "log", "ask"):
            await client.call_tool(tool, {})
        await client.call_tool("work", {"directory": directory})
        with suppress(Exception):
            await client.read_resource(f"conn://db?access_token={plant('query of a resource')}")
        with suppress(Exception):
            await client.read_resource("conn://db")
        await client.get_prompt("login", {"token": plant("argument of a prompt")})
    if url:
        await asyncio.to_thread(refused, url)


def refused(url: str) -> None:
    """A request that the transport refuses."""
    body = json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"password": plant("refused request")}}])
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers["Authorization"] = f"Bearer {plant('header of a refused request')}"
    with suppress(Exception):
        urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=5)


def serve_http() -> None:
    """Serve until stopped."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app.streamable_http_app(), log_level="critical")).run(sockets=[listener])


if sys.argv[1] == "serve":
    app.run("stdio")
elif sys.argv[1] == "serve-http":
    serve_http()
else:
    asyncio.run(talk(sys.argv[2] if sys.argv[1] == "http" else "", sys.argv[-1]))
