from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from model.training.near_duplicates import most_alike, thumbnails


def scene(seed: int) -> Image.Image:
    shades = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(shades).resize((180, 150), Image.Resampling.BICUBIC)


def test_a_changed_copy_is_nearly_the_same_and_another_scene_is_not(tmp_path: Path) -> None:
    changed = {
        "same": scene(1),
        "mirrored": ImageOps.mirror(scene(1)),
        "darker": ImageEnhance.Brightness(scene(1)).enhance(0.6),
        "smaller": scene(1).resize((90, 75)),
        "grey": scene(1).convert("L"),
        "another": scene(2),
        "even": Image.new("RGB", (50, 50), (90, 90, 90)),
    }
    for name, picture in changed.items():
        picture.save(tmp_path / f"{name}.jpg")
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    small, faults = thumbnails([tmp_path / f"{name}.jpg" for name in (*changed, "damaged")])
    assert [bool(fault) for fault in faults] == [False] * 7 + [True]
    assert "damaged.jpg" in faults[-1]
    found = most_alike(small, thumbnails([tmp_path / "same.jpg"])[0])
    assert [value > 0.9 for value in found] == [True] * 5 + [False] * 3


@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 9))
def test_the_highest_correlation_is_that_of_all_pairs(seed: int, count: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal((many, 32, 32)).astype(np.float32) for many in (count, others))
    pairs = [max(float((one * other).sum()) for each in second for other in (each, each[:, ::-1])) for one in first]
    np.testing.assert_allclose(most_alike(first, second), pairs, rtol=1e-3, atol=1e-3)


def test_no_pictures_are_like_none() -> None:
    assert most_alike(thumbnails([])[0], np.ones((1, 32, 32), np.float32)).shape == (0,)
