"""The real thing: the service in one process, the sensor in another, the shipped weights, real photographs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import PublishedPolicy
from model.runtime import load_runtime
from model.scan import scan_frame
from sensor_sim.burst import SensorGeometry
from sensor_sim.scene import photo_frame, sample_photos
from tests.networks import person_curve
from tests.service_process import service_process

VARIANT = "105x120"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service_process() as (address, _):
        yield address


def _stream(url: str, *options: str) -> list[dict[str, Any]]:
    photos = [str(path) for path in sample_photos()]
    command = [sys.executable, "-m", "clients.commands.main", "stream", *photos, "--url", url, "--json", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_early_exit_and_a_frame_read_to_its_end(url: str) -> None:
    """The threshold is set between the most and the least person-like sample, so that both happen."""
    runtime = load_runtime(load_checkpoint(shipped_weights(VARIANT)))
    config = runtime.config
    geometry = SensorGeometry(config.height, config.width, config.BURST_ROWS)
    frames = {path.name: photo_frame(path, geometry) for path in sample_photos()}
    peaks = sorted(float(person_curve(runtime, frame)[:-4].max()) for frame in frames.values())
    policy = PublishedPolicy(exit_threshold=(peaks[0] + peaks[-1]) / 2, skip_threshold=0.0)
    messages = _stream(
        url, "--line-time-us", "3000", "--exit-threshold", repr(policy.exit_threshold), "--skip-threshold", "0"
    )
    reports = {message["photo"]: message for message in messages if message["type"] == "report"}
    assert list(reports) == list(frames)
    for name, frame in frames.items():
        scan, decision = scan_frame(runtime, frame, policy), reports[name]["decision"]
        assert decision["p_person"] == pytest.approx(scan.p_person, abs=1e-6)
        for field in ("exited", "processed", "skipped", "unread", "person"):
            assert decision[field] == getattr(scan, field)
    exited = [report for report in reports.values() if report["decision"]["exited"]]
    read = [report for report in reports.values() if not report["decision"]["exited"]]
    assert exited
    assert read
    assert all(report["bytes_saved"] > 0 for report in exited), "the sensor stopped reading"
    assert all(report["rows_sent"] == config.height for report in read)
    assert messages[-1]["type"] == "summary"
    assert messages[-1]["exited"] == len(exited)


def test_virtual_time_gives_the_same_curve(url: str) -> None:
    real, virtual = (_stream(url, "--policy", "never", *options) for options in ((), ("--virtual-time",)))
    curves = [[m["p_person"] for m in messages if m["type"] == "progress"] for messages in (real, virtual)]
    assert len(curves[0]) == len(sample_photos()) * 21
    assert curves[0] == curves[1]
