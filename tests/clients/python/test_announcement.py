import pytest

from clients.python.announcement import announce, check_name
from clients.python.presence import PresenceEvent, Turn
from sensor_sim.ledger import FrameReport
from sensor_sim.wire import Decision

TAKEN_S = 1_767_225_601.25  # 2026-01-01 00:00:01.250 UTC
REPORT = FrameReport(
    frame_id=7, rows=105, rows_read=70, rows_sent=65, rows_skipped=0, rows_unread=35, bursts_sent=13, bytes_sent=0,
    bytes_saved=0, late_bursts=1, start_us=0.0, end_us=1.0, next_us=2.0, decision_us=1.0,
    decision=Decision(7, 11, 0.75, True, True, 12, 0, 9),
)  # fmt: skip


def test_an_announcement_says_when_and_how_sure() -> None:
    found = announce(PresenceEvent(Turn.APPEARED, 10.0, 11.25), REPORT, "hall", "door", TAKEN_S)
    assert (found.sensor, found.region, found.turn, found.p_person) == ("hall", "door", "appeared", 0.75)
    assert (found.since, found.time) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.250Z")
    assert found.row == 12 * 5, "twelve bursts of five rows"
    assert found.saved_share == pytest.approx(40 / 105)


def test_each_announcement_has_an_id_of_its_own() -> None:
    event = PresenceEvent(Turn.LEFT, 0.0, 1.0)
    assert announce(event, REPORT, "hall", "", TAKEN_S).id != announce(event, REPORT, "hall", "", TAKEN_S).id


@pytest.mark.parametrize("name", ["hall", "Hall_2-b", "a" * 64])
def test_names_that_can_be_part_of_a_topic(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "hall/door", "#", "+", "a b", "ä", "a" * 65, "hall\n"])
def test_names_that_can_not(name: str) -> None:
    with pytest.raises(ValueError, match="can't be announced"):
        check_name(name)
