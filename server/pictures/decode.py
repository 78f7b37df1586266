"""Picture files to frames, with the service's refusals."""

import warnings

from model.picture import Frame, PictureError, PictureLimits, decode_frame
from server.errors import ServiceError

# Pillow warns of sizes, which `PictureLimits` bounds, and of damaged EXIF, which doesn't matter here. Filters are the
# process's: setting and resetting them around a call would race with other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode_image(content: bytes, height: int, width: int, limits: PictureLimits) -> Frame:
    """A picture file as a frame (height, width, 3) uint8.

    Raises:
        ServiceError: `image_too_large`, `image_too_many_pixels`, `unreadable_image`.
    """
    try:
        return decode_frame(content, height, width, limits)
    except PictureError as error:
        raise ServiceError(error.fault, str(error)) from error
