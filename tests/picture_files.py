"""Picture files for tests, good and bad."""

import io
import zlib
from typing import Any

import numpy as np
from PIL import Image


def picture(
    seed: int = 0, size: tuple[int, int] = (50, 40), kind: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    """Noise of (rows, columns) as a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str) -> bytes:
    """Three frames, the first white, the others black."""
    frames = [Image.new("RGB", (40, 50), colour) for colour in ("white", "black", "black")]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def huge_png() -> bytes:
    """A PNG of 30,000 x 30,000 px in a few bytes: only its header is true."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (30_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def blank_png(side: int) -> bytes:
    """A square of one colour, a bit a pixel: quick to write, slow to read."""
    buffer = io.BytesIO()
    Image.new("1", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


def grey_16_bit() -> bytes:
    """A PNG of 16-bit grey."""
    buffer = io.BytesIO()
    Image.fromarray(np.arange(2000, dtype=np.uint16).reshape(50, 40) * 32).save(buffer, "PNG")
    return buffer.getvalue()
