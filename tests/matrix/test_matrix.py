"""A few cells of the matrix, each transport and era once; ``.ci/matrix`` plays all."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from matrix import cells, compare, play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _peers import Peer

    from matrix.cells import Cell
    from matrix.play import Played


@pytest.mark.parametrize("cell", cells.SHORT, ids=str)
def test_every_message_is_recorded_once_for_each_side_and_the_host_notices_nothing(
    cell: Cell, peer_venv: Callable[..., Peer], tmp_path: Path
) -> None:
    peer = peer_venv(cell.python, *cell.packages)
    problems = compare.problems(cell, play.lit(cell, peer, tmp_path), play.dark(cell, peer, tmp_path))
    assert not problems, "\n".join(problems)


# -- the comparison itself: it finds what is wrong

CELL = cells.Cell("mcp2", "mcp==2.3.0", "memory", "2025")


@pytest.fixture(scope="module")
def played(peer_venv: Callable[..., Peer], tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play.lit(CELL, peer_venv(CELL.python, *CELL.packages), tmp_path_factory.mktemp("played"))


def with_change(played: Played, change: Callable[[dict[str, Any]], Any], name: str) -> list[str]:
    """The problems of this run after the first event of this name was changed."""
    lines = deepcopy(played.events)
    at = next(number for number, line in enumerate(lines) if line["event"].get("event") == name)
    lines[at : at + 1] = change(lines[at])
    return compare.problems(CELL, played._replace(events=lines), played)


def other(line: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    line["event"].update(members)
    line["event"]["message"].update({key: value for key, value in members.items() if key == "id"})
    return [line]


@pytest.mark.parametrize("name", ["client_send_request", "server_send_response", "client_received_notification"])
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda line: [], "no event: 1"),
        (lambda line: [line, line], "event without a message: 1"),
        (lambda line: other(line, id=4711), "event without a message: 1"),
        (lambda line: other(line, message={"method": "no/such"}), "no event: 1"),
        (lambda line: other(line, event="server_received_notification"), "no event: 1"),
        (lambda line: other(line, transport="stdio"), "transports: "),
    ],
    ids=["missed", "doubled", "wrong id", "wrong message", "wrong name", "wrong transport"],
)
def test_the_comparison_finds_an_event_that_is(played: Played, name: str, change: Any, complaint: str) -> None:
    assert not compare.problems(CELL, played, played)
    assert any(problem.startswith(complaint) for problem in with_change(played, change, name))


def test_the_comparison_finds_a_response_of_another_request(played: Played) -> None:
    problems = with_change(played, lambda line: other(line, method="tools/list"), "client_received_response")
    assert [problem[:34] for problem in problems] == ["a response that is not of its requ"]


def test_the_comparison_finds_what_belongs_to_another_call(played: Played) -> None:
    def change(line: dict[str, Any]) -> list[dict[str, Any]]:
        line["event"]["context"]["mcp"]["request_id"] += 1
        return [line]

    problems = with_change(played, change, "server_send_notification")
    assert [problem[:22] for problem in problems] == ["not of its own call: {"]


def test_the_comparison_finds_an_answer_that_the_sensor_changed(played: Played) -> None:
    dark = played._replace(said=played.said.replace("3", "4", 1))
    assert compare.problems(CELL, played, dark)[0].startswith("the client says with the sensor")
