from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.training.degrade import (
    DEGRADATIONS,
    LIGHT,
    QUALITIES,
    SMALL_PX,
    STORED_PX,
    Degradation,
    compressed,
    degraded_frames,
    smaller,
    softer,
)
from model.training.photos import Photo, Photos, PhotosError, load_frames, read_photos
from sensor_sim.burst import SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor

BY_NAME = {each.name: each for each in DEGRADATIONS}


def grain(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_pictures_as_they_are_are_those_that_are_judged(photo_folder: Path) -> None:
    photos = read_photos(photo_folder, "val")
    assert np.array_equal(degraded_frames(photos, BY_NAME["as they are"], 20, 24), load_frames(photos, 20, 24))


@given(st.integers(1, 700), st.integers(1, 700))
@settings(max_examples=20, deadline=None)
def test_a_smaller_picture_has_its_shorter_side_and_shape(width: int, height: int) -> None:
    found = smaller(Image.new("RGB", (width, height)))
    assert min(found.size) == min(SMALL_PX, width, height)
    assert found.width / found.height == pytest.approx(width / height, rel=0.02)


def test_softer_is_as_soft_at_every_size() -> None:
    edge = np.zeros((400, 400, 3), np.uint8)
    edge[:, 200:] = 255
    spreads = []
    for size in (400, 200):
        line = np.asarray(softer(Image.fromarray(edge).resize((size, size), Image.Resampling.NEAREST)))[0, :, 0]
        slope = np.diff(line.astype(float)) / 255
        places = np.arange(len(slope))
        middle = (slope * places).sum()
        spreads.append(np.sqrt((slope * (places - middle) ** 2).sum()) / size)
    assert spreads == pytest.approx([0.005, 0.005], rel=0.25)


@pytest.mark.parametrize("kind", QUALITIES)
def test_compression_loses_detail_and_keeps_the_picture(kind: str) -> None:
    rows, columns = np.mgrid[:300, :400] / 40
    waves = 128 + 100 * np.sin(rows)[..., None] * np.cos(columns)[..., None].repeat(3, 2)
    picture = Image.fromarray(waves.astype(np.uint8))
    found = compressed(picture, kind)
    assert (found.mode, min(found.size)) == ("RGB", STORED_PX)
    difference = np.asarray(found).astype(int) - np.asarray(picture.resize(found.size, Image.Resampling.LANCZOS))
    assert 0 < np.abs(difference).mean() < 5


@pytest.mark.parametrize("degradation", [each for each in DEGRADATIONS if each.strength], ids=lambda each: each.name)
def test_every_kind_changes_pictures_the_same_way_each_time(degradation: Degradation, tmp_path: Path) -> None:
    grain(300, 240).save(tmp_path / "a.png")
    photos = Photos("val", (Photo(tmp_path / "a.png", 1, "street", None),), "")
    frames = degraded_frames(photos, degradation, 105, 120)
    assert np.array_equal(frames, degraded_frames(photos, degradation, 105, 120))
    assert np.abs(frames.astype(int) - load_frames(photos, 105, 120)).mean() > 1


def test_noisy_frames_are_those_of_the_sensor(photo_folder: Path) -> None:
    photos = read_photos(photo_folder, "val")
    sensor = Sensor(PRESETS[LIGHT], SensorGeometry(20, 24))
    expected = [sensor.frame(frame, number) for number, frame in enumerate(load_frames(photos, 20, 24))]
    assert np.array_equal(degraded_frames(photos, BY_NAME["noisy"], 20, 24), expected)


def test_a_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    photos = Photos("val", (Photo(tmp_path / "absent.jpg", 1, "street", None),), "")
    with pytest.raises(PhotosError, match=r"absent\.jpg"):
        degraded_frames(photos, BY_NAME["softer"], 20, 24)
