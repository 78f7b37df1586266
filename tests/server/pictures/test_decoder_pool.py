import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import numpy as np
import psutil
import pytest

from model.picture import USUAL_LIMITS, PictureLimits, decode_frame
from server.errors import ServiceError
from server.pictures.decoder_pool import DecoderPool
from tests.picture_files import huge_png, picture

LONG_S = 60.0
OTHERS: frozenset[psutil.Process] = frozenset()
"""Decoders of services that other tests have left running."""


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderPool]:
    monkeypatch.setenv("RASCANET_BEARER_TOKEN", "a-secret")
    monkeypatch.setattr(f"{__name__}.OTHERS", frozenset(_decoders()))
    pool = DecoderPool()
    yield pool
    pool.close()
    assert not _decoders()


def _decoders() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [each for each in children if each not in OTHERS and "server.pictures.decoder_process" in each.cmdline()]


def _decode(pool: DecoderPool, content: bytes, limits: PictureLimits = USUAL_LIMITS, seconds: float = LONG_S) -> object:
    return pool.decode(content, 30, 32, limits, monotonic() + seconds)


def test_a_picture_is_the_same_frame_there_as_here(pool: DecoderPool) -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        content = picture(kind=kind)
        np.testing.assert_array_equal(_decode(pool, content), decode_frame(content, 30, 32))
    [decoder] = _decoders()
    assert "RASCANET_BEARER_TOKEN" not in decoder.environ()


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (b"nothing of the kind, but long", USUAL_LIMITS, "unreadable_image"),
        (huge_png(), USUAL_LIMITS, "image_too_many_pixels"),
        (bytes(2000), PictureLimits(most_bytes=1000), "image_too_large"),
    ],
)
def test_faults_are_refusals(pool: DecoderPool, content: bytes, limits: PictureLimits, code: str) -> None:
    for _ in range(2):
        with pytest.raises(ServiceError) as refused:
            _decode(pool, content, limits)
        assert refused.value.code == code
    assert len(_decoders()) == 1


@pytest.mark.parametrize("content", [b"", b"x", b"GIF89a"])
def test_what_is_too_short_starts_no_process(pool: DecoderPool, content: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        _decode(pool, content)
    assert refused.value.code == "unreadable_image"
    assert not _decoders()


def test_a_picture_that_takes_too_long_is_given_up_and_the_next_one_is_decoded(pool: DecoderPool) -> None:
    for _ in ("its decoder is not ready yet", "its decoder takes too long"):
        with pytest.raises(ServiceError, match="the picture was not decoded within") as refused:
            _decode(pool, picture(), seconds=0)
        assert refused.value.code == "out_of_time"
        assert not _decoders()
        pool.prepare(picture(), monotonic() + LONG_S)
        [decoder] = _decoders()
        decoder.suspend()
    decoder.resume()
    _decode(pool, picture())


def test_a_picture_that_breaks_its_decoder_harms_nobody_else(pool: DecoderPool) -> None:
    _decode(pool, picture())
    [decoder] = _decoders()
    decoder.kill()
    decoder.wait()
    with pytest.raises(ServiceError, match="broke its decoder") as refused:
        _decode(pool, picture())
    assert refused.value.code == "unreadable_image"
    _decode(pool, picture())


def test_each_thread_has_one_and_pictures_do_not_get_mixed(pool: DecoderPool) -> None:
    contents = [picture(seed) for seed in range(6)]
    together = threading.Barrier(2)

    def several(first: int) -> None:
        together.wait(20)
        for content in contents[first:] + contents[:first]:
            np.testing.assert_array_equal(_decode(pool, content), decode_frame(content, 30, 32))

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(several, first) for first in (0, 3)]:
            done.result(60)
        assert len(_decoders()) == 2


@pytest.mark.parametrize("command", ["/bin/false", "/nowhere/python"])
def test_a_decoder_that_cannot_start_is_no_fault_of_the_picture(
    pool: DecoderPool, command: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", command)
        with pytest.raises(ServiceError, match="not the client's fault") as refused:
            _decode(pool, picture())
    assert refused.value.code == "internal"
    assert "start" in caplog.text
    _decode(pool, picture())


def test_a_closed_pool_begins_nothing(pool: DecoderPool) -> None:
    pool.close()
    with pytest.raises(ServiceError) as refused:
        _decode(pool, picture())
    assert refused.value.code == "draining"


def test_a_decoder_is_no_burden(pool: DecoderPool) -> None:
    """It runs below the service, and holds no more of it than its own end of the socket."""
    _decode(pool, picture())
    [decoder] = _decoders()
    assert decoder.nice() > psutil.Process().nice() or decoder.nice() == 19
    open_files = [path.readlink() for path in Path(f"/proc/{decoder.pid}/fd").iterdir()]
    assert sum(str(target).startswith("socket:") for target in open_files) == 1
