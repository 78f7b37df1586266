import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from sensor_sim.burst import Frame, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import SceneError
from sensor_sim.video import VideoScene
from tests.films import write_film
from tests.picture_kinds import PICTURE, stored_for

GEOMETRY = SensorGeometry(40, 48)
PERIOD_US = 40_000
LEVELS = (30, 90, 150, 210)


def _write(path: Path, pictures: Iterable[Frame], title: str = "") -> Path:
    """Pictures of one size, 25 a second, without loss, each for itself."""
    return write_film(path, pictures, rate=25, codec="png", pixels="rgb24", title=title)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four plain pictures, each brighter than the one before."""
    pictures = (np.full((40, 48, 3), level, np.uint8) for level in LEVELS)
    return _write(tmp_path_factory.mktemp("video") / "steps.mp4", pictures)


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_title_need_not_be_utf_8(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"film.{suffix}", [np.full((40, 48, 3), 90, np.uint8)], "K_che")
    path.write_bytes(path.read_bytes().replace(b"K_che", "Küche".encode("latin-1")))
    with VideoScene(path, GEOMETRY) as scene:
        assert (scene.rows(0, np.zeros(40)) == 90).all()


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


def test_rows_may_look_back(video: Path) -> None:
    with VideoScene(video, GEOMETRY) as scene:
        assert scene.rows(0, np.array([3.5 * PERIOD_US]))[0, 0, 0] == LEVELS[3]
        assert scene.rows(0, np.array([0.5 * PERIOD_US]))[0, 0, 0] == LEVELS[0]


def test_a_film_says_how_many_pictures_a_second_it_has(video: Path) -> None:
    with VideoScene(video, GEOMETRY) as scene:
        assert scene.rate_fps == 25


MATRICES = {
    1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip
"""a, b, c, d of the display matrix, by the orientation of Exif that means the same."""


@pytest.mark.parametrize("orientation", MATRICES)
def test_a_film_is_turned_as_it_says_beside_its_pixels(tmp_path: Path, orientation: int) -> None:
    path = _write(tmp_path / "turned.mp4", [stored_for(PICTURE, orientation)] * 3)
    content = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in MATRICES[orientation])
    place = content.index(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    geometry = SensorGeometry(PICTURE.shape[0], PICTURE.shape[1], 2)
    with VideoScene(path, geometry) as scene:
        for time_us in (0.0, 2.5 * PERIOD_US):
            assert np.array_equal(scene.rows(0, np.full(geometry.height, time_us)), PICTURE)


def _packets(path: Path) -> list[tuple[int, int]]:
    """Place and size of each packet in the file."""
    with av.open(str(path)) as container:
        return [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("damaged", "shown"), [({1}, [30, 30, 150, 210]), ({0, 2}, [90, 90, 90, 210]), ({3}, [30, 90, 150, 150])]
)
def test_damaged_parts_are_skipped_and_counted(tmp_path: Path, damaged: set[int], shown: list[int]) -> None:
    path = _write(tmp_path / "damaged.mp4", [np.full((40, 48, 3), level, np.uint8) for level in LEVELS])
    content = bytearray(path.read_bytes())
    for index, (place, size) in enumerate(_packets(path)):
        if index in damaged:
            content[place : place + size] = bytes(size)
    path.write_bytes(content)
    with VideoScene(path, GEOMETRY) as scene:
        origin = min(set(range(4)) - damaged) * PERIOD_US  # time runs from the first picture
        seen = [
            int(scene.rows(0, np.full(40, time - origin + 1.0))[0, 0, 0]) for time in range(0, 4 * PERIOD_US, PERIOD_US)
        ]
        assert seen == shown
        scene.rows(0, np.full(40, 10.0 * PERIOD_US))
        assert scene.ended
        assert scene.damaged_packets == len(damaged)


def test_a_film_without_a_whole_picture_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "damaged.mp4", [np.zeros((40, 48, 3), np.uint8)] * 2)
    content = bytearray(path.read_bytes())
    for place, size in _packets(path):
        content[place : place + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(SceneError, match="no pictures in it; 2 parts of it are damaged"):
        VideoScene(path, GEOMETRY)


def test_what_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for path in (text, tmp_path / "missing.mp4"):
        with pytest.raises(
            SceneError, match=r"not a readable video .*; copy it again if it was cut off, or convert it"
        ):
            VideoScene(path, GEOMETRY)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SceneError, match="extra `video`"):
        VideoScene(text, GEOMETRY)


def test_pictures_that_are_too_large_are_refused(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensor_sim.video.MOST_PX", 40 * 48 - 1)
    with pytest.raises(SceneError, match="48 x 40 pixels are larger"):
        VideoScene(video, GEOMETRY)
