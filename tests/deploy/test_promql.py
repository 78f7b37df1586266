import pytest

from tests.deploy.promql import SCRAPED, faults


def test_series_of_every_kind_are_known() -> None:
    assert {
        "rascanet_streams", "rascanet_decisions_total", "rascanet_step_seconds_bucket", "rascanet_step_seconds_count",
    } <= SCRAPED  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('sum by (phase) (rascanet_streams{phase="streaming", job="rascanet"})', []),
        ('rate(rascanet_streams_ended_total{reason=~"drain|bad_token"}[5m])', []),
        ("rascanet:decision_latency_seconds:p99 > 0.05", []),
        ("rascanet_stream", ["there is no metric rascanet_stream"]),
        ("rate(rascanet_decisions[1m])", ["there is no metric rascanet_decisions"]),
        ('rascanet_streams{reason="full"}', [
            "rascanet_streams has no label reason", "reason of rascanet_streams is never full",
        ]),
        ('rascanet_bursts_total{outcome=~"unread|read"}', ["outcome of rascanet_bursts_total is never read"]),
        ("sum by (pod) (rascanet_streams)", ["there is no label pod"]),
    ],
)  # fmt: skip
def test_faults(query: str, found: list[str]) -> None:
    assert list(faults(query)) == found
