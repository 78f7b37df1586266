"""Held to the manifests and the service, and to what must be so whatever happens to a fleet."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clients.commands.bench.regions import Aims, Fleet, Floats, Record, healed_after_s
from sensor_sim.uplink import PING_S, PONG_S

KUBERNETES = Path(__file__).parents[4] / "deploy" / "kubernetes"


def _share(held: Floats) -> Floats:
    return held * 0.002


def test_aims_are_those_of_the_manifests() -> None:
    scaled: dict[str, Any] = yaml.safe_load((KUBERNETES / "components/keda/scaledobject.yaml").read_text())["spec"]
    settings = dict(re.findall(r"^(RASCANET_\w+)=(.+)$", (KUBERNETES / "base/settings.env").read_text(), re.MULTILINE))
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    up, down = behavior["scaleUp"], behavior["scaleDown"]
    aims = Aims()
    assert [trigger["metadata"]["threshold"] for trigger in scaled["triggers"]] == [f"{aims.busy:g}", str(aims.streams)]
    assert (aims.busy_limit, aims.max_streams, aims.stream_s) == (
        float(settings["RASCANET_BUSY_LIMIT"]), int(settings["RASCANET_MAX_STREAMS"]),
        float(settings["RASCANET_STREAM_S"]),
    )  # fmt: skip
    assert aims.least == scaled["minReplicaCount"]
    assert [policy["value"] for policy in up["policies"]] == [100 * aims.up_share, aims.up_replicas]
    assert {policy["periodSeconds"] for policy in up["policies"]} == {aims.up_s}
    assert down["policies"] == [{"type": "Pods", "value": aims.down_replicas, "periodSeconds": aims.down_s}]
    assert down["stabilizationWindowSeconds"] == aims.calm_s


@given(
    sensors=st.integers(1, 3000), seed=st.integers(0, 99), region=st.integers(0, 2), at_once=st.floats(0.05, 1),
    busy=st.floats(0.2, 0.59),
)  # fmt: skip
def test_no_sensor_is_lost_or_made_up(sensors: int, seed: int, region: int, at_once: float, busy: float) -> None:
    fleet = Fleet(sensors, _share, 800.0, Aims(busy=busy), seed=seed)
    assert fleet.served == sensors
    fleet.environment.run(until=5)
    fleet.environment.process(fleet.deploy(at_once))
    fleet.lose_region(region)
    fleet.environment.run(until=60)
    record = fleet.record
    assert max(record.served) <= sensors
    assert all(served == int(served) for served in record.served)
    assert fleet.served + fleet.waiting == sensors
    assert all(replicas <= 10 + 2 * record.replicas[0] for replicas in record.replicas)


def test_a_fleet_with_a_third_in_reserve_carries_the_loss_of_a_third() -> None:
    fleet = Fleet(10_000, _share, 800.0)
    replicas = fleet.replicas
    assert replicas == 58  # 10,000 x 0.002 / 0.35, which is more than 10,000 / 250
    fleet.environment.run(until=10)
    fleet.lose_region(1)
    fleet.environment.run(until=100)
    healed_s = healed_after_s(fleet.record, 10.0, 10_000, 0.99)
    assert healed_s is not None
    assert PONG_S < healed_s < PONG_S + PING_S + 2, "as soon as clients have noticed"
    assert max(fleet.record.busiest) < 0.6


def test_a_fleet_without_a_reserve_refuses_until_there_are_more_replicas() -> None:
    fleet = Fleet(10_000, _share, 800.0, Aims(busy=0.55))
    fleet.environment.run(until=10)
    fleet.lose_region(1)
    fleet.environment.run(until=300)
    healed_s = healed_after_s(fleet.record, 10.0, 10_000, 0.999)
    assert healed_s is not None
    assert healed_s > PONG_S + Aims().pod_s
    assert fleet.record.refused[-1] > 0


def test_replicas_go_slowly_once_they_are_not_needed() -> None:
    fleet = Fleet(10_000, _share, 800.0)
    fleet.environment.run(until=10)
    fleet.leave(5_000)
    before = fleet.replicas
    fleet.environment.run(until=600)
    assert fleet.replicas == before
    fleet.environment.run(until=1300)
    assert before - 12 <= fleet.replicas < before


def test_healing_is_for_good() -> None:
    record = Record(at_s=[0, 1, 2, 3, 4], served=[10, 5, 10, 8, 10])
    assert healed_after_s(record, 1, 10, 0.9) == 3
    assert healed_after_s(record, 1, 10, 0.5) == 0
    assert healed_after_s(Record(at_s=[0, 1], served=[10, 5]), 0, 10, 0.9) is None
    assert healed_after_s(record, 4, 10, 1.0) == pytest.approx(0)
