import os

import pytest

from model.training.splits import split_by_name


def test_a_split_by_name_keeps_its_shares() -> None:
    splits = [split_by_name(f"{number}.jpg", 0.2, 0.1) for number in range(4000)]
    assert splits.count("val") == pytest.approx(800, abs=110)
    assert splits.count("calibration") == pytest.approx(400, abs=80)


def test_a_name_that_is_not_utf_8_has_a_split() -> None:
    assert split_by_name(os.fsdecode(b"caf\xe9.jpg"), 0.5, 0.5) in ("val", "calibration")
