"""Picture files to frames, with limits."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from model.preprocess import frame_from_image
from server.errors import ServiceError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")

# Pillow warns of sizes, which `PictureLimits` bounds, and of damaged EXIF, which doesn't matter here. Filters are the
# process's: setting and resetting them around a call would race with other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """The largest picture that is taken.

    Attributes:
        most_bytes: of the file.
        most_px: width x height; Pillow itself refuses more than 178,956,970 while it opens a file.
    """

    most_bytes: int = 20_971_520
    most_px: int = 50_000_000


def decode_image(content: bytes, height: int, width: int, limits: PictureLimits) -> npt.NDArray[np.uint8]:
    """A picture file as a frame (height, width, 3) uint8.

    Raises:
        ServiceError: `image_too_large`, `image_too_many_pixels`, `unreadable_image`.
    """
    if len(content) > limits.most_bytes:
        raise ServiceError("image_too_large", f"the picture has more than the {limits.most_bytes} bytes that are taken")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > limits.most_px:
                raise ServiceError(
                    "image_too_many_pixels",
                    f"the picture has {image.width} x {image.height} px; at most {limits.most_px} px are taken",
                )
            return frame_from_image(image, height, width)
    except ServiceError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ServiceError(
            "image_too_many_pixels",
            f"the picture, or a part of it, says that it has far more than the {limits.most_px} px that are taken",
        ) from None
    except Exception as error:  # there is hardly a kind that Pillow's decoders don't raise for damaged files
        raise ServiceError("unreadable_image", _reason(content, error)) from error


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "the picture is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in one of the formats {', '.join(FORMATS)}"
    if "truncated" in str(error).lower():
        return "the picture is cut off before its end"
    return f"the picture is damaged ({type(error).__name__})"
