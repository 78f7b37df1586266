import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from model.picture import (
    FORMAT_NAMES,
    MOST_BYTES_PER_PX,
    PictureError,
    PictureLimits,
    decode_frame,
    decode_picture,
    picture_fault,
    read_frame,
    read_picture,
)
from tests.picture_files import huge_png, picture
from tests.picture_kinds import KINDS, PICTURE, Kind, saved


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_file_shows_its_picture(kind: Kind, tmp_path: Path) -> None:
    kind.check(np.asarray(decode_picture(kind.content)))
    path = tmp_path / "picture"
    path.write_bytes(kind.content)
    kind.check(np.asarray(read_picture(path)))
    assert picture_fault(path) == ""


def test_every_format_has_a_kind() -> None:
    assert {name.split()[0] for name in KINDS} == {name.lower() for name in FORMAT_NAMES}


def test_no_picture_waits_for_its_decoder_to_be_loaded() -> None:
    program = (
        "import pickle, sys\n"
        "from model.picture import decode_picture, load_decoders\n"
        "contents = pickle.load(sys.stdin.buffer)\n"
        "load_decoders()\n"
        "before = set(sys.modules)\n"
        "for content in contents: decode_picture(content)\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    contents = pickle.dumps([kind.content for kind in KINDS.values()])
    done = subprocess.run([sys.executable, "-c", program], input=contents, stdout=subprocess.PIPE, check=True)
    assert done.stdout.split() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of memory of one program")
def test_a_large_picture_takes_the_memory_it_may() -> None:
    """Of every format and of every case that has a copy more: alpha, turned, progressive, without an end mark."""
    program = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        "from model.picture import decode_frame, load_decoders\n"
        "def peak_kb(): return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "load_decoders()\n"
        "content = pickle.load(sys.stdin.buffer)\n"
        "decode_frame(pickle.load(sys.stdin.buffer), 105, 120)\n"
        "before = peak_kb()\n"
        "decode_frame(content, 105, 120)\n"
        "print(peak_kb() - before)\n"
    )
    side = 2000
    clear = Image.new("RGBA", (side, side), (10, 200, 30, 128))
    grey = Image.new("LA", (side, side), (10, 128))
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = {"quality": 50, "subsampling": 0, "progressive": True, "exif": exif}
    cases: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "JPEG": (clear.convert("RGB"), "JPEG", jpeg),
        "JPEG without its end": (clear.convert("RGB"), "JPEG", jpeg),
        "PNG": (clear, "PNG", {"compress_level": 1}),
        "PNG, grey": (grey, "PNG", {"compress_level": 1}),
        "PNG, 16 bits": (Image.fromarray(np.full((side, side), 3000, np.uint16)), "PNG", {"compress_level": 1}),
        "WEBP": (clear, "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        "AVIF": (clear, "AVIF", {"speed": 10, "quality": 30, "subsampling": "4:4:4"}),
        "TIFF": (clear, "TIFF", {"compression": "tiff_deflate"}),
        "BMP": (clear, "BMP", {}),
        "GIF": (clear.convert("P"), "GIF", {"transparency": 3}),
    }
    taken = {}
    for name, (image, kind, options) in cases.items():
        small, content = (saved(each, kind, **options) for each in (image.resize((16, 16)), image))
        content = content.removesuffix(b"\xff\xd9") if "end" in name else content
        given = pickle.dumps(content) + pickle.dumps(small)
        done = subprocess.run([sys.executable, "-c", program], input=given, stdout=subprocess.PIPE, check=True)
        taken[name] = 1024 * int(done.stdout) / side**2
    print({name: round(each, 1) for name, each in taken.items()})
    assert {name: each for name, each in taken.items() if each > MOST_BYTES_PER_PX} == {}


def test_a_picture_of_the_frame_s_size_is_taken_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (10, 16, 3), np.uint8)
    assert np.array_equal(decode_frame(saved(Image.fromarray(pixels), "PNG"), 10, 16), pixels)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's, which the service and the command leave unsaid too
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no TIFF header", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08" + b"\xff" * 40])
def test_damaged_exif_spoils_no_picture(kind: str, exif: bytes) -> None:
    content = saved(Image.new("RGB", (16, 8), "white"), kind, exif=b"Exif\0\0" + exif)
    assert (decode_frame(content, 8, 16) == 255).all()


def test_alpha_is_kept_where_it_is_asked_for() -> None:
    rgba = Image.fromarray(np.random.default_rng(2).integers(0, 256, (10, 16, 4), np.uint8))
    assert np.array_equal(np.asarray(decode_picture(saved(rgba, "PNG"), keep_alpha=True)), np.asarray(rgba))
    opaque = decode_picture(saved(rgba.convert("RGB"), "PNG"), keep_alpha=True)
    assert np.array_equal(np.asarray(opaque)[..., 3], np.full((10, 16), 255))


