import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow", reason="pyarrow is not installed: .venv/bin/pip install -e '.[ray]'")

from clients.commands.classify.cluster.columns import ROWS, pictures_of_table, table_of_pictures, table_of_rows
from clients.commands.classify.local import Classifier, Setup
from clients.commands.classify.rows import SETTINGS
from clients.commands.sources import Picture
from model.exit_policy import WHOLE_PICTURE_POLICY
from tests.networks import SMALL, random_checkpoint

NAMES = st.binary(min_size=1).map(lambda name: name.decode("utf-8", "surrogateescape"))
"""Whatever a file system may call a file."""
CHANCES = st.floats(0, 1)
COUNTS = st.integers(0, 2**53 - 1)
FOUND = st.fixed_dictionaries(
    {
        "name": NAMES, "person": st.booleans(), "p_person": CHANCES, "logits": st.tuples(CHANCES, CHANCES).map(list),
        "exited": st.booleans(), "burst_index": COUNTS, "processed": COUNTS, "skipped": COUNTS, "unread": COUNTS,
        "processed_ratio": CHANCES, "macs": COUNTS, "elapsed_us": COUNTS,
    },
    optional={"curve": st.lists(st.none() | CHANCES)},
)  # fmt: skip
REFUSED = st.fixed_dictionaries({"name": NAMES, "code": st.text(), "message": st.text()})


SAME = {"variant": "small", "weights": "0" * 64, "policy": {"name": "never"}}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2**40), FOUND | REFUSED), max_size=5))
def test_rows_come_back_as_they_were(indexed: list[tuple[int, dict[str, Any]]]) -> None:
    table = table_of_rows(indexed, SAME)
    assert table.schema == ROWS
    found = [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]
    same = SAME | {"policy": json.dumps(SAME["policy"])}
    assert found == [
        row | same | {"index": index, "name": os.fsencode(row["name"]).decode(errors="backslashreplace")}
        for index, row in indexed
    ]


@given(st.integers(0, 2**40), st.lists(st.tuples(NAMES, st.none() | st.integers(0, 1000))))
def test_pictures_come_back_as_they_were(first: int, found: list[tuple[str, int | None]]) -> None:
    pictures = [Picture(name, f"/folder/{index}", member) for index, (name, member) in enumerate(found)]
    assert list(pictures_of_table(table_of_pictures(first, pictures))) == list(enumerate(pictures, first))


def test_a_parquet_file_has_names_as_text() -> None:
    rows = [{"name": name, "code": "a", "message": "b"} for name in ("caf\u00e9.png", "bad\udcff.png")]
    assert table_of_rows(enumerate(rows), SAME).column("name").to_pylist() == ["caf\u00e9.png", "bad\\xff.png"]


def test_every_field_of_an_entry_has_a_column() -> None:
    from tests.picture_files import picture

    classifier = Classifier(Setup(random_checkpoint(SMALL, 1), WHOLE_PICTURE_POLICY, curve=True))
    whole = classifier.classify(Picture("a", "a"), lambda _picture, _most: picture())
    broken = classifier.classify(Picture("b", "b"), lambda _picture, _most: b"")
    assert set(ROWS.names) == set(whole) | set(broken) | {"index", *SETTINGS}
