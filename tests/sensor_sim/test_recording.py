from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.readout import ReadoutTiming
from sensor_sim.recording import Recorder, Recording, RecordingError
from sensor_sim.scene import StillScene
from sensor_sim.sensor import PRESETS
from sensor_sim.wire import encode

TIMING = ReadoutTiming(100, 5000)


def _camera(pixel_format: PixelFormat) -> Camera:
    picture = np.random.default_rng(0).integers(0, 256, (10, 8, 3), np.uint8)
    geometry = SensorGeometry(10, 8, 5, pixel_format)
    return Camera(StillScene(picture), geometry, TIMING, PRESETS["dusk"], seed=4)


def _write(path: Path, camera: Camera, frames: int) -> None:
    with Recorder(path, camera.geometry, camera.timing, {"preset": "dusk"}) as recorder:
        for frame_id in range(frames):
            start_us = 5000.0 * frame_id
            assert recorder.write_frame(start_us, camera(frame_id, start_us)) == 2 * camera.geometry.burst_bytes


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_what_was_emitted_comes_back_bit_for_bit(tmp_path: Path, pixel_format: PixelFormat) -> None:
    path, camera = tmp_path / "recording", _camera(pixel_format)
    _write(path, camera, 3)
    recording = Recording(path)
    assert (recording.geometry, recording.timing, recording.config) == (camera.geometry, TIMING, {"preset": "dusk"})
    assert recording.check() == 3
    for frame_id, frame in enumerate(recording.frames()):
        assert (frame.frame_id, frame.start_us) == (frame_id, 5000.0 * frame_id)
        emitted = [encode(burst) for burst in camera(frame_id, frame.start_us)]
        assert [encode(burst) for burst in frame.read(frame_id, 0)] == emitted


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "recording"
    _write(path, _camera(PixelFormat.MONO8), 2)
    return path.read_bytes()


def _refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=path.name) as caught:
        Recording(path).check()
    return str(caught.value)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, share: float
) -> None:
    length = int(share * len(content))
    message = _refused(tmp_path_factory.getbasetemp() / "cut", content[:length])
    assert "truncated in record" in message if length >= 8 else "not a recording" in message


@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_an_altered_byte_is_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, share: float, flip: int
) -> None:
    altered = bytearray(content)
    place = int(share * len(content))
    altered[place] ^= flip
    message = _refused(tmp_path_factory.getbasetemp() / "altered", bytes(altered))
    assert "record" in message
    if place >= 8 and "at byte" in message:
        broken_at = int(message.split("at byte ")[1].split()[0].rstrip(":"))
        assert broken_at <= place


def test_a_record_left_out_is_refused(tmp_path: Path, content: bytes) -> None:
    head = content.index(b"\x02" + (12).to_bytes(4, "little"))  # the start of the first frame
    assert "altered" in _refused(tmp_path / "gap", content[:head] + content[head + 5 + 12 + 4 :])


def test_more_after_the_end_is_refused(tmp_path: Path, content: bytes) -> None:
    assert f"after the end, at byte {len(content)}" in _refused(tmp_path / "more", content + b"x")


def test_what_is_no_recording(tmp_path: Path) -> None:
    assert "not a recording" in _refused(tmp_path / "text", b"some text or other")
    with pytest.raises(RecordingError, match="No such file"):
        Recording(tmp_path / "missing")


def test_an_error_while_recording_leaves_no_whole_file(tmp_path: Path) -> None:
    path, camera = tmp_path / "broken", _camera(PixelFormat.RGB8)

    def interrupted() -> None:
        with Recorder(path, camera.geometry, TIMING) as recorder:
            recorder.write_frame(0, camera(0, 0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(RecordingError, match="truncated"):
        Recording(path).check()
