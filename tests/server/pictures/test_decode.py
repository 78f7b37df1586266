from typing import get_args

import numpy as np
import pytest

from model.picture import PictureFault, PictureLimits, decode_frame
from server.errors import REFUSALS, ServiceError
from server.pictures.decode import decode_image
from tests.picture_files import huge_png, picture


def test_a_picture_is_a_frame() -> None:
    np.testing.assert_array_equal(decode_image(picture(), 30, 32, PictureLimits()), decode_frame(picture(), 30, 32))


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "unreadable_image"), (huge_png(), "image_too_many_pixels"), (bytes(99), "image_too_large")],
)
def test_a_fault_is_a_refusal_of_its_code(content: bytes, code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        decode_image(content, 30, 32, PictureLimits(most_bytes=98 if code == "image_too_large" else 10_000))
    assert refused.value.code == code


def test_each_fault_of_a_picture_is_a_refusal_of_the_service() -> None:
    assert all(REFUSALS[fault].http_status for fault in get_args(PictureFault))
