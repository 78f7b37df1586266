"""The firmware in QEMU: every burst and every decision equals the definition, and nothing grows unseen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.exit_policy import NeverExitPolicy, PerBurstPolicy, Policy, PublishedPolicy, TwoSidedPolicy
from model.kernel.native_integer import IntegerRuntime
from tests.clients.firmware.boards import BOARDS, MISSING, build, expected_lines, play
from tests.clients.firmware.measure import recorded, shipped
from tests.model.random_networks import random_frames
from tests.networks import SMALL, person_curve, random_integer_network
from tests.server.certificates import promised_policy

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed (`make boards`)")

GROWTH = 1.02
MOST_DATA_BYTES = {"105x120": 42_000, "210x240": 60_000}


@pytest.mark.parametrize("board", BOARDS)
def test_any_numbers_and_policies_are_the_definitions(board: str, tmp_path: Path) -> None:
    config = replace(SMALL, width=37, head_channels=(3, 5, 7, 6), hidden_channels=12)
    network, frames = random_integer_network(config, 2), random_frames(config, 5, 2)
    runtime = IntegerRuntime(network)
    low, middle, high = np.quantile([person_curve(runtime, frame) for frame in frames], [0.3, 0.5, 0.9])
    policies: dict[str, Policy] = {
        "never": NeverExitPolicy(),
        "published": PublishedPolicy(float(high), float(middle)),
        "two_sided": TwoSidedPolicy(float(high), float(low)),
        "per_burst": PerBurstPolicy(1.2, 0.5, 0.9, 0.6),
        "calibrated": promised_policy(0.9, 0.6, 1.1, 0.5, certificate="0" * 64),
    }
    expected = expected_lines(network, policies, frames, len(frames))
    decisions = [line.split() for line in expected if line.startswith("decision")]
    assert {words[-1] for words in decisions} == {"0", "1"}  # some exit, some don't
    assert any(int(words[-2]) for words in decisions)  # and some skip
    program = build(BOARDS[board], network, policies, tmp_path)
    assert play(program, frames, len(frames)).lines == expected
    assert play(program, frames[1:], 0, counted=False).lines == expected_lines(network, policies, frames[1:], 0)


@pytest.mark.parametrize(
    ("variant", "board"),
    [("105x120", "Cortex-M4"), ("105x120", "Cortex-M7"), ("105x120", "Cortex-M55"), ("210x240", "Cortex-M4")],
)
def test_the_shipped_weights_are_the_definitions_and_fit(variant: str, board: str, tmp_path: Path) -> None:
    network, policies = shipped(variant)
    frames = random_frames(network.config, 1, 7)
    played = play(build(BOARDS[board], network, policies, tmp_path), frames, len(frames))
    assert played.lines == expected_lines(network, policies, frames, len(frames))
    assert played.sizes.data <= MOST_DATA_BYTES[variant]
    for name, before in recorded(variant, board)._asdict().items():
        assert getattr(played.sizes, name) <= GROWTH * before, name
