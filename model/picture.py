"""Picture files as frames: one opener for sensor, service, command line and training.

A file becomes the same frame at every door: upright, opaque on white, 8-bit RGB, resized (bilinear) without keeping the
aspect. Files are hostile until they are read: every bound is one of `PictureLimits`.
"""

import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from model.jpeg_layout import END, START, JpegError, JpegLayout, TooManyScansError

Frame = npt.NDArray[np.uint8]
"""(H, W, 3) RGB, 0..255."""


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """A file format that is read.

    Attributes:
        name: Pillow's name of the format.
        media_type: registered name of the format in HTTP.
        suffixes: file name endings, lower case.
    """

    name: str
    media_type: str
    suffixes: tuple[str, ...]


FORMATS: Final = (
    PictureFormat("JPEG", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif")),
    PictureFormat("PNG", "image/png", (".png",)),
    PictureFormat("WEBP", "image/webp", (".webp",)),
    PictureFormat("AVIF", "image/avif", (".avif",)),
    PictureFormat("TIFF", "image/tiff", (".tif", ".tiff")),
    PictureFormat("BMP", "image/bmp", (".bmp",)),
    PictureFormat("GIF", "image/gif", (".gif",)),
)
FORMAT_NAMES: Final = tuple(each.name for each in FORMATS)
MEDIA_TYPES: Final = tuple(each.media_type for each in FORMATS)
SUFFIXES: Final = tuple(suffix for each in FORMATS for suffix in each.suffixes)

PictureFault = Literal["unreadable_image", "image_too_large", "image_too_many_pixels"]


class PictureError(ValueError):
    """A file that is no picture, or one past a limit.

    Attributes:
        fault: kind of the fault; the service's error code.
    """

    def __init__(self, fault: PictureFault, message: str) -> None:
        super().__init__(message)
        self.fault: PictureFault = fault


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """The largest picture that is read.

    Attributes:
        most_bytes: largest file.
        most_px: largest width x height; Pillow itself refuses more than 178,956,970 px while it opens a file.
        most_side_px: largest width, and largest height. The first pass of resizing keeps the height, so a picture a
            thousand times as high as wide would cost far more than its pixels.
        most_scans: most scans of a JPEG. A scan passes over all pixels, however few bytes the scan has; progressive
            files have about ten.
    """

    most_bytes: int = 20_971_520
    most_px: int = 50_000_000
    most_side_px: int = 65_535
    most_scans: int = 100


USUAL_LIMITS: Final = PictureLimits()
MOST_BYTES_PER_PX: Final = 21
"""Most memory that reading a picture takes for each of its pixels, whatever its format; WebP and AVIF need most."""

STRIP_PX: Final = 1 << 20
"""Pixels that are turned into 8-bit RGB at a time."""
WHITE: Final = "white"
"""Colour behind transparent pixels."""

JPEG_FILLING: Final = b"\xaa" * 256
"""Data put in place of the missing end of a JPEG. Its first bit is a 1: without data, the decoder reads zeros."""
_HEIC_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_HEIC: Final = (
    "a HEIC picture, whose video codec (HEVC) is not built in; save it as JPEG (iPhone: Settings, Camera, Formats, "
    "Most Compatible; or export it from the gallery as JPEG)"
)


def load_decoders() -> None:
    """Loads the decoders of the formats, which would otherwise be loaded within the time of a first picture.

    Pillow by itself would load all that it has, once a picture is in none of its most frequent formats.
    """
    Image.preinit()  # JPEG, PNG, BMP, GIF
    from PIL import AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401


def read_frame(path: Path, height: int, width: int, limits: PictureLimits = USUAL_LIMITS) -> Frame:
    """Reads a picture file as a frame (height, width, 3).

    Raises:
        PictureError: no such file, not a picture, or one past a limit; the message names the file.
    """
    return resized(read_picture(path, limits), height, width)


def decode_frame(content: bytes, height: int, width: int, limits: PictureLimits = USUAL_LIMITS) -> Frame:
    """Decodes the content of a picture file as a frame (height, width, 3).

    Raises:
        PictureError: not a picture, or one past a limit.
    """
    return resized(decode_picture(content, limits), height, width)


def resized(image: Image.Image, height: int, width: int) -> Frame:
    """A picture as a frame (height, width, 3), bilinear, without keeping its aspect."""
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def read_picture(path: Path, limits: PictureLimits = USUAL_LIMITS, *, keep_alpha: bool = False) -> Image.Image:
    """Reads a picture file, see `decode_picture`.

    Raises:
        PictureError: no such file, not a picture, or one past a limit; the message names the file.
    """
    try:
        return decode_picture(_content(path, limits), limits, keep_alpha=keep_alpha)
    except PictureError as error:
        raise PictureError(error.fault, f"{path}: {error}") from error


def picture_fault(path: Path, limits: PictureLimits = USUAL_LIMITS) -> str:
    """The reason why a picture file can't be read; empty where the file can be read.

    Every byte is looked at; a JPEG is decoded at a fraction of its size.
    """
    try:
        _decoded(_content(path, limits), limits, draft=True)
    except PictureError as error:
        return str(error)
    return ""


def _content(path: Path, limits: PictureLimits) -> bytes:
    """The bytes of a file, at most one more than `limits.most_bytes`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
            raise PictureError("unreadable_image", "not a regular file")
        with path.open("rb", buffering=0) as file:
            return file.read(limits.most_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise PictureError("unreadable_image", "no such file") from None
    except OSError as error:
        raise PictureError("unreadable_image", f"the file can't be read: {error.strerror or error}") from error


def decode_picture(content: bytes, limits: PictureLimits = USUAL_LIMITS, *, keep_alpha: bool = False) -> Image.Image:
    """Decodes the content of a picture file: upright, 8-bit RGB.

    Transparent pixels lie on white; of 16 bits the upper eight count; of an animation the first frame is taken. A JPEG
    that lacks only its end marker is read, one that lacks pixels is not.

    Args:
        content: the bytes of the file.
        limits: the largest picture that is read.
        keep_alpha: give RGBA instead of RGB on white.

    Raises:
        PictureError: not a picture, or one past a limit.
    """
    image = _decoded(content, limits)
    with suppress(Exception):  # unreadable EXIF, for which Pillow raises errors of any type, spoils no picture
        ImageOps.exif_transpose(image, in_place=True)
    with _picture_errors(content, limits):
        mode = "RGBA" if keep_alpha else "RGB"
        if image.mode == mode and (keep_alpha or not image.has_transparency_data):
            return image
        colours = Image.new(mode, image.size)
        for box, strip in _strips(image):  # a whole picture in each step's mode would take three times the memory
            shown = _with_alpha(strip)
            if shown.mode == "RGBA" and not keep_alpha:
                shown = Image.alpha_composite(Image.new("RGBA", shown.size, WHITE), shown)
            colours.paste(shown.convert(mode), box)
        return colours


def _strips(image: Image.Image) -> Iterator[tuple[tuple[int, int, int, int], Image.Image]]:
    """The picture from top to bottom in pieces of about `STRIP_PX`, each with its place."""
    rows = max(1, STRIP_PX // max(1, image.width))
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        yield box, image.crop(box)


def _with_alpha(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a sample; as RGBA where it has transparency of any kind."""
    key = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        if key is None:
            return grey
        alpha = Image.fromarray(np.where(values == key, np.uint8(0), np.uint8(255)))
        return Image.merge("LA", (grey, alpha)).convert("RGBA")
    if image.mode in ("I", "F"):
        raise PictureError(
            "unreadable_image", "the picture has 32 bits a sample, whose range is unknown; save it with 8 or 16 bits"
        )
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA") if image.has_transparency_data else image


def _decoded(content: bytes, limits: PictureLimits, *, draft: bool = False) -> Image.Image:
    """The picture as the file holds it, loaded: not turned, in any mode of Pillow.

    Args:
        content: the bytes of the file.
        limits: the largest picture that is read.
        draft: decode a JPEG at a fraction of its size.

    Raises:
        PictureError: not a picture, or one past a limit.
    """
    if len(content) > limits.most_bytes:
        raise PictureError("image_too_large", f"the picture has more than the {limits.most_bytes} bytes that are taken")
    if not content:
        raise PictureError("unreadable_image", "the picture is empty")
    try:
        layout = JpegLayout.of(content, limits.most_scans) if content.startswith(START) else None
    except TooManyScansError as error:
        raise PictureError("image_too_many_pixels", str(error)) from error
    except JpegError as error:
        raise PictureError("unreadable_image", str(error)) from error
    try:
        return _loaded(content, limits, draft=draft)
    except PictureError:
        if layout is None or layout.ended or not layout.complete:
            raise
        # Where data is missing, the decoder makes pixels from whatever bytes follow. Decoding twice, with different
        # bytes behind, shows whether any pixel depends on them.
        whole = content.removesuffix(END[:1])
        other = _digest(_loaded(whole + JPEG_FILLING + END, limits, draft=draft))
        image = _loaded(whole + END, limits, draft=draft)
        if _digest(image) != other:
            raise
        return image


def _digest(image: Image.Image) -> bytes:
    """A digest of the pixels, so that two large pictures need not be in memory at once to be compared."""
    digest = hashlib.sha256()
    for _, strip in _strips(image):
        digest.update(strip.tobytes())
    return digest.digest()


def _loaded(content: bytes, limits: PictureLimits, *, draft: bool) -> Image.Image:
    with _picture_errors(content, limits), Image.open(io.BytesIO(content), formats=FORMAT_NAMES) as image:
        _check_size(image, limits)
        if image.format == "TIFF" and image.info.get("compression") in ("jpeg", "tiff_jpeg"):
            raise PictureError("unreadable_image", "a TIFF with JPEG inside is not read; save it as JPEG")
        if draft:
            image.draft("RGB", (8, 8))
        image.load()
        _scale_png_key(image, content)
        return image


@contextmanager
def _picture_errors(content: bytes, limits: PictureLimits) -> Iterator[None]:
    """Turns any error of Pillow into a `PictureError`; Pillow's decoders raise errors of almost any type."""
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(
            "image_too_many_pixels",
            f"the picture, or a part of it, says that it has far more than the {limits.most_px} px that are taken",
        ) from None
    except Exception as error:
        raise PictureError("unreadable_image", _reason(content, error)) from error


def _check_size(image: Image.Image, limits: PictureLimits) -> None:
    if image.width * image.height > limits.most_px:
        raise PictureError(
            "image_too_many_pixels",
            f"the picture has {image.width} x {image.height} px; at most {limits.most_px} px are taken",
        )
    if max(image.size) > limits.most_side_px:
        raise PictureError(
            "image_too_many_pixels",
            f"the picture has {image.width} x {image.height} px; at most {limits.most_side_px} px a side are taken",
        )


def _reason(content: bytes, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        if content[4:8] == b"ftyp" and any(brand in content[8:64] for brand in _HEIC_BRANDS):
            return _HEIC
        return f"not a picture in one of the formats {', '.join(FORMAT_NAMES)}"
    if "truncated" in str(error).lower():  # a test asks Pillow for this word, format by format
        return "the picture is cut off before its end"
    return f"the picture is damaged ({type(error).__name__})"


_PNG_DEPTH, _PNG_COLOUR = 24, 25
"""Byte offsets of bit depth and colour type in a PNG (ISO/IEC 15948, 11.2.2)."""


def _scale_png_key(image: Image.Image, content: bytes) -> None:
    """Scales the transparent colour of a PNG as Pillow scales its pixels: to 8 bits."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    depth, grey = content[_PNG_DEPTH], content[_PNG_COLOUR] == 0
    if isinstance(key, int) and grey and depth in (2, 4):
        image.info["transparency"] = key * (255 // (2**depth - 1))
    elif isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in key)
