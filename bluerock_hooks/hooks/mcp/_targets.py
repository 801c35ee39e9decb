"""What a client connects to: the command or address, the child's pid, whether credentials are given, the session."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from ... import _guard
from ...events import ConnectTarget
from ...redact import names_secret
from .._patch import argument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...events import Transport

    Describe = Callable[[Any, "Attempt", tuple[Any, ...], dict[str, Any]], ConnectTarget]


class Attempt:
    """One connect of a client, and what comes to light on its way."""

    __slots__ = ("pid", "session_id")

    def __init__(self) -> None:
        self.pid: int | None = None
        self.session_id: str | None = None


STARTING: ContextVar[Attempt | None] = ContextVar("bluerock_starting", default=None)
"""The stdio client that starts its server here and now."""


def server_process(original: Any) -> Callable[..., Awaitable[Any]]:
    """``_create_platform_compatible_process(...)``, which ``stdio_client`` starts the server with."""

    async def create_process(*args: Any, **kwargs: Any) -> Any:
        process = await original(*args, **kwargs)
        try:
            attempt = STARTING.get()
            if attempt is not None and attempt.pid is None:
                attempt.pid = process.pid
        except Exception as exc:
            _guard.swallow("mcp.server_process", exc)
        return process

    return create_process


def stdio_target(_original: Any, attempt: Attempt, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConnectTarget:
    """``stdio_client(server: StdioServerParameters)``."""
    server = argument(args, kwargs, 0, "server")
    target = ConnectTarget(type="stdio", command=str(server.command), args=[str(word) for word in server.args])
    target.pid = attempt.pid
    return target


def url_target(kind: Transport) -> Describe:
    """``sse_client``, ``websocket_client`` and both names of the streamable HTTP client."""

    def describe(original: Any, _attempt: Attempt, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConnectTarget:
        url = str(argument(args, kwargs, 0, "url"))
        return ConnectTarget(type=kind, url=url, auth=_has_auth(url, original, args, kwargs))

    return describe


def memory_target(_original: Any, _attempt: Attempt, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> ConnectTarget:
    """Streams between a client and a server of this process."""
    return ConnectTarget(type="memory")


def with_session_callback(
    original: Any, attempt: Attempt, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of ``sse_client`` with its ``on_session_created`` (1.23 and later) telling us too."""
    try:
        name = "on_session_created"
        parameters, given = _bound(original, args, kwargs)
        if name not in parameters or (name in given and name not in kwargs):  # by position, as the seventh: left alone
            return args, kwargs
        callback = kwargs.get(name)

        def on_session_created(session_id: Any) -> Any:
            if type(session_id) is str:
                attempt.session_id = session_id
            return callback(session_id) if callback is not None else None

        return args, {**kwargs, name: on_session_created}
    except Exception as exc:
        _guard.swallow("mcp.sse_client", exc)
        return args, kwargs


def _has_auth(url: str, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | None:
    """Whether credentials are given, by whatever way the SDK has; None where a factory of the caller's decides."""
    parameters, given = _bound(original, args, kwargs)
    client = given.get("http_client")
    if given.get("auth") is not None or getattr(client, "auth", None) is not None or _in_url(url):
        return True
    for names in (given.get("headers"), getattr(client, "headers", None)):
        if names is not None and any(names_secret(str(name)) for name in names):
            return True
    if client is not None and len(getattr(client, "cookies", None) or ()):
        return True
    factory = "httpx_client_factory"
    return None if factory in given and given[factory] is not parameters[factory].default else False


def _in_url(url: str) -> bool:
    parts = urlsplit(url)
    return "@" in parts.netloc or any(names_secret(name) for name, _ in parse_qsl(parts.query))


def _bound(original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The parameters of a function, and the arguments of a call of it by name."""
    import inspect  # long loaded where an SDK is, and not worth a millisecond of anybody's start

    signature = inspect.signature(original)
    return signature.parameters, signature.bind(*args, **kwargs).arguments
