import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.link import Link, LinkConditions

conditions = st.builds(
    LinkConditions,
    bandwidth_bit_s=st.none() | st.floats(1e4, 1e9),
    latency_us=st.floats(0, 1e5),
    jitter_us=st.floats(0, 1e5),
    seed=st.integers(0, 9),
)


@given(conditions=conditions, gaps=st.lists(st.floats(0, 1e4), min_size=1, max_size=30), size=st.integers(1, 10_000))
def test_order_holds_and_nothing_is_faster_than_the_link(
    conditions: LinkConditions, gaps: list[float], size: int
) -> None:
    links = Link(conditions), Link(conditions)
    ready_us, free_us, arrived_us, answered_us = 0.0, 0.0, 0.0, 0.0
    transfer_us = 8e6 * size / conditions.bandwidth_bit_s if conditions.bandwidth_bit_s else 0.0
    for index, gap_us in enumerate(gaps):
        ready_us += gap_us
        passage = links[0].send(ready_us, size, 0, index)
        assert passage == links[1].send(ready_us, size, 0, index)  # the same seed, the same way
        assert passage.begins_us == max(ready_us, free_us)
        free_us = passage.begins_us + transfer_us
        assert passage.arrives_us >= max(arrived_us, free_us + conditions.latency_us)
        assert passage.arrives_us <= max(arrived_us, free_us + conditions.latency_us + conditions.jitter_us)
        arrived_us = passage.arrives_us
        answer_us = links[0].answer(arrived_us, 0, index)
        assert answer_us >= max(answered_us, arrived_us + conditions.latency_us)
        answered_us = answer_us


def test_what_is_taken_back_leaves_no_trace() -> None:
    link = Link(LinkConditions(bandwidth_bit_s=8e6, latency_us=10))  # a byte a microsecond
    link.send(0, 100, 0, 0)
    waiting = link.send(0, 100, 0, 1)
    link.send(0, 100, 0, 2)
    link.cancel(waiting)
    assert link.send(0, 100, 1, 0) == waiting


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_frames_are_lost_at_their_share(share: float) -> None:
    link = Link(LinkConditions(frame_loss=share, seed=3))
    lost = [link.loses(frame_id) for frame_id in range(2000)]
    assert lost == [Link(LinkConditions(frame_loss=share, seed=3)).loses(frame_id) for frame_id in range(2000)]
    assert sum(lost) / 2000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bandwidth_bit_s", 0), ("latency_us", -1), ("jitter_us", -1), ("frame_loss", 1.5), ("service_us", -1)],
)
def test_impossible_conditions(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        LinkConditions(**{field: value})  # type: ignore[arg-type]  # one field at a time
