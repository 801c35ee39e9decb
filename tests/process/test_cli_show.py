"""``show`` on spools with everything in them: what is printed, where, and what a terminal gets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from _command import call, command_env, command_line, line, on_terminal

if TYPE_CHECKING:
    from pathlib import Path

CALL = {"method": "tools/call", "tool": "add", "session_id": "s1"}
EVENTS = [
    line(1, "sensor_startup", argv=["python", "server.py"]),
    line(2, "python_mcp_session_created", connection_id="conn-1", source="server"),
    line(
        3, event="server_received_request", id=1, method="tools/call", session_id="s1", connection_id="conn-1", mcp=CALL
    ),
    line(4, event="server_send_response", id=1, method="tools/call", connection_id="conn-1", outcome="ok", mcp=CALL),
    line(5, event="server_received_request", id=2, method="ping"),
]
OTHER = [line(1, "sensor_startup", component="c2", pid=77, second=3, argv=["other"])]


def segment(spool: Path, lines: list[bytes], stem: str = "4242-aaaaaaaaaaaaaaaa", number: int = 1) -> Path:
    spool.mkdir(mode=0o700, exist_ok=True)
    path = spool / f"python-{stem}.{number:06d}.ndjson"
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    path.chmod(0o600)
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    spool = tmp_path / "spool"
    segment(spool, EVENTS)
    segment(spool, OTHER, stem="77-bbbbbbbbbbbbbbbb")
    return spool


def show(spool: Path, *words: str) -> list[str]:
    done = call(spool.parent, "show", "--spool", spool, *words, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def numbers(lines: list[str]) -> list[tuple[str, int]]:
    """Component and number of ``--json`` lines."""
    metas = [json.loads(each)["event"]["meta"] for each in lines]
    return [(meta["component_id"], meta["source_event_id"]) for meta in metas]


def test_processes_are_merged_by_time_one_line_an_event(spool: Path) -> None:
    lines = show(spool)
    assert [each.split()[0] for each in lines] == sorted(each.split()[0] for each in lines)
    assert [each.split()[1] for each in lines] == ["4242", "4242", "77", "4242", "4242", "4242"]
    assert lines[0] == "10:00:01.001    4242 sensor_startup   python server.py"


def test_json_is_the_stored_lines_byte_for_byte(spool: Path) -> None:
    odd = line(6, method="na\u00efve \u202e")
    segment(spool, [*EVENTS, odd])
    done = call(spool.parent, "show", "--spool", spool, "--json", "--pid", "4242")
    assert done.stdout == b"".join(each + b"\n" for each in [*EVENTS, odd])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--pid", "77"], [("c2", 1)]),
        (["--event", "sensor_startup"], [("c1", 1), ("c2", 1)]),
        (["--event", "sensor_*", "--pid", "4242"], [("c1", 1)]),
        (["--event", "mcp_session_created"], [("c1", 2)]),
        (["--event", "server_received_request"], [("c1", 3), ("c1", 5)]),
        (["--event", "server_send_response", "--event", "sensor_startup", "--pid", "4242"], [("c1", 1), ("c1", 4)]),
        (["--tool", "add"], [("c1", 3), ("c1", 4)]),
        (["--tool", "a?d", "--event", "*request"], [("c1", 3)]),
        (["--method", "ping"], [("c1", 5)]),
        (["--method", "tools/*"], [("c1", 3), ("c1", 4)]),
        (["--session", "s1"], [("c1", 3), ("c1", 4)]),
        (["--session", "conn-1"], [("c1", 2), ("c1", 3), ("c1", 4)]),
        (["--since", "2026-11-22T10:00:04"], [("c1", 4), ("c1", 5)]),
        (["--since", "2026-11-22T11:00:04.5+01:00"], [("c1", 5)]),
        (["--limit", "2"], [("c1", 4), ("c1", 5)]),
        (["--limit", "1", "--tool", "add"], [("c1", 4)]),
        (["--limit", "0"], []),
    ],
)
def test_filters_choose(spool: Path, words: list[str], expected: list[tuple[str, int]]) -> None:
    assert numbers(show(spool, "--json", *words)) == expected


def test_since_a_time_span_is_counted_from_now(spool: Path) -> None:
    assert show(spool, "--since", "1000000w") != []
    os.utime(next(spool.glob("python-77*")), (1, 1))
    assert show(spool, "--since", "2026-11-22T10:00:00Z", "--pid", "77") == []  # a segment that old is not even read


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--since", "m"], ["--limit", "-1"], ["--pid", "x"]])
def test_a_filter_that_makes_no_sense_is_a_usage_error(spool: Path, words: list[str]) -> None:
    done = call(spool.parent, "show", "--spool", spool, *words, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[0] in done.stderr


def test_lines_that_cannot_be_read_are_counted_and_skipped(spool: Path) -> None:
    bad = [
        b"{torn",
        b"\xff\xfe",
        b"[]",
        b'{"event":{"meta":{"name":5}}}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b"NaN",
    ]
    segment(spool, [EVENTS[0], *bad, EVENTS[1]])
    with next(spool.glob("python-4242*")).open("ab") as file:
        file.write(EVENTS[2][:40])
    done = call(spool.parent, "show", "--spool", spool, "--json", text=True)
    assert done.returncode == 0
    assert numbers(done.stdout.splitlines()) == [("c1", 1), ("c1", 2), ("c2", 1)]
    # The pid of the segment is nobody's: its last line will not be completed.
    torn = 0 if os.path.exists("/proc/4242") else 1
    assert f"{len(bad) + torn} unreadable lines skipped, first {spool}" in done.stderr


def test_other_files_in_the_spool_are_left_alone(spool: Path) -> None:
    (spool / "python-99-cccccccccccccccc.000001.ndjson").symlink_to("/etc/passwd")
    os.mkfifo(spool / "python-98-dddddddddddddddd.000001.ndjson")
    (spool / "notes.txt").write_text("mine\n")
    assert len(show(spool)) == len(EVENTS) + len(OTHER)


def test_no_spool_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    done = call(tmp_path, "show", "--spool", tmp_path / "none", text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert "`bluerock-hooks run SCRIPT` records" in done.stderr


def test_nothing_that_matches_is_said_on_stderr_only(spool: Path) -> None:
    done = call(spool.parent, "show", "--spool", spool, "--tool", "none", text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no events that match" in done.stderr


def test_the_configured_spool_is_the_default(spool: Path) -> None:
    done = call(spool.parent, "show", env={"BLUEROCK_SPOOL_DIR": str(spool)}, text=True)
    assert len(done.stdout.splitlines()) == len(EVENTS) + len(OTHER)
    home = spool.parent / ".bluerock"
    home.mkdir()
    spool.rename(home / "event-spool")
    assert len(call(spool.parent, "show", text=True).stdout.splitlines()) == len(EVENTS) + len(OTHER)


def test_a_reader_that_goes_away_is_no_error(spool: Path) -> None:
    segment(spool, [line(number, method="x" * 200) for number in range(1, 3000)])
    quoted = " ".join(f"'{word}'" for word in command_line("show", "--spool", spool))
    done = subprocess.run(
        ["bash", "-c", f"{quoted} | head -1; echo ${{PIPESTATUS[0]}}"],
        env=command_env(spool.parent),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize(("redirection", "status"), [(">&-", 0), ("> /dev/full", 1)])
def test_a_closed_or_full_stdout_is_no_traceback(spool: Path, redirection: str, status: int) -> None:
    command = " ".join(command_line("show", "--spool", spool)) + redirection
    done = subprocess.run(["sh", "-c", command], env=command_env(spool.parent), capture_output=True, text=True)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == status


def test_a_c_locale_prints_all_names(spool: Path) -> None:
    segment(spool, [line(1, method="naïve/日本")])
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = call(spool.parent, "show", "--spool", spool, env=env, text=True)
    assert done.returncode == 0
    assert "\\xefve" in done.stdout or "naïve" in done.stdout


# -- terminals


def test_a_terminal_gets_colour_and_lines_of_its_width(spool: Path) -> None:
    segment(
        spool, [line(1, event="server_received_request", method="tools/call", message={"params": {"x": "日本" * 80}})]
    )
    text = on_terminal(spool, 60, "show", "--pid", "4242", NO_COLOR="1")
    assert len(text.splitlines()) == 1
    cells = sum(2 if ord(char) > 0x2E80 else 1 for char in text.rstrip("\n"))
    assert 58 <= cells <= 60
    coloured = on_terminal(spool, 60, "show", "--pid", "4242")
    assert "\x1b[36mpython_mcp_event\x1b[0m" in coloured
    assert "\x1b" not in text


def test_a_dumb_terminal_and_a_pipe_get_no_colour(spool: Path) -> None:
    assert "\x1b" not in on_terminal(spool, 60, "show", TERM="dumb")
    assert not any("\x1b" in each for each in show(spool))


def test_a_payload_cannot_command_the_terminal(spool: Path) -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\u202egnp.exe\nforged line"
    segment(spool, [line(1, hostile, event=hostile, method=hostile, mcp={"tool": hostile}, note=hostile)])
    for words in (["show"], ["show", "--json"]):
        text = on_terminal(spool, 2000, *words, "--pid", "4242", NO_COLOR="1")
        assert len(text.splitlines()) == 1
        assert text.rstrip("\n").isprintable(), words
    raw = on_terminal(spool, 60, "show", "--json", "--pid", "4242", NO_COLOR="1")
    assert json.loads(raw)["event"]["method"] == hostile


def test_ctrl_c_ends_with_130(spool: Path) -> None:
    with subprocess.Popen(
        command_line("tail", "--spool", spool),
        env=command_env(spool.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert said == b""


def test_imports_with_which_all_is_well_are_left_to_the_command_that_sums_them_up(tmp_path: Path) -> None:
    spool = tmp_path / "imports"
    routine = [
        line(1, "python_import", fullname="good", record="match", file="/site/good.py"),
        line(2, "python_import_stdlib", count=1, modules=["json"]),
        line(3, "python_package", version="1", modules=1),
    ]
    remarkable = [
        line(4, "python_import", fullname="edited", record="mismatch", file="/site/edited.py"),
        line(5, "python_import", fullname="stale", record="match", pyc="stale"),
        line(6, "python_import", fullname="json", shadows_stdlib=True),
        line(7, "python_import", fullname="failed", kept=False),
        line(8, "python_import", fullname="late", record="match", mcp=CALL),
    ]
    segment(spool, routine + remarkable)
    shown = show(spool)
    assert [words.split()[3] for words in shown] == ["edited", "stale", "json", "failed", "late"]
    assert shown[0].endswith("edited mismatch /site/edited.py")
    assert "in tools/call add" in shown[4]
    assert len(show(spool, "--json")) == 8
    assert len(show(spool, "--event", "python_import")) == 6
    assert len(show(spool, "--event", "python_*")) == 8


def test_ocsf_is_one_json_object_a_line_and_what_has_no_class_is_counted(tmp_path: Path, spool: Path) -> None:
    done = call(tmp_path, "show", "--spool", spool, "--format", "ocsf", "--method", "tools/call")
    (event,) = (json.loads(text) for text in done.stdout.splitlines())
    assert (event["class_uid"], event["metadata"]["uid"]) == (6003, "c1/4")
    assert done.stderr == b"bluerock-hooks: 1 events have no class in OCSF and are left out\n"
    assert done.returncode == 0


def test_json_is_a_format_too(tmp_path: Path, spool: Path) -> None:
    words = ("show", "--spool", spool)
    assert call(tmp_path, *words, "--format", "json").stdout == call(tmp_path, *words, "--json").stdout != b""
