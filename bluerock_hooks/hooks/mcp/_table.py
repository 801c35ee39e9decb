"""The patch rows of MCP: everything that is replaced in the SDKs, and what each replacement sees."""

from __future__ import annotations

from .. import _threads
from .._rows import Patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...events import ElementType
    from .._rows import Wrap
    from ._wrappers import Wrappers

    Choose = Callable[[Wrappers], Wrap]

_V1, _V2, _FAST = "mcp.server.fastmcp", "mcp.server.mcpserver", "fastmcp"
_MADE = "elements given to the constructor, and the name of the server with all"

# Holders of both SDKs, and of fastmcp 2 save for the module of the last: (module, method, what it registers)
_MANAGERS: tuple[tuple[str, str, ElementType], ...] = (
    ("tools.tool_manager", "ToolManager.add_tool", "tool"),
    ("resources.resource_manager", "ResourceManager.add_resource", "resource"),
    ("resources.resource_manager", "ResourceManager.add_template", "template"),
    ("prompts.manager", "PromptManager.add_prompt", "prompt"),
)


def rows(later: Callable[[Choose], Wrap]) -> list[Patch]:
    """All rows. ``later(choose)`` is the ``wrap`` of a row whose wrapper is chosen when they are loaded."""

    def row(
        module: str, attribute: str, choose: Choose, *, sees: str, sdk: str = "12", required: bool = False
    ) -> Patch:
        return Patch(module, attribute, later(choose), sees=sees, sdk=sdk, required=required, deferred=True)

    return [
        # every message
        row("mcp.shared.session", "BaseSession.__init__", lambda w: w.v1.session_init,
            sees="every message", sdk="1", required=True),
        row("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher.__init__", lambda w: w.v2.dispatcher_init,
            sees="every message on streams", sdk="2", required=True),
        row("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher.run", lambda w: w.v2.dispatcher_run,
            sees="the role of a connection, its begin and end", sdk="2", required=True),
        row("mcp.server._streamable_http_modern", "handle_modern_request", lambda w: w.v2.modern_request,
            sees="messages of 2026-07-28 HTTP on the server", sdk="2", required=True),
        row("mcp.shared.direct_dispatcher", "DirectDispatcher.run", lambda w: w.direct.run,
            sees="in-process messages of 2026-07-28", sdk="2", required=True),
        row("mcp.shared.direct_dispatcher", "DirectDispatcher.send_raw_request", lambda w: w.direct.request,
            sees="in-process requests of 2026-07-28 on the client", sdk="2", required=True),
        row("mcp.server.streamable_http", "StreamableHTTPServerTransport._terminate_unanswered_request",
            lambda w: w.v2.terminate_unanswered, sees="answers to cancelled requests on 2025 HTTP", sdk="2"),
        # requests that a transport refuses
        row("mcp.server.streamable_http_manager", "StreamableHTTPSessionManager.handle_request",
            lambda w: w.refused.http, sees="requests that the transport of an HTTP server refuses"),
        row("mcp.server.streamable_http_manager", "StreamableHTTPASGIApp.__call__",
            lambda w: w.refused.http, sees="requests that the transport of an HTTP server refuses", sdk="2"),
        row("mcp.server.streamable_http", "StreamableHTTPServerTransport.handle_request",
            lambda w: w.refused.http, sees="requests that the transport of an HTTP server refuses"),
        row("mcp.server.sse", "SseServerTransport.handle_post_message",
            lambda w: w.refused.sse, sees="messages that the transport of an SSE server refuses"),
        # requests that end without an answer
        row("mcp.shared.session", "BaseSession.send_request", lambda w: w.v1.send_request,
            sees="requests that time out or are given up", sdk="1"),
        row("mcp.shared.jsonrpc_dispatcher", "JSONRPCDispatcher._settle_unanswered", lambda w: w.v2.settle_unanswered,
            sees="the end of requests that the client cancelled", sdk="2"),
        row("mcp.client.streamable_http", "StreamableHTTPTransport._resolve_abandoned_request",
            lambda w: w.v2.resolve_abandoned, sees="answers that an HTTP client made up itself", sdk="2"),
        # what a request's handler causes
        row("mcp.server.lowlevel.server", "Server._handle_request", lambda w: w.v1.handle_request,
            sees="attribution to the request being served", sdk="1", required=True),
        row("mcp.server.runner", "ServerRunner._on_request", lambda w: w.v2.on_request,
            sees="attribution to the request being served", sdk="2", required=True),
        # docket is loaded by fastmcp where it has background tasks
        row("docket.execution", "Execution.schedule", lambda w: w.tasks.schedule,
            sees="attribution of background tasks to their request"),
        row("docket.worker", "Worker._execute", lambda w: w.tasks.execute,
            sees="attribution of background tasks"),
        # Called by programs that have no request to serve: nothing is loaded for them.
        Patch("concurrent.futures.thread", "ThreadPoolExecutor.submit", _threads.submit,
              sees="attribution in executors", sdk="12"),
        # gevent puts a subclass in its place
        Patch("threading", "Thread.start", _threads.start, inherited=True,
              sees="attribution in threads", sdk="12"),
        # life cycle
        row("mcp.shared.session", "BaseSession.__aexit__", lambda w: w.v1.session_exit,
            sees="the end of a session", sdk="1"),
        row("mcp.server.lowlevel.server", "Server.__init__", lambda w: w.catalog.server_init,
            sees="server init", required=True),
        row("mcp.server.lowlevel.server", "Server.run", lambda w: w.streams.server_run,
            sees="the server's name on the first messages"),
        # what servers have
        row(f"{_V1}.server", "FastMCP.__init__", lambda w: w.catalog.official_init, sees=_MADE, sdk="1"),
        row(f"{_V2}.server", "MCPServer.__init__", lambda w: w.catalog.official_init, sees=_MADE, sdk="2"),
        row(f"{_FAST}.server.server", "FastMCP.__init__", lambda w: w.catalog.fastmcp_init, sees=_MADE),
        *(
            row(f"{package}.{module}", method, _adds(kind), sees=f"registered {kind}s", sdk=sdk)
            for package, sdk in ((_V1, "1"), (_V2, "2"))
            for module, method, kind in _MANAGERS
        ),
        *(
            row(f"{_FAST}.{module}", method, lambda w: w.catalog.adds_keyed, sees=f"registered {kind}s", sdk="1")
            for module, method, kind in _MANAGERS[:-1]
        ),
        row(f"{_FAST}.prompts.prompt_manager", "PromptManager.add_prompt", lambda w: w.catalog.adds_keyed,
            sees="registered prompts", sdk="1"),
        row(f"{_FAST}.server.providers.local_provider.local_provider", "LocalProvider._add_component",
            lambda w: w.catalog.adds_converted, sees="registered elements"),
        # transports: client connects, and the name of a connection's transport
        row("mcp.client.stdio", "stdio_client", lambda w: w.stdio_client,
            sees="client connects over stdio"),
        row("mcp.client.stdio", "_create_platform_compatible_process", lambda w: w.server_process,
            sees="the pid of the server that a stdio client starts"),
        row("mcp.client.sse", "sse_client", lambda w: w.sse_client,
            sees="client connects over SSE"),
        row("mcp.client.websocket", "websocket_client", lambda w: w.websocket_client,
            sees="client connects over websocket", sdk="1"),
        row("mcp.client.streamable_http", "streamable_http_client", lambda w: w.http_client,
            sees="client connects over HTTP"),
        row("mcp.client.streamable_http", "streamablehttp_client", lambda w: w.http_client,
            sees="client connects over HTTP", sdk="1"),
        row("mcp.client.streamable_http", "StreamableHTTPTransport.post_writer", lambda w: w.streams.http_client,
            sees="the session id of HTTP clients"),
        row("mcp.shared.memory", "create_client_server_memory_streams", lambda w: w.memory_client,
            sees="client connects in memory"),
        row("mcp.shared.direct_dispatcher", "create_direct_dispatcher_pair", lambda w: w.direct.pair,
            sees="client connects in process", sdk="2"),
        row("mcp.server.stdio", "stdio_server", lambda w: w.streams.server("stdio"),
            sees="the transport of stdio servers"),
        row("mcp.server.sse", "SseServerTransport.connect_sse", lambda w: w.streams.sse_server,
            sees="the transport of SSE servers"),
        row("mcp.server.websocket", "websocket_server", lambda w: w.streams.server("websocket"),
            sees="the transport of websocket servers", sdk="1"),
        row("mcp.server.streamable_http", "StreamableHTTPServerTransport.connect", lambda w: w.http_server,
            sees="the transport and session of HTTP servers"),
    ]  # fmt: skip


def _adds(kind: ElementType) -> Choose:
    return lambda w: w.catalog.adds(kind)
