import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: .venv/bin/pip install -e '.[ray]'")

from clients.commands.classify.cluster import addresses
from clients.commands.classify.cluster.addresses import PlaceError
from clients.commands.classify.cluster.results import (
    CHECKPOINT,
    FILES,
    LIST,
    NDJSON,
    PARQUET,
    RUN,
    SUCCESS,
    ResultFolder,
    ResultsError,
)
from tests.clients.commands.classify.cluster.object_store import object_store


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
    assert _names(tmp_path / "out") == [LIST, FILES]
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
    (tmp_path / "out" / CHECKPOINT).mkdir()
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
