from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensor_sim.burst import SensorGeometry
from sensor_sim.scene import SAMPLES, SceneError, photo_frame, sample_photos, sprite_over

GEOMETRY = SensorGeometry(105, 120)


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_photo(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "photo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SceneError, match=r"photo\.png"):
        photo_frame(path, GEOMETRY)


def test_a_sprite_keeps_its_aspect_and_its_transparency(tmp_path: Path) -> None:
    pixels = np.zeros((40, 20, 4), np.uint8)
    pixels[:20] = (255, 0, 0, 255)  # the lower half is transparent
    Image.fromarray(pixels).save(tmp_path / "sprite.png")
    Image.fromarray(np.full((30, 30, 3), 77, np.uint8)).save(tmp_path / "behind.png")
    scene = sprite_over(tmp_path / "behind.png", tmp_path / "sprite.png", GEOMETRY, 0.0)
    assert scene.sprite.shape == (52, 26, 3)
    shown = scene.rows(0, np.zeros(105))
    red = (shown == (255, 0, 0)).all(axis=2)
    assert red.sum() == pytest.approx(26 * 26, abs=26)
    assert (shown[~red] == 77).all()
    bar = sprite_over(tmp_path / "behind.png", None, GEOMETRY, 0.0)
    assert bar.sprite.shape == (52, 15, 3)


def test_samples_are_photographs() -> None:
    photos = sample_photos()
    assert [path.name for path in photos] == list(SAMPLES)
    assert all(photo_frame(path, GEOMETRY).shape == (105, 120, 3) for path in photos)
