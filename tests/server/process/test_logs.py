import json
import logging
import subprocess
import sys

import pytest

from server.process.logs import AsJson


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


@pytest.mark.parametrize("unneeded", ["rich", "torch", "model.training"])
def test_the_service_loads_nothing_that_it_does_not_need(unneeded: str) -> None:
    program = f"import sys, server.__main__; sys.exit({unneeded!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
