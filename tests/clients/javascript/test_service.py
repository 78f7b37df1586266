"""The package's clients at a real service: HTTP and stream say what Python's scan says."""

import json
import subprocess
from pathlib import Path

import pytest

from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import VARIANTS
from model.exit_policy import FixedRowPolicy
from model.picture import read_frame
from model.runtime import load_runtime
from model.scan import scan_frame
from tests.clients.javascript.engines import MISSING
from tests.networks import float16_checkpoint
from tests.page.scenes import scene
from tests.page.serving import Service, listed

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.long]

ASK = Path(__file__).with_name("ask_service.mjs")
LIMIT_S = 120
P_TOLERANCE = 2e-6


def test_http_and_stream_at_a_service(tmp_path: Path) -> None:
    weights, picture, pixels = tmp_path / "w.safetensors", tmp_path / "street.png", tmp_path / "frame.bin"
    config = VARIANTS["105x120"]
    save_checkpoint(float16_checkpoint(config, 1), weights)
    scene("street").save(picture)
    frame = read_frame(picture, config.height, config.width)
    pixels.write_bytes(frame.tobytes())
    expected = scan_frame(load_runtime(load_checkpoint(weights)), frame, FixedRowPolicy(0.5))
    service = Service(listed("weights", [weights]))
    service.start()
    try:
        command = [
            "node",
            "--experimental-websocket",
            "--no-warnings",
            str(ASK),
            service.url,
            str(picture),
            str(pixels),
        ]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S).stdout)
    finally:
        service.stop()
    assert [model["variant"] for model in found["models"]] == ["105x120"]
    classified, refused = found["classified"]
    assert (classified["name"], refused["name"]) == ("picture", "notes")
    assert refused["code"] == found["alone"]["code"] == "unreadable_image"
    assert len(classified["curve"]) == expected.processed
    for decision in (classified, found["decision"]):
        assert decision["p_person"] == pytest.approx(expected.p_person, abs=P_TOLERANCE)
        assert (decision["processed"], decision["exited"]) == (expected.processed, True)
        assert decision["burst_index"] == expected.last_burst
    assert len(found["points"]) == expected.processed
    assert found["summary"]["frames"] == 1
