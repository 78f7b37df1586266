import fnmatch
import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.commands.sources import Picture, SourceError, check_paths, fits, pictures, spooled
from server.errors import ServiceError
from tests.picture_files import picture

MOST = 1_000_000


def _names(*paths: Path | str) -> list[str]:
    return [each.name for each in pictures(map(str, paths))]


def _why(each: Picture) -> str:
    with pytest.raises(ServiceError) as refused:
        each.read(MOST)
    return str(refused.value)


def test_folders_globs_and_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", ".hidden.jpg", "notes.txt", "deep/.git/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    expected = [str(tmp_path / name) for name in ("a.PNG", "b.jpg", "deep/er/c.webp")]
    assert _names(tmp_path) == expected
    assert _names(tmp_path / "*.jpg", tmp_path / "**/*.webp") == expected[1:]
    assert _names(tmp_path / "notes.txt") == [str(tmp_path / "notes.txt")]
    (tmp_path / "[odd].jpg").write_bytes(b"x")
    assert _names(tmp_path / "[odd].jpg") == [str(tmp_path / "[odd].jpg")]


@pytest.mark.parametrize(
    ("path", "complaint"), [("missing.jpg", "no such file or folder"), ("missing/*.jpg", "nothing matches")]
)
def test_a_path_that_names_nothing(tmp_path: Path, path: str, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        check_paths([str(tmp_path), str(tmp_path / path)])


def test_archives_are_read_in_place_and_their_tricks_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    good = picture()
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/good.png", good)
        archive.writestr("../../out.png", good)
        archive.writestr("/etc/out.png", good)
        archive.writestr("C:\\out.png", good)
        archive.writestr("bomb.png", bytes(30_000_000))
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/._good.png", b"x")
        archive.writestr("notes.txt", b"x")
        archive.writestr("in/", b"")
    found = list(pictures([str(path)]))
    assert [each.name.partition(":")[2] for each in found] == [
        "in/good.png", "../../out.png", "/etc/out.png", "C:\\out.png", "bomb.png", "link.png",
    ]  # fmt: skip
    assert found[0].read(MOST) == good
    assert len(found[0].read(10)) == 11
    for each in found[1:4]:
        assert "leads out of the archive" in _why(each)
    assert "ZIP bomb" in _why(found[4])
    assert "a link" in _why(found[5])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zip"]


def test_what_lies_about_its_size_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.png", bytes(900_000))
    [each] = pictures([str(path)])
    assert len(each.read(1000)) == 1001


def test_broken_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    [whole] = pictures([str(path)])
    assert "not a readable ZIP archive" in _why(whole)
    other = tmp_path / "b.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("good.png", picture())
    content = bytearray(other.read_bytes())
    content[60:80] = bytes(20)
    other.write_bytes(content)
    [member] = pictures([str(other)])
    assert "damaged" in _why(member)


PARTS = st.lists(st.sampled_from(["a", "b", ".c", "d.png"]), min_size=1, max_size=5)
PATTERN = st.lists(st.sampled_from(["a", "*", "**", "?", "*.png", ".*"]), min_size=1, max_size=4)


def _slowly(path: list[str], pattern: list[str]) -> bool:
    """The same by trying everything."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return _slowly(path, pattern[1:]) or (bool(path) and not path[0].startswith(".") and _slowly(path[1:], pattern))
    if not path or (path[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatch.fnmatchcase(path[0], pattern[0]) and _slowly(path[1:], pattern[1:])


@given(PARTS, PATTERN)
def test_a_pattern_fits_as_it_does_by_trying_everything(path: list[str], pattern: list[str]) -> None:
    assert fits(path, pattern) == _slowly(path, pattern)


def test_several_pictures_on_standard_input_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for several in (picture() + picture(1), picture(kind="JPEG") + picture(kind="JPEG")):
        with spooled(io.BytesIO(several)) as path:
            assert Path(path).read_bytes() == several
        assert "holds several pictures" in capsys.readouterr().err
    with spooled(io.BytesIO(picture())):
        assert capsys.readouterr().err == ""
