import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.presence import Hysteresis, Presence, PresenceEvent, Turn, presence_events

RULE = Hysteresis(enter=0.6, leave=0.4, appear_frames=2, leave_frames=3)


def test_events_by_hand() -> None:
    chances = [0.9, 0.5, 0.6, 0.7, 0.1, 0.2, 0.5, 0.4, 0.0, 0.1, 0.9]
    assert list(presence_events(((0.5 * frame, p) for frame, p in enumerate(chances)), RULE)) == [
        PresenceEvent(Turn.APPEARED, 1.0, 1.5),
        PresenceEvent(Turn.LEFT, 3.5, 4.5),
    ]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1)), st.integers(1, 4), st.integers(1, 4))
def test_events_alternate_and_rest_on_enough_frames(chances: list[float], appear: int, leave: int) -> None:
    rule = Hysteresis(0.6, 0.4, appear, leave)
    events = list(presence_events(enumerate(chances), rule))
    assert [event.turn for event in events] == [Turn.APPEARED, Turn.LEFT] * (len(events) // 2) + (
        [Turn.APPEARED] if len(events) % 2 else []
    )
    for event in events:
        behind = chances[int(event.since_s) : int(event.time_s) + 1]
        assert len(behind) == (appear if event.turn is Turn.APPEARED else leave)
        assert all(p >= 0.6 for p in behind) if event.turn is Turn.APPEARED else all(p <= 0.4 for p in behind)


@settings(max_examples=20)
@given(st.lists(st.floats(0.41, 0.59)))
def test_frames_between_the_thresholds_turn_nothing(chances: list[float]) -> None:
    presence = Presence(RULE)
    assert not any(presence.add(p) for p in chances)


@pytest.mark.parametrize("change", [{"leave": 0.7}, {"enter": 1.1}, {"enter": math.nan}, {"appear_frames": 0}])
def test_impossible_rules_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Hysteresis(**{"enter": 0.6, "leave": 0.4, **change})  # type: ignore[arg-type]  # also counts
