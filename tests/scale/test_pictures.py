"""A short form of `make scale-pictures`: two nodes, the driver killed, the second node lost."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clients.commands.table import refresh_page
from tests.scale.pictures import Run, faults, table

ROW = {"name": "a", "person": True, "elapsed_us": 3, "policy": {"name": "never"}}
FOUND = ROW | {"index": 0, "policy": '{"name": "never"}', "elapsed_us": 4, "code": None}
ROOT = Path(__file__).parents[2]
DEADLINE_S = 600
"""Far more than the minute that it takes."""


def test_each_picture_has_one_row_whatever_is_lost() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: .venv/bin/pip install -e '.[ray]'")
    command = [sys.executable, "-m", "tests.scale.pictures", "--count", "600", "--part", "losses"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    for event in (
        "the driver was killed",
        "a node was lost",
        "the run is whole",
        "0 rows missing, wrong or there twice",
    ):
        assert event in done.stdout


def test_the_page_has_room_for_the_table(tmp_path: Path) -> None:
    page = tmp_path / "scaling.md"
    shutil.copy(ROOT / "docs" / "scaling.md", page)
    worse = Run(9, 20, 10**6, 9)
    runs = {"local": [Run(4, 50, 10**6, 6.4), worse], "ray": [worse, Run(5, 40, 10**6, 8)]}
    refresh_page(page, {"scale pictures": [table(100, runs)]})
    assert "**100 generated pictures**" in page.read_text()
    assert "| ray | 5 | 20 | 40 | 80% | 2 | 80.00 | 1 |" in page.read_text()
    assert "Rounds of both commands: 2." in page.read_text()


def test_nothing_is_wrong_with_equal_rows() -> None:
    assert faults([FOUND], [ROW]) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "a: no row"),
        ([FOUND, FOUND], "a: two rows"),
        ([FOUND | {"person": False}], "a: {'name': 'a', 'person': False"),
        ([FOUND, FOUND | {"name": "b"}], "b: not one of the local command's"),
        ([FOUND | {"code": "unreadable_image"}], "'code': 'unreadable_image'"),
    ],
)
def test_each_fault_is_told(found: list[dict[str, Any]], words: str) -> None:
    (fault,) = faults(found, [dict(ROW)])
    assert words in fault
