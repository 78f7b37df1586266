import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sensor_sim.burst import SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import SceneError
from sensor_sim.video import VideoScene

GEOMETRY = SensorGeometry(40, 48)
PERIOD_US = 40_000
LEVELS = (30, 90, 150, 210)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four plain pictures, 25 a second, each brighter than the one before; without loss."""
    path = tmp_path_factory.mktemp("video") / "steps.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 40, "bgr0"
        for number, level in enumerate(LEVELS):
            picture = av.VideoFrame.from_ndarray(np.full((40, 48, 3), level, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def test_each_row_shows_the_picture_of_its_time(video: Path) -> None:
    with VideoScene(video, GEOMETRY) as scene:
        times = np.linspace(0, 3.5 * PERIOD_US, 40)
        rows = scene.rows(0, times)
        assert rows[:, 0, 0].tolist() == [LEVELS[int(time // PERIOD_US)] for time in times]
        assert not scene.ended
        scene.rows(0, np.full(40, 10.0 * PERIOD_US))
        assert scene.ended


def test_a_readout_across_two_pictures_shows_both(video: Path) -> None:
    with VideoScene(video, GEOMETRY) as scene:
        camera = Camera(scene, GEOMETRY, ReadoutTiming(1000))
        frame = camera.frame(0, PERIOD_US / 2)
        assert set(np.unique(frame).tolist()) == {LEVELS[0], LEVELS[1]}


def test_a_webcam_is_seen_late_enough_for_nobody_to_wait(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensor_sim.video.WEBCAM_FORMAT", None)  # a file stands in for the device
    with VideoScene(video, GEOMETRY, webcam=True) as scene:
        shown = [int(scene.rows(0, np.full(40, float(time)))[0, 0, 0]) for time in range(0, 5 * PERIOD_US, PERIOD_US)]
    assert shown == [LEVELS[0], LEVELS[0], LEVELS[0], LEVELS[1], LEVELS[2]]


def test_rows_may_look_back(video: Path) -> None:
    with VideoScene(video, GEOMETRY) as scene:
        assert scene.rows(0, np.array([3.5 * PERIOD_US]))[0, 0, 0] == LEVELS[3]
        assert scene.rows(0, np.array([0.5 * PERIOD_US]))[0, 0, 0] == LEVELS[0]


def test_what_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for path in (text, tmp_path / "missing.mp4"):
        with pytest.raises(SceneError, match="not a readable video"):
            VideoScene(path, GEOMETRY)
    with pytest.raises(SceneError, match="not a readable video"):
        VideoScene("/dev/video-that-is-not-there", GEOMETRY, webcam=True)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SceneError, match="extra 'video'"):
        VideoScene(text, GEOMETRY)
