"""``BLUEROCK_PROPAGATE``: the requests of clients carry a W3C ``traceparent`` in ``_meta``, where they carry none.

Off, nothing of this is in the path of a message. On, what goes to the wire is a copy: the objects that a caller or the
SDK made stay as they are. The parent that a request names is its own span, so that the server's event names the
client's; a request that is sent while another is served continues that one's trace.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import _guard
from .._attribution import current
from .._patch import argument, replaced
from ._messages import WriteTap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._sessions import Connection

_LENGTH = 55  # 00-<32 hex digits>-<16 hex digits>-<2 hex digits>


class PropagatingTap(WriteTap):
    """The write stream of a side whose requests name their span to the peer."""

    def send(self, item: Any) -> Awaitable[Any]:
        """What the stream's own ``send`` returns, for the item or for a copy of it that says more."""
        try:
            item = _stamped(self._self_connection, item)
        except Exception as exc:
            if not isinstance(item, Exception):
                _guard.swallow("mcp.propagate", exc)
        return super().send(item)


def propagating(original: Any, connection_of: Callable[[Any], Connection]) -> Callable[..., Awaitable[Any]]:
    """``DirectDispatcher.send_raw_request(self, method, params, opts=None)``: in process, where no message is sent."""

    async def send_raw_request(self_: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            params = _with_parent(connection_of(self_), argument(args, kwargs, 1, "params"))
            if params is not None:
                args, kwargs = replaced(args, kwargs, 1, "params", params)
        except Exception as exc:
            _guard.swallow("mcp.propagate", exc)
        return await original(self_, *args, **kwargs)

    return send_raw_request


def _stamped(connection: Connection, item: Any) -> Any:
    """A copy of a SessionMessage that is a request without a traceparent, with one; any other as it is."""
    message = item.message
    root = getattr(message, "root", message)  # 1.x: a root model around the message
    if getattr(root, "method", None) is None or getattr(root, "id", None) is None:
        return item
    params = _with_parent(connection, getattr(root, "params", None))
    if params is None:
        return item
    request = root.model_copy(update={"params": params})
    item = copy.copy(item)
    item.message = request if root is message else message.model_copy(update={"root": request})
    return item


def _with_parent(connection: Connection, params: Any) -> dict[str, Any] | None:
    """``params`` of a client's request with a ``traceparent``; None where it has one, or cannot have."""
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    if connection.role != "client" or not all(part is None or isinstance(part, Mapping) for part in (params, meta)):
        return None
    if meta is not None and "traceparent" in meta:
        return None
    return {**(params or {}), "_meta": {**(meta or {}), "traceparent": _trace_parent(connection)}}


def _trace_parent(connection: Connection) -> str:
    span_id = connection.number_next()
    served = current()
    trace = served.trace if served is not None else None
    if trace is not None and len(trace) == _LENGTH and trace[2:3] == trace[35:36] == trace[52:53] == "-":
        return f"{trace[:36]}{span_id}{trace[52:]}"
    return f"00-{connection.id}{span_id}-{span_id}-01"
