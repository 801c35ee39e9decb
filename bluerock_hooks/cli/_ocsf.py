"""An event as a class of the Open Cybersecurity Schema Framework: one table says which, and where each member goes.

What no row names is kept under ``unmapped``. Kinds without a row, and messages that are no answers, have no class.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex

from ..reader import member
from ._leaves import signs
from ._say import say
from ._selection import since

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from ..reader import StoredEvent

    Convert = Callable[[Any], Any]

VERSION = "1.8.0"
OTHER = 99

_SUCCESS, _FAILURE = 1, 2
_SEVERITIES = {"info": 1, "warn": 3, "error": 4}  # Informational, Medium, High
_FAILED = ("error", "tool_error", "timeout", "cancelled", "abandoned")
_PROTOCOLS = {"tcp": 6, "udp": 17}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> int | None:
    return round(value) if isinstance(value, (int, float)) else None


def _name(path: Any) -> str:
    return _text(path).rstrip("/").rpartition("/")[2] or _text(path)


def _command(argv: Any) -> str | None:
    return shlex.join(map(str, argv)) if isinstance(argv, list) else None


def _sha256(value: Any) -> Any:
    return [{"algorithm_id": 3, "algorithm": "SHA-256", "value": _text(value)}]


def _address(value: Any) -> str | None:
    return value if _is_address(value) else None


def _hostname(value: Any) -> str | None:
    return None if _is_address(value) else _text(value)


def _is_address(value: Any) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(_text(value))
    except ValueError:
        return False
    return True


def _protocol(value: Any) -> int | None:
    return _PROTOCOLS.get(_text(value))


def _time(ts: str) -> int | None:
    """Milliseconds since 1970."""
    try:
        return since(ts) // 1_000_000
    except argparse.ArgumentTypeError:
        return None


def _unknown(_: Any) -> int:
    return 0


class Row:
    """What becomes of one kind: class, activity, constants, and (attribute, member, conversion) for what it has."""

    def __init__(
        self,
        class_uid: int,
        activity_id: int,
        *fields: tuple[str, str, Convert],
        constants: dict[str, Any] | None = None,
    ) -> None:
        self.class_uid = class_uid
        self.activity_id = activity_id
        self.fields = fields
        self.constants = constants or {}

    @property
    def type_uid(self) -> int:
        """Of class and activity."""
        return self.class_uid * 100 + self.activity_id


def _file(source: str, target: str = "file") -> tuple[tuple[str, str, Convert], ...]:
    """A file is to have a type; an event does not know it."""
    return (f"{target}.path", source, _text), (f"{target}.name", source, _name), (f"{target}.type_id", source, _unknown)


def _endpoint(side: str) -> tuple[tuple[str, str, Convert], ...]:
    return (
        (f"{side}.ip", "host", _address),
        (f"{side}.hostname", "host", _hostname),
        (f"{side}.name", "path", _text),
        (f"{side}.port", "port", _number),
        ("connection_info.protocol_name", "protocol", _text),
        ("connection_info.protocol_num", "protocol", _protocol),
    )


_CALL: tuple[tuple[str, str, Convert], ...] = (
    ("activity_name", "method", _text),
    ("api.operation", "method", _text),
    ("api.operation", "context.mcp.tool", _text),
    ("api.request.uid", "id", _text),
    ("api.service.name", "server_name", _text),
    ("dst_endpoint.name", "server_name", _text),
    ("src_endpoint.name", "client_name", _text),
    ("src_endpoint.uid", "connection_id", _text),
    ("actor.session.uid", "session_id", _text),
    ("status_code", "error_code", _text),
    ("status_detail", "outcome", _text),
    ("duration", "duration_ms", _number),
)
_PROCESS: tuple[tuple[str, str, Convert], ...] = (
    ("process.pid", "pid", _number),
    ("process.uid", "spawn_id", _text),
    ("process.cmd_line", "argv", _command),
    *_file("executable", "process.file"),
    ("process.working_directory", "cwd", _text),
    ("status_detail", "error", _text),
)
_MODULE: tuple[tuple[str, str, Convert], ...] = (
    *_file("file", "module.file"),
    ("module.file.hashes", "sha256", _sha256),
    ("module.type", "loader", _text),
    ("module.file.version", "version", _text),
    ("module.file.product.name", "pkg", _text),
)

_UNKNOWN_CALL = {"api.operation": "unknown"}  # an answer to what was asked before the sensor started
_LOADED = {"module.load_type_id": 1}
_OUT, _IN = {"connection_info.direction_id": 2}, {"connection_info.direction_id": 1}

ROWS: dict[str, Row] = {
    "python_mcp_event": Row(6003, OTHER, *_CALL, constants=_UNKNOWN_CALL),
    "python_mcp_request_ended": Row(6003, OTHER, *_CALL, constants=_UNKNOWN_CALL),
    "python_mcp_rejected": Row(
        6003,
        OTHER,
        *_CALL,
        ("status_code", "status", _text),
        ("status_detail", "reason", _text),
        constants=_UNKNOWN_CALL,
    ),
    "python_import": Row(1005, 1, *_MODULE, ("message", "fullname", _text), constants=_LOADED),
    "python_native_load": Row(1005, 1, *_file("path", "module.file"), *_MODULE, constants=_LOADED),
    "python_process_spawn": Row(1007, 1, *_PROCESS),
    "python_process_exec": Row(1007, 1, ("process.pid", "context.process.pid", _number), *_PROCESS),
    "python_process_exit": Row(
        1007,
        2,
        *_PROCESS,
        ("exit_code", "returncode", _number),
        ("status_detail", "signal", _text),
        ("duration", "duration_ms", _number),
    ),
    "python_socket_connect": Row(4001, 1, *_endpoint("dst_endpoint"), constants=_OUT),
    "python_socket_send": Row(4001, 6, *_endpoint("dst_endpoint"), constants=_OUT),
    "python_socket_bind": Row(4001, 7, *_endpoint("src_endpoint"), constants=_IN),
    "python_socket_resolve": Row(4003, 1, ("query.hostname", "host", _text)),
    "python_file_open": Row(1001, 14, *_file("path")),
    "python_file_remove": Row(1001, 4, *_file("path")),
    "python_file_rename": Row(1001, 5, *_file("path"), *_file("target", "file_result")),
}

_NETWORK = 4000  # from here on classes are of the network and of applications


class OcsfWriter:
    """Prints each event that has a class as one line of JSON, and says at the end how many have none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._host = os.uname().nodename
        self._left_out = 0

    def write(self, event: StoredEvent) -> None:
        """One line, or none."""
        found = ocsf(event, self._host)
        if found is None:
            self._left_out += 1
        else:
            self._stream.write(json.dumps(found, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hand over what is written so far."""
        self._stream.flush()

    def close(self) -> None:
        """There will be no more."""
        self.flush()
        if self._left_out:
            say(f"{self._left_out} events have no class in OCSF and are left out")


def ocsf(stored: StoredEvent, host: str) -> dict[str, Any] | None:
    """The event as OCSF ``VERSION`` has it, None where it has no class. ``host``: where it was recorded."""
    event, row = stored.event, ROWS.get(stored.name)
    time = _time(stored.ts)
    if row is None or time is None or (stored.name == "python_mcp_event" and "outcome" not in event):
        return None
    found = _common(stored, row, time, host)
    for target, value in row.constants.items():
        _put(found, target, value)
    for target, source, convert in row.fields:
        value = member(event, *source.split("."))
        if value is not None and (value := convert(value)) is not None:
            _put(found, target, value)
    if row.class_uid >= _NETWORK:
        found["metadata"]["profiles"] = ["host"]  # which gives these classes device and actor
        found.setdefault("src_endpoint", {"hostname": host})  # from this machine, as far as is known
    rest = _rest(event, row)
    if rest:
        found["unmapped"] = rest
    return found


def _common(stored: StoredEvent, row: Row, time: int, host: str) -> dict[str, Any]:
    """What every class has."""
    event = stored.event
    failed = event.get("outcome") in _FAILED or "error" in event or stored.name == "python_mcp_rejected"
    found: dict[str, Any] = {
        "class_uid": row.class_uid,
        "category_uid": row.class_uid // 1000,
        "activity_id": row.activity_id,
        "type_uid": row.type_uid,
        "time": time,
        "severity_id": _SEVERITIES[severity(event)],
        "status_id": _FAILURE if failed else _SUCCESS,
        "metadata": {
            "version": VERSION,
            "product": {"name": "bluerock-hooks"},
            "uid": f"{stored.key[0]}/{stored.key[1]}",
            "sequence": stored.key[1],
            "log_name": stored.name,
            "original_time": f"{stored.ts}Z",
        },
        "device": {"type_id": 0, "hostname": host},
        "actor": {"process": {"pid": stored.pid}},
    }
    for target, source in (("metadata.correlation_uid", "span_id"), ("actor.session.uid", "session_id")):
        value = member(event, "context", "mcp", source)
        if isinstance(value, str):
            _put(found, target, value)
    if isinstance(event.get("count"), int):
        found["count"] = event["count"]
    return found


def severity(event: dict[str, Any]) -> str:
    """``error``, ``warn`` or ``info``, as collectors tell them apart (``deploy/README.md``)."""
    kind = member(event, "meta", "name")
    if kind in ("python_events_dropped", "python_internal_exception") or any(signs(event)):
        return "error"
    if (
        kind == "python_mcp_rejected"
        or event.get("outcome") in ("error", "tool_error", "timeout", "abandoned")
        or any(name in event for name in ("replaces", "error", "signal"))
        or event.get("returncode", 0) != 0
    ):
        return "warn"
    return "info"


def _put(found: dict[str, Any], target: str, value: Any) -> None:
    *steps, last = target.split(".")
    for step in steps:
        found = found.setdefault(step, {})
    found[last] = value


def _rest(event: dict[str, Any], row: Row) -> dict[str, Any]:
    """The members that no field names."""
    taken = {source.partition(".")[0] for _, source, _ in row.fields} | {"meta", "context", "count"}
    rest = {name: value for name, value in event.items() if name not in taken}
    request = member(event, "context", "mcp")
    return {**rest, "mcp": request} if request else rest
