import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clients.commands.bench.exit_times import exit_times
from clients.commands.bench.fleet import FRAME_RATE, message_bytes, share_of
from clients.commands.bench.replicas import Costs
from model.config import VARIANTS
from sensor_sim.burst import Rows
from sensor_sim.wire import encode

CONFIG = VARIANTS["105x120"]
COSTS = Costs((100.0, 6000.0), (60.0, 30.0), 2000.0)


def test_the_suite_measures_and_simulates(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "fleet.json"
    page.write_text("<!-- bench machine -->\n<!-- end machine -->\n<!-- bench fleet -->\n<!-- end fleet -->\n")
    command = [
        sys.executable, "-m", "clients.commands.main", "bench", "fleet", "--smoke", "--variant", CONFIG.name,
        "--json", str(figures), "--page", str(page),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(figures.read_text())["suites"]["fleet"]["rows"]
    assert [each["measured"]["replicas"] for each in row["compared"]] == [1, 2]
    assert all(each["measured"]["busy"] > 0 and each["busy"] > 0 for each in row["compared"])
    never, calibrated = row["fleets"]
    assert calibrated["messages_s"] == pytest.approx(never["messages_s"] * exit_times(CONFIG.name).processed_ratio)
    assert "What sensors need" in page.read_text()


def test_the_share_grows_with_the_streams_and_exits_save_some_of_it() -> None:
    held = np.array([0.0, 1, 10, 50, 100, 200, 1000])
    never, calibrated = (share_of(CONFIG, COSTS, policy, 0.7)(held) for policy in ("never", "calibrated"))
    for shares in (never, calibrated):
        assert (np.diff(shares) > 0).all()
        assert shares[0] == pytest.approx(COSTS.idle_us / 1e6)
    assert (calibrated[1:] < never[1:]).all()
    bursts_s = FRAME_RATE * CONFIG.bursts_per_frame
    assert 30e-6 * bursts_s * 50 < never[3] < 60e-6 * bursts_s * 50 + 0.01, (
        "between a busy loop's cost and an idle one's"
    )


def test_bytes_of_a_message() -> None:
    rows = Rows(0, 0, 1, 0, np.zeros((5, 120, 3), np.uint8))
    assert message_bytes(CONFIG) == len(encode(rows)) + 8
