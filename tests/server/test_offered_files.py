import os
from pathlib import Path

import pytest

from server.offered_files import check_files, served_name


def test_files_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = [tmp_path / "a#1 50%.jpg", tmp_path / os.fsdecode(b"caf\xe9.jpg"), tmp_path / "b" / "a.jpg"]
    for path in paths:
        path.write_bytes(b"")
    check_files(paths)
    assert [served_name(path) for path in paths] == ["a#1 50%.jpg", "caf\ufffd.jpg", "a.jpg"]
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"two files 'a\.jpg'"):
        check_files([*paths, tmp_path / "a.jpg"])


@pytest.mark.parametrize("name", ["gone.jpg", "folder", "pipe"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no file that can be read"):
        check_files([tmp_path / name])


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\\b.jpg", "a\x1b[2J.jpg"])
def test_names_that_no_address_can_have(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match="give the file another one"):
        check_files([tmp_path / name])
