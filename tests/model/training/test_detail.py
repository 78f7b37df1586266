import io

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from model.training.detail import Detail, compress, fewer_pixels, out_of_focus, soften, through_jpeg
from model.training.light import Dice

STRONG = Detail(small_share=0.5, blur_share=0.5, jpeg_share=0.5)
Frames = npt.NDArray[np.uint8]


def dice(seed: int = 0) -> Dice:
    return Dice(torch.Generator().manual_seed(seed))


def scene(height: int = 45, width: int = 52) -> Frames:
    """Soft shapes with edges and some grain, as photographs have."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width] / 10
    waves = np.stack([np.sin(rows + number) * np.cos(columns * (number + 1) / 2) for number in range(3)], -1)
    waves[10:30, 12:25] += 0.7
    grain: Frames = (128 + 60 * waves + rng.normal(0, 4, waves.shape)).clip(0, 255).astype(np.uint8)
    return grain


def degraded(frames: Frames, detail: Detail, seed: int = 0) -> Frames:
    thrown = dice(seed)
    return compress(thrown, soften(thrown, torch.from_numpy(frames), detail), detail).numpy()


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_same_generator_gives_the_same_frames(seed: int) -> None:
    frames = np.stack([scene()] * 4)
    first = degraded(frames, STRONG, seed)
    assert np.array_equal(first, degraded(frames, STRONG, seed))
    assert (first.shape, first.dtype) == (frames.shape, frames.dtype)
    assert np.array_equal(frames, np.stack([scene()] * 4))  # what came in is left alone
    assert sum(not np.array_equal(before, after) for before, after in zip(frames, first, strict=True)) >= 2


def test_without_shares_nothing_is_lost_and_nothing_drawn() -> None:
    thrown, untouched = dice(), dice()
    frames = torch.from_numpy(scene()[None])
    assert compress(thrown, soften(thrown, frames, Detail()), Detail()) is frames
    assert torch.equal(thrown.uniform(0, 1, 3), untouched.uniform(0, 1, 3))


@settings(max_examples=30)
@given(st.integers(1, 40), st.floats(0.02, 1), st.floats(0.05, 30))
def test_an_even_picture_stays_even(length: int, scale: float, sigma_px: float) -> None:
    for matrix in (fewer_pixels(length, torch.tensor([scale])), out_of_focus(length, torch.tensor([sigma_px]))):
        assert matrix.shape == (1, length, length)
        assert matrix.min() >= 0
        assert matrix.sum(2)[0].tolist() == pytest.approx([1] * length, abs=1e-4)


@pytest.mark.parametrize("scale", [0.31, 0.5, 0.8, 1.0])
def test_fewer_pixels_are_those_of_pillow(scale: float) -> None:
    picture = Image.fromarray(scene())
    few = (round(picture.width * scale), round(picture.height * scale))
    expected = picture.resize(few, Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.BILINEAR)
    found = degraded(scene()[None], Detail(small_share=1.0, small_scale=(scale, scale)))[0]
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 2


@pytest.mark.parametrize("sigma_px", [0.8, 1.5])
def test_blur_is_that_of_pillow(sigma_px: float) -> None:
    # Pillow's is three box filters, near to the Gaussian; it too repeats the ends.
    expected = np.asarray(Image.fromarray(scene()).filter(ImageFilter.GaussianBlur(sigma_px)))
    found = degraded(scene()[None], Detail(blur_share=1.0, blur=(sigma_px / 45, sigma_px / 45)))[0]
    assert np.abs(found.astype(int) - expected).mean() < 1
    assert np.abs(found.astype(int) - expected).mean() < np.abs(scene().astype(int) - expected).mean() / 4


@pytest.mark.parametrize("quality", [15, 40, 75, 92])
def test_jpeg_is_that_of_libjpeg(quality: int) -> None:
    # Beside rounding in the cosine transform: libjpeg rounds the colours between its steps.
    kept = io.BytesIO()
    Image.fromarray(scene()).save(kept, "JPEG", quality=quality, subsampling="4:2:0")
    expected = np.asarray(Image.open(kept)).astype(int)
    found = through_jpeg(torch.from_numpy(scene()[None]), torch.tensor([float(quality)])).numpy()[0]
    lost = np.abs(scene().astype(int) - expected).mean()
    assert np.abs(found.astype(int) - expected).mean() < min(1.2, lost / 2)


def test_each_frame_has_its_own_quality() -> None:
    frames = torch.from_numpy(np.stack([scene()] * 2))
    found = through_jpeg(frames, torch.tensor([5.0, 95.0]))
    losses = (found.int() - frames.int()).abs().float().mean((1, 2, 3))
    assert losses[0] > 4 * losses[1]
