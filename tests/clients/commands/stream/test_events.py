"""`events` on a ledger, and `stream --events` against a service."""

import itertools
import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.commands.main import app


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    chances = [0.1] * 5 + [0.9] * 5 + [0.1] * 10
    lines = [
        {"type": "frame", "lost": False, "start_us": 1e6 * second, "decision": {"p_person": p}}
        for second, p in enumerate(chances)
    ]
    lines.insert(7, {"type": "frame", "lost": True, "start_us": 6.5e6, "decision": None})
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"type": "stream", "frames": 21}]))
    return path


def test_events_and_score(ledger: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("start_s,end_s\n5,10\n15,16\n")
    result = _run("events", ledger, "--truth", truth)
    assert result.exit_code == 0, result.output
    assert "7.00 s  person appeared (since 5.00 s)" in result.output
    assert "12.00 s  person left (since 10.00 s)" in result.output
    assert "1 of 2 found" in result.output
    assert "0 false in" in result.output
    said = [json.loads(line) for line in _run("events", ledger, "--truth", truth, "--json").output.splitlines()]
    assert said[0] == {"type": "event", "turn": "appeared", "since_s": 5.0, "time_s": 7.0}
    assert (said[-1]["type"], said[-1]["found"], said[-1]["false_alarms"]) == ("score", 1, 0)
    assert "person" not in _run("events", ledger, "--appear-frames", 6).output


def test_each_region_of_a_ledger_has_its_own_events(ledger: Path, tmp_path: Path) -> None:
    """A region's events are those of a ledger of this region alone, with the clock's time if a camera was streamed."""
    frames = [json.loads(line) for line in ledger.read_text().splitlines()]
    regions = {"door": frames, "desk": [frame for frame in frames if frame.get("start_us", 0) <= 9e6]}
    both = [
        frame | {"region": name, "taken_at": f"2026-01-01T00:00:{second:02}.250Z"}
        for second, name in itertools.product(range(20), regions)
        for frame in regions[name]
        if frame.get("start_us") == 1e6 * second
    ]
    ledger.write_text("".join(json.dumps(line) + "\n" for line in both))
    said = [json.loads(line) for line in _run("events", ledger, "--json").output.splitlines()]
    assert [(line["region"], line["turn"], line["time_s"]) for line in said] == [
        ("door", "appeared", 7.0), ("desk", "appeared", 7.0), ("door", "left", 12.0)
    ]  # fmt: skip
    assert [line["taken_at"] for line in said] == [f"2026-01-01T00:00:{second}.250Z" for second in ("07", "07", "12")]
    lines = _run("events", ledger, "--region", "desk").output.splitlines()
    local = datetime.fromisoformat(said[1]["taken_at"]).astimezone()
    assert lines == [f"desk:      7.00 s  person appeared (since 5.00 s), {local:%Y-%m-%d %H:%M:%S}"]
    truth = tmp_path / "truth.csv"
    truth.write_text("start_s,end_s\n5,10\n")
    assert "1 of 1 found" in _run("events", ledger, "--region", "door", "--truth", truth).output
    for arguments, words in (
        (("--truth", truth), "choose one with --region: door, desk"),
        (("--region", "dor"), "no region 'dor'; did you mean 'door'?"),
    ):
        result = _run("events", ledger, *arguments)
        assert (result.exit_code, words in result.output) == (2, True), result.output


def test_files_that_cannot_be_used_are_told_in_a_line(ledger: Path, tmp_path: Path) -> None:
    other, empty, truth, nothing = (tmp_path / name for name in ("x", "y", "z.csv", "n.csv"))
    other.write_text("[]\n")
    mixed = tmp_path / "mixed"
    mixed.write_text("[]\n" + ledger.read_text())
    empty.write_text('{"type": "stream"}\n')
    truth.write_text("from,to\n1,2\n")
    nothing.write_text("start_s,end_s\nnan,2\n")
    for status, arguments, words in (
        (2, (other,), "not a ledger; `rascanet stream --ledger FILE` writes one"),
        (0, (mixed,), "line 1: left out: not an entry of a ledger\n"),
        (1, (empty,), "no decided frame"),
        (2, (tmp_path / "none",), "no such file"),
        (2, (ledger, "--truth", truth), "expected a CSV with start_s,end_s; end_s and start_s is missing"),
        (1, (ledger, "--truth", nothing), "no usable window"),
        (2, (ledger, "--enter", 0.2), "0 <= leave <= enter"),
    ):
        result = _run("events", *arguments)
        assert result.exit_code == status, result.output
        assert words in result.output


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_are_read_however_they_were_saved(ledger: Path, tmp_path: Path, encoding: str, end: str) -> None:
    expected = _run("events", ledger).output
    truth = tmp_path / "truth.csv"
    ledger.write_bytes(ledger.read_text().replace("\n", end).encode(encoding))
    truth.write_bytes(end.join(("Start_s, END_S ", "5,10", "16,15", "5,10", "20,")).encode(encoding))
    assert _run("events", ledger).output == expected
    result = _run("events", ledger, "--truth", truth)
    assert result.exit_code == 0, result.output
    assert "1 of 2 found" in result.output
    assert "truth.csv, line 3: repaired: it ends before it starts" in result.output
    assert "truth.csv, line 4: left out: the same window stands above" in result.output
    assert "truth.csv, line 5: left out: start_s and end_s are not two numbers" in result.output


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "frame", "lost": false, "start_us": 1e6, "decis',
        '{"type": "frame", "lost": false, "start_us": null, "decision": null}',
        '{"type": "frame", "lost": false, "start_us": NaN, "decision": {"p_person": 0.5}}',
        '{"type": "frame", "lost": false, "start_us": 1, "decision": {"p_person": 7}}',
        '{"type": "frame", "lost": false, "start_us": 1, "decision": {"p_person": 0.5}, "taken_at": "noon"}',
        "null",
        "[" * 100_000,
        "\0",
    ],
)
def test_one_bad_line_of_a_ledger_is_left_out_and_named(ledger: Path, line: str) -> None:
    expected = _run("events", ledger).output
    ledger.write_text(ledger.read_text() + line)
    result = _run("events", ledger)
    assert result.exit_code == 0, result.output
    assert result.output.endswith(expected)
    assert "line 23: left out: not an entry of a ledger" in result.output


def test_a_stream_tells_its_events(service_url: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    common = ["--url", service_url, "--variant", "30x32", "--scene", "colour-bars", "--frames", 5, "--virtual-time"]
    result = _run("stream", *common, "--events", "--json", "--ledger", ledger)
    assert result.exit_code == 0, result.output
    live = [line for line in map(json.loads, result.output.splitlines()) if line.get("type") == "event"]
    later = [json.loads(line) for line in _run("events", ledger, "--json").output.splitlines()]
    assert [{key: value for key, value in event.items() if key != "photo"} for event in live] == later
    assert len(live) == 1  # these weights see a person in the chart, in every frame
