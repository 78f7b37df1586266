import csv
import os
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: .venv/bin/pip install -e '.[ray]'")

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pyarrow.fs import LocalFileSystem

from clients.commands.classify.cluster.addresses import PlaceError
from clients.commands.classify.cluster.columns import pictures_of_table
from clients.commands.classify.cluster.work_list import LEAST, MOST, ManifestError, counted_in, listed, write_list
from clients.commands.sources import Picture, pictures
from tests.picture_files import picture

PATHS = ["a.jpg", "deep/b,c.jpg", "/other/d.jpg", "s3://box/e f.jpg"]


def _manifest(folder: Path, kind: str, paths: list[str]) -> str:
    file = folder / f"list.{kind}"
    if kind == "csv":
        with file.open("w", newline="") as text:
            csv.writer(text).writerows([("label", "path"), *((index, path) for index, path in enumerate(paths))])
    else:
        parquet.write_table(pa.table({"label": list(range(len(paths))), "path": paths}), file)
    return str(file)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_names_pictures(tmp_path: Path, kind: str) -> None:
    found = list(listed([], [_manifest(tmp_path, kind, PATHS)]))
    assert [each.name for each in found] == PATHS
    assert [each.path for each in found] == [
        f"{tmp_path}/a.jpg", f"{tmp_path}/deep/b,c.jpg", "/other/d.jpg", "s3://box/e f.jpg",
    ]  # fmt: skip


def test_a_manifest_names_files_that_are_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"path\nbad\xff.png\n")
    (found,) = listed([], [str(tmp_path / "list.csv")])
    assert os.fsencode(found.path) == os.fsencode(tmp_path) + b"/bad\xff.png"
    assert found.name == "bad\udcff.png"


def test_paths_are_the_local_commands_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.png", "a.png", "deep/c.png"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(picture())
    monkeypatch.chdir(tmp_path)
    found = list(listed(["folder"], []))
    assert [each.name for each in found] == [each.name for each in pictures(["folder"])]
    assert [each.path for each in found] == [str(tmp_path / each.name) for each in found]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"file,label\na.jpg,1\n", "has no column 'path'.*it has file, label"),
        (b'path\na.jpg\n""\nb.jpg\n', "row 2 names no picture"),
        (b"path,label\na.jpg\n", "not a manifest"),
        (b"", "not a manifest"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(ManifestError, match=reason):
        list(listed([], [str(tmp_path / "list.csv")]))


def test_a_parquet_file_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_bytes(b"path\na.jpg\n")
    with pytest.raises(ManifestError, match="not a manifest"):
        list(listed([], [str(tmp_path / "list.parquet")]))
    with pytest.raises(ManifestError, match="has no column 'path'"):
        list(listed([], [_columns(tmp_path)]))


def _columns(folder: Path) -> str:
    parquet.write_table(pa.table({"file": ["a.jpg"]}), folder / "other.parquet")
    return str(folder / "other.parquet")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"none\.csv: can't be read"):
        list(listed([], [str(tmp_path / "none.csv")]))


@settings(max_examples=20)
@given(st.integers(0, 3 * MOST))
def test_pieces_hold_each_picture_once(count: int) -> None:
    pieces: list[tuple[str, pa.Table]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet, "write_table", lambda table, path, **_: pieces.append((path, table)))
        assert (
            write_list(LocalFileSystem(), "list", (Picture(str(index), str(index)) for index in range(count))) == count
        )
    found = [index for _, table in pieces for index, _ in pictures_of_table(table)]
    assert found == list(range(count))
    assert [counted_in(path) for path, _ in pieces] == [table.num_rows for _, table in pieces]
    assert all(LEAST <= table.num_rows <= MOST for _, table in pieces[:-1])
    assert [path for path, _ in pieces] == sorted(path for path, _ in pieces)