@pytest.mark.parametrize("progressive", [False, True])
@given(missing=st.integers(3, 2000))
@example(missing=7)  # these few bits decode as zeros do if the filling begins with a zero too
def test_a_jpeg_without_its_last_pixels_is_cut_off(progressive: bool, missing: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), "JPEG", progressive=progressive)
    with pytest.raises(PictureError, match="cut off before its end"):
        decode_picture(content[: -missing - 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_file_that_is_cut_off_says_so(kind: str) -> None:
    content = picture(kind=kind)
    with pytest.raises(PictureError, match="cut off before its end"):
        decode_picture(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"text", "not a picture in one of the formats JPEG, PNG, WEBP, AVIF, TIFF, BMP, GIF"),
        (b"\xff\xd8\xff", "not a picture|damaged|cut off"),
        (b"\xff\xd8\xff\xe0\x00\x02" + b"\xff\xe0\x00\x02" * 30_000, "more than 20000 segments"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "HEIC picture.*save it as JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix" + b"\0" * 99, "HEIC picture.*save it as JPEG"),
        (saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "32 bits a sample.*save it with 8 or 16 bits"),
        (saved(Image.fromarray(np.zeros((4, 4), np.int32)), "TIFF"), "32 bits a sample"),
        (saved(Image.fromarray(PICTURE), "TIFF", compression="jpeg"), "TIFF with JPEG inside.*save it as JPEG"),
    ],
    ids=range(9),
)
def test_a_file_that_is_no_picture_says_why(content: bytes, complaint: str) -> None:
    with pytest.raises(PictureError, match=complaint) as raised:
        decode_picture(content)
    assert raised.value.fault == "unreadable_image"


def _with_empty_scans(scans: int) -> bytes:
    """A progressive JPEG, the end of whose first component's blocks is told again and again."""
    content = saved(Image.fromarray(PICTURE), "JPEG", progressive=True)
    empty = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0)
    return content[:-2] + empty * scans + content[-2:]


@pytest.mark.parametrize(
    ("content", "limits", "fault", "complaint"),
    [
        (picture(), PictureLimits(most_bytes=100), "image_too_large", "more than the 100 bytes"),
        (picture(size=(50, 40)), PictureLimits(most_px=1999), "image_too_many_pixels", "40 x 50 px; at most 1999 px"),
        (
            saved(Image.new("1", (70_000, 1)), "PNG"),
            PictureLimits(),
            "image_too_many_pixels",
            "70000 x 1 px; at most 65535 px a side",
        ),
        (huge_png(), PictureLimits(), "image_too_many_pixels", "far more than"),
        (_with_empty_scans(200), PictureLimits(), "image_too_many_pixels", "more than 100 scans"),
    ],
    ids=["bytes", "pixels", "side", "huge", "scans"],
)
def test_limits(content: bytes, limits: PictureLimits, fault: str, complaint: str) -> None:
    with pytest.raises(PictureError, match=complaint) as raised:
        decode_picture(content, limits)
    assert raised.value.fault == fault


@pytest.mark.parametrize("read", [read_picture, lambda path: read_frame(path, 10, 16)])
def test_a_file_that_can_t_be_read_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "text.png").write_bytes(b"text")
    os.mkfifo(tmp_path / "pipe.png")
    for name, complaint in (
        ("missing.png", "no such file"),
        ("text.png/inside.png", "no such file"),
        ("text.png", "not a picture"),
        ("pipe.png", "not a regular file"),
        (".", "not a regular file"),
    ):
        with pytest.raises(PictureError, match=complaint) as raised:
            read(tmp_path / name)
        assert str(raised.value).startswith(f"{tmp_path / name}: ")
        assert complaint in picture_fault(tmp_path / name)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xda", b"\x89PNG\r\n\x1a\n", b"GIF89a"]),
)
def test_any_bytes_are_a_picture_or_a_picture_error(content: bytes, start: bytes) -> None:
    with suppress(PictureError):
        assert decode_frame(start + content, 4, 4).shape == (4, 4, 3)


DAMAGED = ["jpeg turned 6", "jpeg cmyk", "png turned 5", "webp with alpha", "tiff cmyk", "gif", "avif turned 3"]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", DAMAGED)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_damaged_picture_is_a_picture_or_a_picture_error(kind: str, place: float, value: int) -> None:
    content = bytearray(KINDS[kind].content)
    content[int(place * len(content))] = value
    with suppress(PictureError):
        assert decode_frame(bytes(content), 4, 4).shape == (4, 4, 3)
