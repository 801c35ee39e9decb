"""The wrappers that the rows put in place of the SDKs' functions, and the state that they share; loaded when needed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

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
from ._versions import generation

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import Recording


class Wrappers:
    """One a process: what the table (``_table``) chooses from. To make one has no effect."""

    def __init__(self, recording: Recording, nothing_seen: Callable[[], None], *, propagate: bool) -> None:
        inventory = Inventory(recording)
        write_tap = PropagatingTap if propagate else WriteTap
        streams = self.streams = Streams(recording, nothing_seen)
        connection = functools.partial(Connection, recording, inventory=inventory)
        self.v1 = Sessions(recording, streams, connection, write_tap)
        self.v2 = Dispatchers(recording, streams, connection, write_tap)
        self.direct = Direct(recording, connection, write_tap)
        self.catalog = Catalog(recording, inventory, generation)
        self.refused = Rejections(recording)
        self.tasks = Tasks(recording)
        self.server_process = server_process
        self.stdio_client = streams.client("stdio", stdio_target)
        self.sse_client = streams.client("sse", url_target("sse"))
        self.websocket_client = streams.client("websocket", url_target("websocket"))
        self.http_client = streams.client("http", url_target("http"))
        self.memory_client = streams.client("memory", memory_target)
        self.http_server = streams.server("http", lambda args: getattr(args[0], "mcp_session_id", None))
