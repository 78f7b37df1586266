"""Uploaded pictures to frames, with limits."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.preprocess import frame_from_image
from server.errors import ServiceError
from server.settings import Settings

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


def decode_image(content: bytes, height: int, width: int, settings: Settings) -> npt.NDArray[np.uint8]:
    """A picture file as a frame (height, width, 3) uint8.

    Raises:
        ServiceError: `image_too_large`, `image_too_many_pixels`, `unreadable_image`.
    """
    if len(content) > settings.image_bytes:
        raise ServiceError(
            "image_too_large", f"the picture has {len(content)} bytes; at most {settings.image_bytes} are taken"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        pixels = image.width * image.height
        if pixels > settings.image_pixels:
            raise ServiceError(
                "image_too_many_pixels",
                f"the picture has {image.width} x {image.height} px; at most {settings.image_pixels} px are taken",
            )
        return frame_from_image(image, height, width)
    except Image.DecompressionBombError:
        raise ServiceError(
            "image_too_many_pixels", f"the picture is far larger than the {settings.image_pixels} px that are taken"
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:
        # Pillow's decoders raise these for damaged files
        raise ServiceError(
            "unreadable_image",
            f"not a readable {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture ({type(error).__name__})",
        ) from error
