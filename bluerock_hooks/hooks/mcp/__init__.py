"""MCP: the patch rows of both SDK generations, and what else an instrumented client must pass on.

There are two generations of the official SDK, told apart by the modules they have, never by version strings;
fastmcp replaces neither's protocol layer.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from ... import config
from ...events import HookOutcome, SensorHooks
from .. import _threads
from .._patch import Patch, Patches
from ._catalog import Catalog
from ._direct import Direct
from ._inventory import Inventory
from ._messages import WriteTap
from ._propagation import PropagatingTap
from ._rejections import Rejections
from ._sessions import Connection
from ._targets import memory_target, server_process, stdio_target, url_target
from ._tasks import Tasks
from ._transports import Streams
from ._v1 import Sessions
from ._v2 import Dispatchers
from ._versions import generation, missing, unreached

if TYPE_CHECKING:
    from types import ModuleType

    from .. import Recording
    from .._patch import Outcome


class McpHooks:
    """The MCP family of hooks in this process: ``install()`` and ``undo()``."""

    def __init__(self, recording: Recording, *, propagate: bool = False) -> None:
        self._recording = recording
        self._write_tap = PropagatingTap if propagate else WriteTap
        self._examined = False
        self.patches = Patches(self._rows(), self._report)

    def install(self) -> None:
        """Register everything; what is imported already is patched now."""
        self.patches.install()

    def undo(self) -> None:
        """Put the SDK back as it was."""
        self.patches.undo()

    def _rows(self) -> list[Patch]:
        inventory = Inventory(self._recording)
        streams = Streams(self._recording, self._nothing_seen)
        connection = functools.partial(Connection, self._recording, inventory=inventory)
        v1 = Sessions(self._recording, streams, connection, self._write_tap)
        v2 = Dispatchers(self._recording, streams, connection, self._write_tap)
        direct = Direct(self._recording, connection, self._write_tap)
        catalog = Catalog(self._recording, inventory, generation)
        refused = Rejections(self._recording)
        return [
            # every message
            Patch("mcp.shared.session", "BaseSession.__init__", v1.session_init,
                  sees="every message", sdk="1", required=True),
            Patch("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher.__init__", v2.dispatcher_init,
                  sees="every message on streams", sdk="2", required=True),
            Patch("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher.run", v2.dispatcher_run,
                  sees="the role of a connection, its begin and end", sdk="2", required=True),
            Patch("mcp.server._streamable_http_modern", "handle_modern_request", v2.modern_request,
                  sees="messages of 2026-07-28 HTTP on the server", sdk="2", required=True),
            Patch("mcp.shared.direct_dispatcher", "DirectDispatcher.run", direct.run,
                  sees="in-process messages of 2026-07-28", sdk="2", required=True),
            Patch("mcp.shared.direct_dispatcher", "DirectDispatcher.send_raw_request", direct.request,
                  sees="in-process requests of 2026-07-28 on the client", sdk="2", required=True),
            Patch("mcp.server.streamable_http",
                  "StreamableHTTPServerTransport._terminate_unanswered_request", v2.terminate_unanswered,
                  sees="answers to cancelled requests on 2025 HTTP", sdk="2"),
            # requests that a transport refuses
            Patch("mcp.server.streamable_http_manager", "StreamableHTTPSessionManager.handle_request", refused.http,
                  sees="requests that the transport of an HTTP server refuses", sdk="12"),
            Patch("mcp.server.streamable_http_manager", "StreamableHTTPASGIApp.__call__", refused.http,
                  sees="requests that the transport of an HTTP server refuses", sdk="2"),
            Patch("mcp.server.streamable_http", "StreamableHTTPServerTransport.handle_request", refused.http,
                  sees="requests that the transport of an HTTP server refuses", sdk="12"),
            Patch("mcp.server.sse", "SseServerTransport.handle_post_message", refused.sse,
                  sees="messages that the transport of an SSE server refuses", sdk="12"),
            # requests that end without an answer
            Patch("mcp.shared.session", "BaseSession.send_request", v1.send_request,
                  sees="requests that time out or are given up", sdk="1"),
            Patch("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher._settle_unanswered", v2.settle_unanswered,
                  sees="the end of requests that the client cancelled", sdk="2"),
            Patch("mcp.client.streamable_http", "StreamableHTTPTransport._resolve_abandoned_request",
                  v2.resolve_abandoned, sees="answers that an HTTP client made up itself", sdk="2"),
            # what a request's handler causes
            Patch("mcp.server.lowlevel.server", "Server._handle_request", v1.handle_request,
                  sees="attribution to the request being served", sdk="1", required=True),
            Patch("mcp.server.runner", "ServerRunner._on_request", v2.on_request,
                  sees="attribution to the request being served", sdk="2", required=True),
            *Tasks(self._recording).rows(),
            Patch("concurrent.futures.thread", "ThreadPoolExecutor.submit", _threads.submit,
                  sees="attribution in executors", sdk="12"),
            # gevent puts a subclass in its place
            Patch("threading", "Thread.start", _threads.start, inherited=True,
                  sees="attribution in threads", sdk="12"),
            # life cycle
            Patch("mcp.shared.session", "BaseSession.__aexit__", v1.session_exit,
                  sees="the end of a session", sdk="1"),
            Patch("mcp.server.lowlevel.server", "Server.__init__", catalog.server_init,
                  sees="server init", sdk="12", required=True),
            Patch("mcp.server.lowlevel.server", "Server.run", streams.server_run,
                  sees="the server's name on the first messages", sdk="12"),
            *catalog.rows(),
            # transports: client connects, and the name of a connection's transport
            Patch("mcp.client.stdio", "stdio_client", streams.client("stdio", stdio_target),
                  sees="client connects over stdio", sdk="12"),
            Patch("mcp.client.stdio", "_create_platform_compatible_process", server_process,
                  sees="the pid of the server that a stdio client starts", sdk="12"),
            Patch("mcp.client.sse", "sse_client", streams.client("sse", url_target("sse")),
                  sees="client connects over SSE", sdk="12"),
            Patch("mcp.client.websocket", "websocket_client", streams.client("websocket", url_target("websocket")),
                  sees="client connects over websocket", sdk="1"),
            Patch("mcp.client.streamable_http", "streamable_http_client", streams.client("http", url_target("http")),
                  sees="client connects over HTTP", sdk="12"),
            Patch("mcp.client.streamable_http", "streamablehttp_client", streams.client("http", url_target("http")),
                  sees="client connects over HTTP", sdk="1"),
            Patch("mcp.client.streamable_http", "StreamableHTTPTransport.post_writer", streams.http_client,
                  sees="the session id of HTTP clients", sdk="12"),
            Patch("mcp.shared.memory", "create_client_server_memory_streams", streams.client("memory", memory_target),
                  sees="client connects in memory", sdk="12"),
            Patch("mcp.shared.direct_dispatcher", "create_direct_dispatcher_pair", direct.pair,
                  sees="client connects in process", sdk="2"),
            Patch("mcp.server.stdio", "stdio_server", streams.server("stdio"),
                  sees="the transport of stdio servers", sdk="12"),
            Patch("mcp.server.sse", "SseServerTransport.connect_sse", streams.sse_server,
                  sees="the transport of SSE servers", sdk="12"),
            Patch("mcp.server.websocket", "websocket_server", streams.server("websocket"),
                  sees="the transport of websocket servers", sdk="1"),
            Patch("mcp.server.streamable_http", "StreamableHTTPServerTransport.connect",
                  streams.server("http", lambda args: getattr(args[0], "mcp_session_id", None)),
                  sees="the transport and session of HTTP servers", sdk="12"),
        ]  # fmt: skip

    def _report(self, module: ModuleType, outcomes: list[Outcome]) -> None:
        if module.__name__ == "mcp.client.stdio":
            inherit_variables(module)
        known = generation()
        if not self._examined and "mcp" in sys.modules:
            self._examined = True
            self._record("mcp", missing(self.patches.rows))
        hooks = [
            HookOutcome(
                target=outcome.patch.target,
                outcome=outcome.state,  # type: ignore[arg-type]
                feature=outcome.patch.sees,
                required=outcome.patch.required,
                detail=outcome.detail,
            )
            for outcome in outcomes
            # A row of the other generation is not missing here. In an SDK we do not know, every row counts.
            if outcome.state != "absent" or not known or known in outcome.patch.sdk
        ]
        self._record(module.__name__, hooks)

    def _nothing_seen(self) -> None:
        """A transport was used, and no connection was ever made in this process that our taps saw."""
        applied = {outcome.patch for outcome in self.patches.outcomes if outcome.state == "applied"}
        self._record("mcp", unreached(applied))

    def _record(self, module: str, hooks: list[HookOutcome]) -> None:
        if hooks:
            self._recording.record(SensorHooks(module=module, sdk=generation() or None, hooks=hooks))


def inherit_variables(module: ModuleType) -> None:
    """Let stdio servers inherit our variables: the SDK gives its children six of the parent's and no others."""
    inherited = getattr(module, "DEFAULT_INHERITED_ENV_VARS", None)
    if isinstance(inherited, list):
        inherited.extend(name for name in config.VARIABLES if name not in inherited)
