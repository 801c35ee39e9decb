"""LogQL on the contract of ``../README.md``: streams by label, then filters on structured metadata and on the line."""

from __future__ import annotations

RANGE, STEP = "$__range", "$__auto"

WHERE = 'service_name=~"$service", host_name=~"$host"'
SERVER = 'bluerock_server_name=~"$server"'
TOOL = 'gen_ai_tool_name=~"$tool"'
SESSION = 'mcp_session_id=~"$session" or bluerock_connection_id=~"$session"'
SPAN = 'bluerock_span_id=~"$span"'

ANSWERS = 'bluerock_message="server_send_response"'
CALLS = f'{ANSWERS} | mcp_method_name="tools/call"'
FAILED = 'bluerock_outcome=~"error|tool_error|timeout"'


def events(names: str, *stages: str, severity: str = "") -> str:
    """Lines of the events whose name matches; empty for all. A stage is a step of the pipeline."""
    matchers = [WHERE]
    if names:
        matchers.append(f'event_name=~"{names}"')
    if severity:
        matchers.append(f'severity=~"{severity}"')
    return " | ".join([f"{{{', '.join(matchers)}}}", *stages])


def members(words: str) -> str:
    """The stage that takes members of the event out of the line.

    ``path`` is a label of that name for ``event.path``, ``module=fullname`` is ``event.fullname`` under another name.
    """
    pairs = [word.partition("=") for word in words.split()]
    return "json " + ", ".join(f'{label}="event.{member or label}"' for label, _, member in pairs)


def number(of: str, over: str = RANGE, by: str = "", *, offset: str = "") -> str:
    """How many lines, by labels (separated by spaces)."""
    when = f"[{over}] offset {offset}" if offset else f"[{over}]"
    return f"sum{_by(by)} (count_over_time({of} {when}))"


def distinct(of: str, by: str) -> str:
    """How many different values of the labels."""
    return f"count({number(of, by=by)})"


def total(of: str, label: str) -> str:
    """The sum of a number in the lines."""
    return f"sum(sum_over_time({of} | unwrap {label} [{RANGE}]))"


def percentile(of: str, share: float, over: str = RANGE, by: str = "") -> str:
    """Of the durations, in milliseconds."""
    return f"quantile_over_time({share}, {of} | unwrap bluerock_duration_ms [{over}]){_by(by) or ' by ()'}"


def _by(labels: str) -> str:
    return f" by ({', '.join(labels.split())})" if labels else ""
