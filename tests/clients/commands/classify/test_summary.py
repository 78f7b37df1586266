import pytest

from clients.commands.classify import summary
from clients.commands.classify.summary import Summary


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(summary, "monotonic", lambda: now[0])
    return now


def test_the_first_picture_starts_the_clock(clock: list[float]) -> None:
    sums = Summary()
    assert sums.table().notes == ["nothing new"]
    sums.clock()
    assert sums.table().notes == ["1 picture"]
    clock[0] += 0.001
    sums.clock(9)
    assert sums.table().notes == ["10 pictures"]  # a rate of a millisecond says nothing
    clock[0] += 1.999
    sums.clock(11)
    assert sums.table().notes == ["21 pictures, 10 pictures/s without the start"]


def test_the_clock_starts_before_pictures_whose_time_is_known(clock: list[float]) -> None:
    sums = Summary()
    sums.clock(30, took_s=3)
    assert sums.table().notes == ["30 pictures, 10 pictures/s without the start"]
    clock[0] += 1
    sums.clock(50, took_s=4)
    assert sums.table().notes == ["80 pictures, 20 pictures/s without the start"]


def test_classes_are_told_only_if_a_picture_was_classified() -> None:
    sums = Summary()
    sums.add({"code": "unreadable_image"})
    assert [row[0] for row in sums.table().rows] == ["unreadable image"]
    sums.add({"person": True, "p_person": 0.75, "exited": False, "processed_ratio": 1.0, "macs": 1})
    assert [row[0] for row in sums.table().rows] == ["person", "no person", "unreadable image"]
