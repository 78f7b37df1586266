from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.preprocess import rgb_frame, rgb_rows
from sensor_sim.burst import PixelFormat, Rows, SensorGeometry
from sensor_sim.camera import Camera, Shutter
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import PanningScene, Scene, SpriteScene, StillScene, Times
from sensor_sim.sensor import PRESETS

formats = st.sampled_from(PixelFormat)
presets = st.sampled_from(sorted(PRESETS))
shutters = st.sampled_from(Shutter)


def _picture(seed: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _own_rows(burst: Rows) -> npt.NDArray[np.uint8]:
    halo = burst.pixel_format.halo_rows
    return burst.rows[halo : len(burst.rows) - halo]


@given(
    bursts=st.integers(1, 6),
    burst_rows=st.integers(2, 6),
    width=st.integers(2, 12),
    pixel_format=formats,
    preset=presets,
    shutter=shutters,
    speed=st.floats(-1e5, 1e5),
    start_us=st.floats(0, 1e9),
    seed=st.integers(0, 99),
)
def test_rows_joined_give_the_frame(
    bursts: int,
    burst_rows: int,
    width: int,
    pixel_format: PixelFormat,
    preset: str,
    shutter: Shutter,
    speed: float,
    start_us: float,
    seed: int,
) -> None:
    geometry = SensorGeometry(bursts * burst_rows, width, burst_rows, pixel_format)
    scene = PanningScene(_picture(seed, geometry.height, 3 * width), width, speed)
    camera = Camera(scene, geometry, ReadoutTiming(100), PRESETS[preset], shutter, seed=seed)
    read = list(camera(7, start_us))
    frame = camera.frame(7, start_us)
    assert np.array_equal(np.concatenate([_own_rows(burst) for burst in read]), frame)
    if geometry.pixel_format.halo_rows:
        padded = np.concatenate([frame[1:2], frame, frame[-2:-1]])
        for burst in read:
            first = burst.first_burst * burst_rows
            assert np.array_equal(burst.rows, padded[first : first + burst_rows + 2])


@given(
    bursts=st.integers(1, 6),
    burst_rows=st.integers(2, 6),
    width=st.integers(2, 12),
    pixel_format=st.sampled_from([each for each in PixelFormat if each is not PixelFormat.RGB8]),
    seed=st.integers(0, 99),
)
def test_bayer_by_burst_equals_bayer_by_frame(
    bursts: int, burst_rows: int, width: int, pixel_format: PixelFormat, seed: int
) -> None:
    geometry = SensorGeometry(bursts * burst_rows, width, burst_rows, pixel_format)
    camera = Camera(StillScene(_picture(seed, geometry.height, width)), geometry)
    by_burst = [rgb_rows(burst.rows, pixel_format, burst.first_burst * burst_rows) for burst in camera(0, 0)]
    assert np.array_equal(np.concatenate(by_burst), rgb_frame(camera.frame(), pixel_format))


@given(order=st.permutations(range(3)), stop=st.integers(0, 6), seed=st.integers(0, 99))
def test_a_frame_is_the_same_whatever_was_read_before(order: list[int], stop: int, seed: int) -> None:
    geometry = SensorGeometry(30, 16, 5, PixelFormat.BAYER_RGGB8)
    camera = Camera(StillScene(_picture(seed, 30, 16)), geometry, config=PRESETS["night"], seed=seed)
    frames = [camera.frame(frame_id) for frame_id in range(3)]
    for frame_id in order:
        bursts = camera(frame_id, 0)
        for burst, _ in zip(bursts, range(stop), strict=False):  # an exit leaves the rest unread
            first = burst.first_burst * 5
            assert np.array_equal(_own_rows(burst), frames[frame_id][first : first + 5])


@dataclass(frozen=True)
class _Clockwork:
    """Shows the time: its rows are as bright as their moment in 100 us."""

    def rows(self, first_row: int, times_us: Times) -> npt.NDArray[np.uint8]:
        value = np.rint(times_us / 100).astype(np.uint8)
        return np.broadcast_to(value[:, None, None], (len(value), 4, 3)).copy()


def test_each_row_of_a_rolling_shutter_has_its_own_time() -> None:
    geometry, timing = SensorGeometry(10, 4), ReadoutTiming(200)
    config = replace(PRESETS["ideal"], exposure_us=200)
    config = replace(config, gain_dn_e=config.max_dn / (config.white_photons * config.quantum_efficiency))
    scene: Scene = _Clockwork()
    rolling = Camera(scene, geometry, timing, config).frame(0, 1000)
    assert rolling[:, 0, 0].tolist() == [11 + 2 * row for row in range(10)]  # read at 1200, exposed around 1100
    everywhere = Camera(scene, geometry, timing, config, Shutter.GLOBAL).frame(0, 1000)
    assert everywhere[:, 0, 0].tolist() == [9] * 10


def test_a_moving_edge_skews_under_a_rolling_shutter_only() -> None:
    picture = np.zeros((20, 200, 3), np.uint8)
    picture[:, 40:] = 255
    geometry = SensorGeometry(20, 60)
    scene = PanningScene(picture, 60, speed_px_s=10_000)  # one column a line time
    rolling, everywhere = (
        Camera(scene, geometry, ReadoutTiming(100), shutter=shutter).frame(0, 5000)[..., 0] for shutter in Shutter
    )
    edges = [int(np.argmax(row > 127)) for row in rolling]
    assert np.diff(edges).tolist() == [-1] * 19
    assert len({int(np.argmax(row > 127)) for row in everywhere}) == 1


def test_exposure_samples_blur_motion() -> None:
    picture = np.zeros((5, 300, 3), np.uint8)
    picture[:, 150:] = 255
    scene = PanningScene(picture, 100, speed_px_s=2_000)
    geometry = SensorGeometry(5, 100)
    config = PRESETS["ideal"]  # 10 ms: 20 columns
    sharp, blurred = (
        Camera(scene, geometry, ReadoutTiming(0), config, Shutter.GLOBAL, samples).frame(0, 60_000)[0, :, 0]
        for samples in (1, 16)
    )
    assert len(np.unique(sharp)) == 2
    assert 18 <= len(np.unique(blurred)) <= 24
    with pytest.raises(ValueError, match="exposure_samples"):
        Camera(scene, geometry, exposure_samples=0)


def test_a_sprite_comes_in_again_where_it_left() -> None:
    background, sprite = np.zeros((10, 20, 3), np.uint8), np.full((2, 3, 3), 9, np.uint8)
    scene = SpriteScene(background, sprite, (18, 4), (1e6, 0))
    shown = scene.rows(0, np.full(10, 1.0))
    assert sorted(zip(*np.nonzero(shown[..., 0]), strict=True)) == [(r, c) for r in (4, 5) for c in (0, 1, 19)]
    with pytest.raises(ValueError, match="larger than the background"):
        SpriteScene(sprite, background)


def test_a_sprite_hides_only_what_is_behind_its_mask() -> None:
    background, sprite = np.zeros((10, 20, 3), np.uint8), np.full((2, 3, 3), 9, np.uint8)
    mask = np.array([[True, False, True], [False, True, False]])
    shown = SpriteScene(background, sprite, (18, 4), (1e6, 0), mask).rows(0, np.full(10, 1.0))
    assert sorted(zip(*np.nonzero(shown[..., 0]), strict=True)) == [(4, 1), (4, 19), (5, 0)]
    with pytest.raises(ValueError, match="mask"):
        SpriteScene(background, sprite, mask=mask[:1])


def test_a_camera_that_faces_another_scene_is_the_same_camera() -> None:
    geometry = SensorGeometry(20, 24, pixel_format=PixelFormat.BAYER_RGGB8)
    rng = np.random.default_rng(3)
    scenes = [StillScene(rng.integers(0, 256, (20, 24, 3), np.uint8)) for _ in range(2)]
    first, second = (Camera(scene, geometry, config=PRESETS["night"], seed=5) for scene in scenes)
    facing = first.facing(scenes[1])
    assert np.array_equal(facing.frame(7), second.frame(7))
    assert facing == second
    assert first.facing(scenes[0]).facing(scenes[1]).sensor is facing.sensor
