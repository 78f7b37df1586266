import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.commands.classify.rows import COLUMNS, Row, RowsError, RowWriter, read_rows
from clients.commands.names import open_text
from server.pictures.entries import ImageDecision, ImageError

SETTINGS = {"variant": "30x32", "weights": "ab", "policy": {"name": "never"}, "bursts_per_frame": 6}
names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=20)
counts = st.integers(0, 10**9)
shares = st.floats(0, 1)
decisions = st.fixed_dictionaries(
    {
        "name": names,
        "person": st.booleans(),
        "p_person": shares,
        "exited": st.booleans(),
        "burst_index": counts,
        "processed": counts,
        "skipped": counts,
        "unread": counts,
        "processed_ratio": shares,
        "macs": counts,
        "elapsed_us": counts,
    }
)
errors = st.fixed_dictionaries({"name": names, "code": st.just("unreadable_image"), "message": st.just('no, "not"')})
rows = st.lists(decisions | errors, max_size=5)


def _written(found: list[Row], kind: str) -> str:
    file = io.StringIO()
    writer = RowWriter(file, kind, SETTINGS)
    for row in found:
        writer.add(row)
    writer.close()
    return file.getvalue()


@settings(max_examples=60)
@given(rows, st.sampled_from(["csv", "ndjson"]), st.integers(1, 200))
def test_what_was_written_is_read_again_up_to_where_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, found: list[Row], kind: str, cut: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "file"
    text = _written(found, kind)
    path.write_text(text, newline="")
    again = list(read_rows(path, kind, SETTINGS))
    assert [{key: row.get(key) for key in each} for row, each in zip(again, found, strict=True)] == found
    whole = text.encode()[:-cut]
    path.write_bytes(whole)
    left = list(read_rows(path, kind, SETTINGS))
    assert [row["name"] for row in left] == [row["name"] for row in found[: len(left)]]
    assert path.read_bytes() == whole[: whole.rfind(b"\n") + 1]


@settings(max_examples=20)
@given(rows)
def test_json_is_one_document(found: list[Row]) -> None:
    document: dict[str, Any] = json.loads(_written(found, "json"))
    assert document == SETTINGS | {"results": found}


DECIDED = {
    "name": "a", "person": True, "p_person": 0.5, "exited": False, "burst_index": 5, "processed": 6, "skipped": 0,
    "unread": 0, "processed_ratio": 1.0, "macs": 9, "elapsed_us": 9,
}  # fmt: skip


def _line(**changes: object) -> str:
    return _written([DECIDED | changes], "ndjson")


@pytest.mark.parametrize(
    "text",
    [
        "nonsense\n",
        "[1]\n",
        "null\n",
        '{"name": "a"}\n',
        "[" * 100_000 + "\n",
        _line(p_person=2),
        _line(p_person="<script>"),
        _line(macs=-1),
        _line(burst_index="5"),
        _line(person=None),
        _line(name=7),
        _line(code=7),
        _line(code="<b>", message=["x"]),
        _line(curve=["<script>"]),
    ],
)
def test_another_file_is_not_gone_on_with(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(RowsError, match="row 1 is not one"):
        list(read_rows(path, "ndjson", SETTINGS))


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xe0 a\nphoto",
        b"one line",
        b'{"a": 1}',
        b"file,label\r\n",
        b"file,label\r\na.jpg,1",
        b"\n",
        b"notes\nmore",
    ],
)
def test_a_file_of_something_else_stays_as_it_is(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RowsError, match="row 1 is not one"):
        list(read_rows(path, kind, SETTINGS))
    assert path.read_bytes() == content


def test_a_file_of_ours_that_is_refused_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(_line() + '{"name": "b", "pers')
    with pytest.raises(RowsError, match="another variant"):
        list(read_rows(path, "ndjson", SETTINGS | {"variant": "105x120"}))
    assert path.read_text().endswith('"pers')


@pytest.mark.parametrize(
    "change", [("0.5", "2"), ("0.5", "<script>"), ("0.5", "nan"), ("True", "perhaps"), ("a,", '"a')]
)
def test_a_table_that_lies_is_not_gone_on_with(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "file"
    path.write_text(_written([DECIDED], "csv").replace(*change))
    with pytest.raises(RowsError, match="row 1 is not one"):
        list(read_rows(path, "csv", SETTINGS))


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=12), max_size=4), st.sampled_from(["csv", "ndjson"]))
def test_any_name_is_read_again(tmp_path_factory: pytest.TempPathFactory, found: list[bytes], kind: str) -> None:
    path = tmp_path_factory.mktemp("rows") / "file"
    named = [os.fsdecode(name.replace(b"\0", b"x")) for name in found]
    with open_text(path, "w") as file:
        writer = RowWriter(file, kind, SETTINGS)
        for name in named:
            writer.add(DECIDED | {"name": name})
    assert [row["name"] for row in read_rows(path, kind, SETTINGS)] == named


def test_rows_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(_written([{"name": "a", "code": "x", "message": "y"}], "ndjson"))
    with pytest.raises(RowsError, match="another variant: 30x32, not 105x120"):
        list(read_rows(path, "ndjson", SETTINGS | {"variant": "105x120"}))


def test_the_columns_are_the_fields_of_an_entry() -> None:
    fields = {*ImageDecision.model_fields, *ImageError.model_fields} - {"index", "logits", "curve"}
    assert set(COLUMNS) == fields | (set(SETTINGS) - {"bursts_per_frame"})
