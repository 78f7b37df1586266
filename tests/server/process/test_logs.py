import json
import logging
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.process.logs import (
    BURST_LINES,
    KINDS,
    LINES_A_SECOND,
    QUEUED_LINES,
    SUMMARY_S,
    AsJson,
    QueuedLines,
    Rates,
)


def _said(*, facts: dict[str, object] | None = None, failed: bool = False) -> dict[str, object]:
    try:
        raise ValueError("of this test")
    except ValueError:
        caught = sys.exc_info() if failed else None
    record = logging.LogRecord("server.stream", logging.INFO, "", 0, "%d streams", (3,), caught)
    if facts:
        record.facts = facts
    line = AsJson().format(record)
    assert "\n" not in line
    said: dict[str, object] = json.loads(line)
    return said


def test_a_line_says_what_where_and_when() -> None:
    said = _said(facts={"frames": 2, "path": sys.path})
    assert (said["event"], said["logger"], said["level"], said["frames"]) == (
        "3 streams",
        "server.stream",
        "info",
        2,
    )
    assert str(said["timestamp"]).startswith("20")
    assert "exception" not in said


def test_a_failure_comes_with_its_traceback() -> None:
    assert "ValueError: of this test" in str(_said(failed=True)["exception"])


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 200))
def test_a_kind_of_line_is_bounded_in_every_stretch_of_time(pauses: list[float], at_once: int) -> None:
    now = 0.0
    rates = Rates(lambda: now)
    admitted = asked = 0
    for pause in [0.0, *pauses]:
        now += pause
        admitted += sum(rates.admits(("a", "b")) for _ in range(at_once))
        asked += at_once
        assert admitted <= BURST_LINES + now * LINES_A_SECOND + 1
    now += SUMMARY_S
    assert sum(rates.left_out().values()) == asked - admitted
    assert rates.left_out() == {}


def test_kinds_do_not_share_their_rate_and_are_bounded_in_number() -> None:
    rates = Rates(lambda: 0.0)
    for _ in range(BURST_LINES):
        rates.admits(("a", "b"))
    assert not rates.admits(("a", "b"))
    assert rates.admits(("a", "c"))
    admitted = sum(rates.admits(("made", str(number))) for number in range(100_000))
    assert admitted <= KINDS + BURST_LINES


def _logger(handler: QueuedLines) -> logging.Logger:
    handler.setFormatter(AsJson())
    log = logging.Logger("of this test")
    log.addHandler(handler)
    return log


def test_lines_are_written_in_order_and_whole_at_the_end() -> None:
    written: list[bytes] = []
    handler = QueuedLines(written.append, Rates())
    log = _logger(handler)
    for number in range(100):
        log.info("line %d", number)
    handler.close()
    assert [json.loads(line)["event"] for line in written] == [f"line {number}" for number in range(100)]
    assert handler.dropped == 0


def test_a_log_that_nobody_reads_holds_nobody_up() -> None:
    """Nor does the end of the process wait for it."""
    read = threading.Event()
    stuck = threading.Event()

    def write(_data: bytes) -> None:
        stuck.set()
        read.wait(60)

    handler = QueuedLines(write, Rates(lambda: 0.0))
    log = _logger(handler)
    log.info("first")
    assert stuck.wait(10)
    for number in range(QUEUED_LINES + 100):  # of many kinds, so that no rate bounds them
        log.info(f"{number % 50} %d", number)
    assert handler.dropped == 100
    handler.close()
    read.set()


def test_a_disk_that_is_full_costs_lines_alone() -> None:
    def write(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    handler = QueuedLines(write, Rates())
    _logger(handler).info("a line")
    handler.close()
    assert handler.dropped == 1


def test_what_was_left_out_is_told() -> None:
    written: list[bytes] = []
    now = 0.0
    handler = QueuedLines(written.append, Rates(lambda: now))
    log = _logger(handler)
    for _ in range(BURST_LINES + 7):
        log.info("again %s", "and again")
    handler.flush()
    now = SUMMARY_S
    log.info("something else")
    handler.flush()
    handler.flush()
    handler.close()
    assert "7 lines were left out: again %s" in [json.loads(line)["event"] for line in written]


@pytest.mark.parametrize(("name", "level"), [("python_multipart.multipart", "ERROR"), ("uvicorn.error", "WARNING")])
def test_libraries_that_tell_of_every_client_are_kept_quiet(name: str, level: str) -> None:
    program = f"""
from server.process.logs import log_as_json; import logging; log_as_json()
print(logging.getLevelName(logging.getLogger({name!r}).getEffectiveLevel()))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == level


def test_the_service_loads_nothing_that_it_does_not_need() -> None:
    program = [sys.executable, "-c", "import sys, server.__main__; print(*sys.modules)"]
    loaded = set(subprocess.run(program, check=True, capture_output=True, text=True, timeout=60).stdout.split())
    assert "uvicorn" in loaded
    assert not loaded & {"rich", "torch", "model.training"}


def test_a_terminal_shows_the_networks_and_what_is_wrong() -> None:
    program = (
        "import logging\n"
        "from server.process.logs import log_for_people\n"
        "log_for_people()\n"
        "logging.getLogger('server.networks').info('serving 105x120')\n"
        "logging.getLogger('server.stream.streams').info('stream ended')\n"
        "logging.getLogger('server.stream.streams').warning('late')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert [line.partition(" ")[2] for line in done.stderr.splitlines()] == ["info: serving 105x120", "warning: late"]
