import json
import resource
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: .venv/bin/pip install -e '.[ray]'")

from clients.commands.classify.cluster import addresses
from clients.commands.classify.cluster.addresses import PlaceError
from clients.commands.classify.cluster.results import (
    FILES,
    LIST,
    NDJSON,
    PARQUET,
    RUN,
    SUCCESS,
    UNFINISHED,
    ResultFolder,
    ResultsError,
)
from clients.commands.classify.cluster.work_list import LEAST, write_list
from clients.commands.sources import Picture
from tests.clients.commands.classify.cluster.object_store import object_store

ROW = {"name": "a", "person": True, "p_person": 0.75, "exited": False, "processed_ratio": 1.0, "macs": 5}
SETTINGS = {"variant": "small", "weights": "0" * 64, "policy": {"name": "never"}}


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_begun_and_replaced_only_where_asked(tmp_path: Path) -> None:
    folder = ResultFolder(str(tmp_path / "out"), PARQUET)
    folder.begin(overwrite=False)
    folder.write(RUN, {"a": 1})
    (tmp_path / "out" / FILES / "old.parquet").write_bytes(b"")
    with pytest.raises(ResultsError, match="holds an earlier run; --resume goes on with it, --overwrite replaces it"):
        folder.begin(overwrite=False)
    folder.begin(overwrite=True)
    assert _names(tmp_path / "out") == [LIST, UNFINISHED, FILES]
    assert not _names(tmp_path / "out" / FILES)


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ResultsError, match=r"holds other files, such as 'diary\.txt'"):
        ResultFolder(str(tmp_path), PARQUET).begin(overwrite=True)
    assert (tmp_path / "diary.txt").read_text() == "mine"
    with pytest.raises(ResultsError, match=r"diary\.txt: is a file; --out names a folder"):
        ResultFolder(str(tmp_path / "diary.txt"), PARQUET).begin(overwrite=True)


def test_a_missing_folder_above_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="none/out: can't be written: "):
        ResultFolder(str(tmp_path / "none" / "out"), PARQUET).begin(overwrite=False)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = ResultFolder(str(tmp_path / "out"), NDJSON)
    assert folder.read(RUN) is None
    folder.begin(overwrite=False)
    folder.write(SUCCESS, {"a": [1, None]})
    assert folder.read(SUCCESS) == {"a": [1, None]}
    for damaged in (b"{", b"[]", b"\xff"):
        (tmp_path / "out" / SUCCESS).write_bytes(damaged)
        with pytest.raises(ResultsError, match="not a file that this command wrote"):
            folder.read(SUCCESS)


@pytest.mark.parametrize("kind", [PARQUET, NDJSON])
@pytest.mark.parametrize("place", ["{folder}/out", "memory://{folder}/out"])
def test_a_piece_is_done_when_its_rows_are_there(tmp_path: Path, kind: str, place: str) -> None:
    folder = ResultFolder(place.format(folder=tmp_path), kind)
    folder.begin(overwrite=False)
    count = 2 * LEAST + 1
    write_list(folder.filesystem, folder.inside(LIST), (Picture(str(index), "path") for index in range(count)))
    last, second, first = folder.waiting()
    assert [index for index, _ in folder.pictures(last)] == [count - 1]
    folder.write_rows(second, [(LEAST, ROW | {"name": "old"})], SETTINGS)
    folder.write_rows(second, [(LEAST, ROW)], SETTINGS)
    assert folder.waiting() == [last, first]
    folder.write_rows(last, [(count - 1, ROW)], SETTINGS)
    assert [[row["index"] for row in rows] for rows in folder.rows()] == [[LEAST], [count - 1]]
    assert [[row["person"] for row in rows] for rows in folder.rows()] == [[True], [True]]
    folder.begin(overwrite=True)
    assert folder.waiting() == []


def test_rows_are_whole_or_not_there(tmp_path: Path) -> None:
    folder = ResultFolder(str(tmp_path / "out"), NDJSON)
    folder.begin(overwrite=False)
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = [(index, ROW) for index in range(1000)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # as a full disk, it ends a file in the middle
        with pytest.raises(PlaceError, match=r"out: can't be written: File too large$"):
            folder.write_rows("0-1000.parquet", rows, SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert not _names(tmp_path / "out" / FILES)
    folder.write_rows("0-1000.parquet", rows, SETTINGS)
    assert _names(tmp_path / "out" / FILES) == ["0-1000.ndjson"]


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    for kind in (PARQUET, NDJSON):
        folder = ResultFolder(str(tmp_path / kind), kind)
        folder.begin(overwrite=False)
        (tmp_path / kind / FILES / f"a.{kind}").write_bytes(b"neither")
        with pytest.raises(ResultsError, match=f"a.{kind}: is damaged"):
            list(folder.rows())


def test_what_goes_on_no_more_is_removed(tmp_path: Path) -> None:
    folder = ResultFolder(str(tmp_path / "out"), NDJSON)
    folder.begin(overwrite=False)
    (tmp_path / "out" / UNFINISHED / "cut-off").write_bytes(b"{")
    (tmp_path / "out" / FILES / "a.ndjson").write_text(json.dumps({"index": 0}) + "\n")
    folder.done()
    folder.done()
    assert _names(tmp_path / "out") == [FILES]
    assert list(folder.rows()) == [[{"index": 0}]]


def test_a_bucket_that_is_not_there_or_not_ours_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store({"/pictures/a.jpg": b"first"}) as environment:
        for name, value in (environment | {"AWS_ACCESS_KEY_ID": "wrong-key"}).items():
            monkeypatch.setenv(name, value)
        addresses._arrow_filesystem.cache_clear()
        with pytest.raises(PlaceError, match="s3://pictures/out: can't be written"):
            ResultFolder("s3://pictures/out", PARQUET).begin(overwrite=False)
    addresses._arrow_filesystem.cache_clear()
