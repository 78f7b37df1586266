"""Pictures of our own for the page's tests and screenshots: drawn, not photographed."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIZE = (640, 480)
CAMERA_FRAMES = 30


def _ground(seed: int, sky: tuple[int, int, int], earth: tuple[int, int, int]) -> Image.Image:
    width, height = SIZE
    share = np.linspace(0, 1, height)[:, None, None]
    colours = np.array(sky) * (1 - share) + np.array(earth) * share
    noise = np.random.default_rng(seed).normal(0, 5, (height, width, 1))
    return Image.fromarray(np.clip(colours + noise, 0, 255).astype(np.uint8))


def _figure(draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float, shirt: str, skin: str = "#c98f6b") -> None:
    """A standing person, `tall` pixels from foot to crown."""
    u = tall / 8  # a head
    draw.rounded_rectangle((x - 0.75 * u, foot - 4 * u, x - 0.08 * u, foot), 0.3 * u, fill="#2b3550")
    draw.rounded_rectangle((x + 0.08 * u, foot - 4 * u, x + 0.75 * u, foot), 0.3 * u, fill="#263048")
    draw.rounded_rectangle((x - 1.45 * u, foot - 6.5 * u, x - 0.95 * u, foot - 3.6 * u), 0.25 * u, fill=skin)
    draw.rounded_rectangle((x + 0.95 * u, foot - 6.5 * u, x + 1.45 * u, foot - 3.6 * u), 0.25 * u, fill=skin)
    draw.rounded_rectangle((x - 1.1 * u, foot - 6.7 * u, x + 1.1 * u, foot - 3.7 * u), 0.5 * u, fill=shirt)
    draw.rectangle((x - 0.25 * u, foot - 7.1 * u, x + 0.25 * u, foot - 6.5 * u), fill=skin)
    draw.ellipse((x - 0.5 * u, foot - 8 * u, x + 0.5 * u, foot - 6.85 * u), fill=skin)
    draw.pieslice((x - 0.54 * u, foot - 8.1 * u, x + 0.54 * u, foot - 7 * u), 180, 360, fill="#33261c")


def scene(name: str, shift: float = 0.0) -> Image.Image:
    """One of `SCENES`; `shift` moves what can move, in pixels to the right."""
    width, height = SIZE
    if name == "street":
        image = _ground(1, (178, 200, 222), (120, 118, 116))
        draw = ImageDraw.Draw(image)
        for column, top in ((0, 60), (150, 110), (300, 40), (470, 90)):
            draw.rectangle((column, top, column + 130, 330), fill=(150 - column // 8, 138, 130 + column // 12))
            for row in range(top + 20, 310, 48):
                for window in range(column + 16, column + 118, 36):
                    draw.rectangle((window, row, window + 18, row + 26), fill=(84, 100, 118))
        _figure(draw, 330 + shift, 450, 330, "#b4412f")
    elif name == "two":
        image = _ground(2, (205, 214, 205), (92, 122, 78))
        draw = ImageDraw.Draw(image)
        draw.ellipse((20, 20, 230, 240), fill=(70, 104, 62))
        draw.rectangle((112, 200, 140, 360), fill=(88, 66, 48))
        _figure(draw, 300 + shift, 460, 390, "#2f6f8f")
        _figure(draw, 470 + shift, 450, 360, "#d3b03f", "#8c5a3c")
    elif name == "hills":
        image = _ground(3, (150, 190, 226), (214, 222, 220))
        draw = ImageDraw.Draw(image)
        for index, (base, tone) in enumerate(((250, 136), (310, 112), (380, 88))):
            crest = [(x, base + 34 * np.sin(x / (70 + 23 * index) + index)) for x in range(0, width + 8, 8)]
            draw.polygon([(0, height), *crest, (width, height)], fill=(tone - 30, tone + 14, tone - 40))
    else:
        image = _ground(4, (232, 226, 214), (190, 170, 140))
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 330, width, height), fill=(132, 96, 66))
        draw.ellipse((220, 250, 420, 400), fill=(240, 240, 236), outline=(176, 170, 160), width=5)
        draw.ellipse((250, 268, 390, 350), fill=(82, 52, 34))
        draw.arc((395, 280, 470, 370), 250, 110, fill=(225, 224, 220), width=16)
    return image.filter(ImageFilter.GaussianBlur(0.8))


SCENES = ("street", "two", "hills", "cup")


def write_scenes(folder: Path) -> list[Path]:
    """Every scene as a PNG file."""
    paths = [folder / f"{name}.png" for name in SCENES]
    for name, path in zip(SCENES, paths, strict=True):
        scene(name).save(path)
    return paths


def write_camera(path: Path) -> Path:
    """What the fake camera shows, as YUV4MPEG2: a person who walks through the street."""
    width, height = SIZE
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420mpeg2\n".encode())
        for index in range(CAMERA_FRAMES):
            planes = np.asarray(scene("street", shift=index * 8 - 120).convert("YCbCr"))
            file.write(b"FRAME\n" + _plane(planes[..., 0]))
            for channel in (1, 2):
                file.write(_plane(planes[::2, ::2, channel]))
    return path


def _plane(samples: npt.NDArray[np.uint8]) -> bytes:
    return np.ascontiguousarray(samples).tobytes()
