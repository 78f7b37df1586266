"""A device of Video4Linux, which tests/video_device.c plays: no machine of the tests has a camera."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = """
import json
from sensor_sim.live import LivePicture, LiveSource
from sensor_sim.network_camera import CameraAddress, NetworkCamera
from sensor_sim.uplink import Backoff

said = []
with LiveSource("device", NetworkCamera(CameraAddress("/dev/video97"), 1.0), Backoff(0, 0.0)) as source:
    reader = source.reader()
    while len(said) < 16:
        news = reader.next(30.0)
        if isinstance(news, LivePicture):
            assert news.pixels.shape == (48, 64, 3)
            said.append(int(news.pixels.mean()))
        else:
            said.append(str(news.state))
print(json.dumps(said))
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
def test_a_device_is_read_and_found_when_it_hangs(tmp_path: Path) -> None:
    device = tmp_path / "video_device.so"
    command = ["cc", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", str(device)]
    subprocess.run([*command, str(ROOT / "tests" / "video_device.c"), "-ldl"], check=True)
    env = os.environ | {"LD_PRELOAD": str(device), "VIDEO_DEVICE_HANGS": "6", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", READ], env=env, check=True, capture_output=True, timeout=60)
    said = json.loads(done.stdout)
    first, second = said.index("lost"), said.index("back")
    assert second == first + 1
    for life in (said[:first], said[second + 1 :][:6]):
        levels = [level for level in life if isinstance(level, int)]
        assert len(levels) > 2
        assert levels == sorted(set(levels)), "each picture is brighter than the one before"
