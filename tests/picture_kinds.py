"""A picture in every kind of file, each with the pixels that every door has to see."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 0x0112

_ROWS, _COLUMNS = 48, 64
_COLOURS = np.array([[(250, 20, 30), (10, 200, 60)], [(40, 50, 220), (128, 128, 128)]], np.uint8)
PICTURE: Pixels = _COLOURS.repeat(_ROWS // 2, 0).repeat(_COLUMNS // 2, 1)
"""Four fields of different colours: turned or mirrored it is another picture."""

_PLACES = np.indices((_ROWS, _COLUMNS)) % np.array([_ROWS // 2, _COLUMNS // 2])[:, None, None]
_INNER = (np.abs(_PLACES - np.array([12, 16])[:, None, None]) < 5).all(0)
"""Pixels away from the edges of the fields, around which a lossy format may do as it likes."""


@dataclass(frozen=True)
class Kind:
    """A file and what it shows.

    Attributes:
        content: of the file.
        pixels: upright, on white: (rows, columns, 3).
        tolerance: of a lossy format, at a frame's pixels away from the fields' edges.
    """

    content: bytes
    pixels: Pixels
    tolerance: int = 0

    def check(self, found: Pixels) -> None:
        """Asserts that `found` is the picture."""
        assert found.shape == self.pixels.shape
        differences = np.abs(found.astype(int) - self.pixels)
        assert differences[_INNER if self.tolerance else ...].max() <= self.tolerance


def stored_for(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels as a camera stores them that says `orientation` (Exif 2.32, 4.6.4): undone, they are `pixels`."""
    return np.ascontiguousarray(
        {
            1: pixels,
            2: pixels[:, ::-1],
            3: pixels[::-1, ::-1],
            4: pixels[::-1],
            5: pixels.swapaxes(0, 1),
            6: np.rot90(pixels),
            7: np.rot90(pixels, 2).swapaxes(0, 1),
            8: np.rot90(pixels, -1),
        }[orientation]
    )


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(rows: Pixels, depth: int, colour: int, *, key: bytes | None = None, palette: bytes | None = None) -> bytes:
    """A PNG made by hand (ISO/IEC 15948), for kinds that Pillow doesn't write.

    Args:
        rows: (rows, bytes a row) of packed samples.
        key: content of `tRNS`.
        palette: content of `PLTE`.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = rows.shape[1] * 8 // (depth * channels)
    head = width.to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = [chunk(b"IHDR", head)]
    if palette is not None:
        parts.append(chunk(b"PLTE", palette))
    if key is not None:
        parts.append(chunk(b"tRNS", key))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")])


def _packed(levels: Pixels, depth: int) -> Pixels:
    """Levels (rows, columns) of `depth` bits, packed from the left."""
    bits = (levels[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(len(levels), -1).astype(np.uint8), axis=1)


def _grey(values: Any) -> Pixels:
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, 2)


def _turned() -> Iterator[tuple[str, Kind]]:
    for orientation in range(1, 9):
        stored = Image.fromarray(stored_for(PICTURE, orientation))
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        for kind, options, tolerance in (
            ("PNG", {}, 0),
            ("TIFF", {}, 0),
            ("WEBP", {"lossless": True}, 0),
            ("JPEG", {"quality": 95, "subsampling": 0}, 6),
            ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 12),
        ):
            content = saved(stored, kind, exif=exif, **options)
            yield f"{kind.lower()} turned {orientation}", Kind(content, PICTURE, tolerance)


def _transparent() -> Iterator[tuple[str, Kind]]:
    alpha = np.zeros((_ROWS, _COLUMNS), np.uint8)
    alpha[:, : _COLUMNS // 2] = 255
    on_white = PICTURE.copy()
    on_white[:, _COLUMNS // 2 :] = 255
    rgba = Image.fromarray(np.dstack([PICTURE, alpha]))
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        yield f"{kind.lower()} with alpha", Kind(saved(rgba, kind, **options), on_white)
    half = Image.fromarray(np.dstack([np.zeros_like(PICTURE), np.full((_ROWS, _COLUMNS), 128, np.uint8)]))
    yield "png half transparent black", Kind(saved(half, "PNG"), np.full_like(PICTURE, 127))
    grey = PICTURE[..., 1]
    grey_seen = _grey(np.where(alpha == 255, grey, 255))
    yield "png grey with alpha", Kind(saved(Image.fromarray(np.dstack([grey, alpha]), "LA"), "PNG"), grey_seen)
    wide = np.dstack([grey, np.full_like(grey, 7), alpha, alpha]).reshape(_ROWS, -1)  # samples of 16 bits
    yield "png 16-bit grey with alpha", Kind(png(wide, 16, 4), grey_seen)
    level = np.zeros((_ROWS, _COLUMNS), np.uint8)
    level[_ROWS // 2 :] = 1
    for depth in (1, 2, 4, 8):
        for clear, other in ((1, 0), (0, 1)):
            shades = np.where(level == 1, clear, other).astype(np.uint8)
            seen = _grey(np.where(level == 1, 255, other * 255 // (2**depth - 1)))
            content = png(_packed(shades, depth), depth, 0, key=clear.to_bytes(2, "big"))
            yield f"png {depth}-bit grey, shade {clear} transparent", Kind(content, seen)
    deep = np.where(level == 1, 0x1234, 0x1235).astype(">u2")
    yield (
        "png 16-bit grey, one shade transparent",
        Kind(
            png(deep.view(np.uint8).reshape(_ROWS, -1), 16, 0, key=b"\x12\x35"), _grey(np.where(level == 1, 0x12, 255))
        ),
    )
    for depth in (8, 16):
        scale = 1 if depth == 8 else 256
        colours = (PICTURE.astype(np.uint32) * scale).astype(np.uint8 if depth == 8 else ">u2")
        key = b"".join((int(value) * scale).to_bytes(2, "big") for value in _COLOURS[0, 0])
        expected = PICTURE.copy()
        expected[: _ROWS // 2, : _COLUMNS // 2] = 255
        content = png(colours.view(np.uint8).reshape(_ROWS, -1), depth, 2, key=key)
        yield f"png {depth}-bit colours, one transparent", Kind(content, expected)
    places = np.array([[0, 1], [2, 3]], np.uint8).repeat(_ROWS // 2, 0).repeat(_COLUMNS // 2, 1)
    palette = _COLOURS.reshape(-1, 3).tobytes()
    for depth in (2, 4, 8):
        packed = _packed(places, depth)
        yield f"png {depth}-bit palette", Kind(png(packed, depth, 3, palette=palette), PICTURE)
        expected = PICTURE.copy()
        expected[: _ROWS // 2, : _COLUMNS // 2] = 255
        content = png(packed, depth, 3, palette=palette, key=b"\0")
        yield f"png {depth}-bit palette, one transparent", Kind(content, expected)
        content = png(packed, depth, 3, palette=palette, key=b"\xff\xff\xff\x00")
        expected = PICTURE.copy()
        expected[_ROWS // 2 :, _COLUMNS // 2 :] = 255
        yield f"png {depth}-bit palette, the last transparent", Kind(content, expected)
    still = Image.fromarray(PICTURE).quantize(4, dither=Image.Dither.NONE)
    yield "gif", Kind(saved(still, "GIF"), np.asarray(still.convert("RGB")))


def _deep() -> Iterator[tuple[str, Kind]]:
    values = (np.arange(_ROWS * _COLUMNS, dtype=np.uint16).reshape(_ROWS, _COLUMNS) * 21).astype(np.uint16)
    upper = _grey(values >> 8)
    yield "png 16-bit grey", Kind(saved(Image.fromarray(values), "PNG"), upper)
    yield "tiff 16-bit grey", Kind(saved(Image.fromarray(values), "TIFF"), upper)
    colours = (PICTURE.astype(np.uint16) * 256 + 99).astype(">u2")
    yield "png 16-bit colours", Kind(png(colours.view(np.uint8).reshape(_ROWS, -1), 16, 2), PICTURE)
    bits = Image.fromarray(PICTURE[..., 0] > 100)
    seen = _grey(np.where(PICTURE[..., 0] > 100, 255, 0))
    yield "png black and white", Kind(saved(bits, "PNG"), seen)
    yield "tiff black and white", Kind(saved(bits, "TIFF", compression="group4"), seen)
    yield "bmp", Kind(saved(Image.fromarray(PICTURE), "BMP"), PICTURE)


def _inks() -> Iterator[tuple[str, Kind]]:
    cmyk = Image.fromarray(PICTURE).convert("CMYK")
    seen = np.asarray(cmyk.convert("RGB"))
    yield "jpeg cmyk", Kind(saved(cmyk, "JPEG", quality=95, subsampling=0), seen, 6)
    yield "tiff cmyk", Kind(saved(cmyk, "TIFF"), seen)


def _animated() -> Iterator[tuple[str, Kind]]:
    others = [Image.fromarray(255 - PICTURE)] * 2
    first = Image.fromarray(PICTURE)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        content = saved(first, kind, save_all=True, append_images=others, duration=100, **options)
        yield f"{kind.lower()} animated", Kind(content, PICTURE)
    content = saved(first, "MPO", save_all=True, append_images=others, quality=95, subsampling=0)
    yield "jpeg of several pictures", Kind(content, PICTURE, 6)


def _endless() -> Iterator[tuple[str, Kind]]:
    for name, options in (("", {}), ("progressive ", {"progressive": True})):
        content = saved(Image.fromarray(PICTURE), "JPEG", quality=95, subsampling=0, **options)
        for missing in (1, 2):
            yield f"jpeg {name}without {missing} bytes of its end marker", Kind(content[:-missing], PICTURE, 6)


KINDS: dict[str, Kind] = dict(
    pair for kinds in (_turned, _transparent, _deep, _inks, _animated, _endless) for pair in kinds()
)
