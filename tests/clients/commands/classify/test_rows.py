import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.commands.classify.rows import Row, RowsError, RowWriter, read_rows

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


@pytest.mark.parametrize("text", ["nonsense\n", "[1]\n", '{"name": "a"}\n'])
def test_another_file_is_not_gone_on_with(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(RowsError, match="row 1 is not one"):
        list(read_rows(path, "ndjson", SETTINGS))


def test_rows_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(_written([{"name": "a", "code": "x", "message": "y"}], "ndjson"))
    with pytest.raises(RowsError, match="another variant: 30x32, not 105x120"):
        list(read_rows(path, "ndjson", SETTINGS | {"variant": "105x120"}))
