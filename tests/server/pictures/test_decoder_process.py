import socket

import numpy as np
import pytest

from model.picture import PictureLimits, decode_frame
from server.pictures.decoder_process import ANSWER, JOB, READY, answer, receive, serve
from tests.picture_files import huge_png, picture

LIMITS = PictureLimits(300_000, 1_000_000, 2000)


def _job(content: bytes) -> bytes:
    return JOB.pack(30, 32, LIMITS.most_bytes, LIMITS.most_px, LIMITS.most_side_px, len(content))


def test_a_frame_is_what_decode_frame_makes_of_the_file() -> None:
    content = picture()
    found = answer(_job(content), content)
    assert ANSWER.unpack(found[: ANSWER.size]) == (True, 30 * 32 * 3)
    np.testing.assert_array_equal(
        np.frombuffer(found[ANSWER.size :], np.uint8).reshape(30, 32, 3), decode_frame(content, 30, 32, LIMITS)
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "unreadable_image"), (huge_png(), "image_too_many_pixels"), (bytes(300_001), "image_too_large")],
)
def test_a_fault_has_its_code_and_its_sentence(content: bytes, fault: str) -> None:
    found = answer(_job(content), content)
    decoded, size = ANSWER.unpack(found[: ANSWER.size])
    code, _, sentence = found[ANSWER.size :].decode().partition("\n")
    assert (decoded, size, code) == (False, len(found) - ANSWER.size, fault)
    assert sentence


def test_it_serves_until_the_other_side_is_gone() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        content = picture()
        ours.sendall(_job(content) + content + _job(content) + content[:10])
        ours.shutdown(socket.SHUT_WR)
        serve(its)
        assert receive(ours, len(READY)) == READY
        assert ANSWER.unpack(receive(ours, ANSWER.size)) == (True, 30 * 32 * 3)
        its.shutdown(socket.SHUT_WR)
        receive(ours, 30 * 32 * 3)
        with pytest.raises(EOFError):
            receive(ours, 1)
