"""The two sides of a message: which request that one process received is the one that another, or the same, sent.

A request that is received has been sent and is not answered yet, so it is looked for among those that are open, with
its method, name and id. On stdio its process descends from the one that the client started; over HTTP both sides name
the session; in memory it is the same process. Of several the one with the same arguments is taken; where more than
one is left, none is: nothing is guessed. Once a request is joined its connections are, and the next is looked for
there first.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Any

    from ._calls import Call, Program

_MOST_OPEN = 64  # requests alike that wait for their other side


class Joiner:
    """``sent(call)`` for each request that is sent, ``sender_of(call)`` for each that is received."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self._open: dict[Hashable, list[Call]] = {}
        self._server_pids: dict[str, int] = {}
        self.peers: dict[str, str] = {}
        """Connection id -> that of the other side."""

    def session(self, event: dict[str, Any]) -> None:
        """A ``python_mcp_session_created``: the client's on stdio names its server's process."""
        connection, pid = event.get("connection_id"), event.get("server_pid")
        if isinstance(connection, str) and isinstance(pid, int):
            self._server_pids[connection] = pid

    def sent(self, call: Call) -> None:
        """It waits for its other side, and for its answer."""
        waiting = self._open.setdefault(_likeness(call), [])
        waiting.append(call)
        del waiting[:-_MOST_OPEN]

    def answered(self, call: Call) -> None:
        """The sender has its answer: whatever is received from now on is another."""
        waiting = self._open.get(_likeness(call), [])
        if call in waiting:
            waiting.remove(call)
            if not waiting:
                del self._open[_likeness(call)]

    def sender_of(self, call: Call) -> Call | None:
        """The request, as its sender saw it, that ``call`` is."""
        receiver = call.receiver
        waiting = [each for each in self._open.get(_likeness(call), ()) if each.receiver is None]
        if receiver is None or not waiting:
            return None
        known = self.peers.get(receiver.connection)
        found = [each for each in waiting if each.sender is not None and each.sender.connection == known]
        if not found:
            found = [each for each in waiting if self._may_be(each, call)]
        if len(found) > 1:  # in memory 2026-07-28 gives each side an id of its own, which then tells nothing
            found = [each for each in found if each.id == call.id] or found
            found = [each for each in found if each.digest == call.digest] or found
        # In memory messages keep their order.
        if len(found) == 1 or (found and call.transport == "memory"):
            return self._join(found[0], call)
        return None

    def _join(self, sent: Call, received: Call) -> Call:
        if sent.sender is not None and received.receiver is not None:
            self.peers[received.receiver.connection] = sent.sender.connection
            self.peers[sent.sender.connection] = received.receiver.connection
        return sent

    def _may_be(self, sent: Call, received: Call) -> bool:
        here, there = sent.sender, received.receiver
        if here is None or there is None:
            return False
        if received.transport == "memory":
            return here.component == there.component
        if received.transport == "stdio" and here.component == there.component:
            return False  # a proxy: a server to the one, a client of the other
        if sent.session is not None and received.session is not None:
            return sent.session == received.session
        if received.transport == "stdio":
            return self._descends(sent, received)
        return True

    def _descends(self, sent: Call, received: Call) -> bool:
        """Was the one side's process started by the other's?"""
        if sent.sender is None or received.receiver is None:
            return False
        client, server = (sent.sender, received.receiver) if sent.by_client else (received.receiver, sent.sender)
        program = self._programs[server.component]
        pid = self._server_pids.get(client.connection)
        return program.descends_from(client.pid if pid is None else pid)


def _likeness(call: Call) -> Hashable:
    """What both sides say of a request."""
    request_id = None if call.transport == "memory" else str(call.id)
    return call.transport, call.by_client, request_id, call.method, call.tool
