import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.picture import FORMAT_NAMES
from sensor_sim.recording import MAGIC
from server.offered_files import HEAD_BYTES, PICTURES, RECORDING, Kind, check_files, found_in, served_name
from tests.picture_files import picture

JPEG = b"\xff\xd8\xff"


def test_files_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = [tmp_path / "a#1 50%.jpg", tmp_path / os.fsdecode(b"caf\xe9.jpg"), tmp_path / "b" / "a.jpg"]
    for path in paths:
        path.write_bytes(JPEG)
    check_files(paths, "picture")
    assert [served_name(path) for path in paths] == ["a#1 50%.jpg", "caf\ufffd.jpg", "a.jpg"]
    (tmp_path / "a.jpg").write_bytes(JPEG)
    with pytest.raises(ValueError, match=r"two files 'a\.jpg'"):
        check_files([*paths, tmp_path / "a.jpg"], "picture")


@pytest.mark.parametrize("name", ["gone.jpg", "folder", "pipe"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no file that can be read"):
        check_files([tmp_path / name], "picture")


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\\b.jpg", "a\x1b[2J.jpg"])
def test_names_that_no_address_can_have(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(JPEG)
    with pytest.raises(ValueError, match="give the file another one"):
        check_files([tmp_path / name], "picture")


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b"hello world", "picture", "begins with b'hello wo'; expected a picture in one of the formats JPEG, PNG, "),
        (b"", "picture", "an empty file; expected a picture"),
        (RECORDING, "picture", "a recording; expected a picture"),
        (b"\0\0\0\x20ftypisom", "recording", "ftyp'; expected a recording, which begins with RSCNREC1 "),
        (b"", "recording", "an empty file; expected a recording"),
        (JPEG, "recording", "a JPEG picture; expected a recording"),
        (RECORDING[:-1], "recording", "begins with b'RSCNREC'; expected a recording"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes, kind: Kind, told: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"film\.mp4' is ") as refused:
        check_files([path], kind)
    assert told in str(refused.value)


def test_a_file_whose_reading_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ValueError, match="can't be read: Input/output error"):
        check_files([path], "picture")


def test_the_kinds_are_those_of_their_readers() -> None:
    assert tuple(PICTURES) == FORMAT_NAMES
    assert RECORDING == MAGIC
    assert found_in(RECORDING) == ("recording", "a recording")
    for name in FORMAT_NAMES:
        head = picture(kind=name)[:HEAD_BYTES]
        assert found_in(head) == ("picture", f"a {name} picture")
        assert found_in(head[:1])[0] is None


HEADS = st.binary(max_size=4).flatmap(
    lambda before: st.sampled_from(
        [b"ftypavif", b"ftypavis", b"ftypmif1", b"ftypmsf1", b"ftypheic", b"MM\0*", b"MM\0+", b"MM*\0", b"MM+\0",
         b"II*\0", b"II+\0", b"II\0*", b"II\0+", b"BM", b"GIF87a", b"GIF88a", b"GIF89a",
         b"RIFF1234WEBPVP8 ", b"RIFF1234WEBPVP9 ", JPEG]
    ).map(lambda first: (before + first).ljust(HEAD_BYTES, b"1"))
)  # fmt: skip


@given(HEADS | st.binary(max_size=HEAD_BYTES))
def test_a_picture_is_told_as_its_decoder_tells_it(head: bytes) -> None:
    Image.init()
    accepting = [name for name in FORMAT_NAMES if (accept := Image.OPEN[name][1]) is None or accept(head) is True]
    kind, told = found_in(head)
    assert (kind == "picture") == bool(accepting)
    assert not accepting or told == f"a {accepting[0]} picture"
