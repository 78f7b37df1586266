from dataclasses import replace

import pytest
from hypothesis import given, settings

from model.budget import budget
from model.config import VARIANTS, RaScaNetConfig
from tests.model.counted_budget import counted_budget
from tests.model.random_networks import configs

SMALL_VARIANT, LARGE_VARIANT = VARIANTS["105x120"], VARIANTS["210x240"]


@pytest.mark.parametrize(
    ("config", "weight_kb", "peak_kb", "operations_m"),
    [(SMALL_VARIANT, "31.77", "3.60", "9.71"), (LARGE_VARIANT, "47.03", "7.92", "56.34")],
)
def test_the_published_figures(config: RaScaNetConfig, weight_kb: str, peak_kb: str, operations_m: str) -> None:
    found = budget(config)
    # The published table cuts kilobytes, it does not round them: 31,775 bytes read 31.77.
    assert f"{found.weight_bytes // 10 / 100:.2f}" == weight_kb
    assert f"{found.peak_activation_bytes // 10 / 100:.2f}" == peak_kb
    assert f"{found.operations_per_frame / 1e6:.2f}" == operations_m


@pytest.mark.parametrize(
    ("config", "parameters", "peak_activation_bytes", "macs_per_burst", "operations_per_frame"),
    [(SMALL_VARIANT, 31_775, 3_600, 451_900, 9_706_410), (LARGE_VARIANT, 47_033, 7_920, 1_316_088, 56_339_640)],
)
def test_the_exact_counts_of_the_variants(
    config: RaScaNetConfig,
    parameters: int,
    peak_activation_bytes: int,
    macs_per_burst: int,
    operations_per_frame: int,
) -> None:
    found = budget(config)
    assert found.variant == config.name
    assert found.parameters == found.weight_bytes == parameters
    assert found.peak_activation_bytes == peak_activation_bytes
    assert found.macs_per_burst == macs_per_burst
    assert found.operations_per_frame == operations_per_frame


def test_one_more_channel_in_the_last_head_block_costs_what_a_hand_counts() -> None:
    before, after = budget(SMALL_VARIANT), budget(replace(SMALL_VARIANT, head_channels=(5, 9, 18, 33)))
    # Two heads of 18 * 1 * 3 weights and two norm values; two more channels into squeeze and projection, out of excite.
    assert after.parameters - before.parameters == 2 * (54 + 2) + 2 * 10 + 2 * (10 + 1) + 2 * 3 * 40
    # The block computes 15 columns, what follows it 7.
    macs = 2 * 54 * 15 + (2 * 10 + 2 * 10 + 2 * 3 * 40) * 7
    assert after.macs_per_burst - before.macs_per_burst == macs
    norm_outputs = 2 * 15
    assert after.operations_per_frame - before.operations_per_frame == (macs + norm_outputs) * 21
    assert after.peak_activation_bytes == before.peak_activation_bytes


def test_four_more_hidden_channels_cost_what_a_hand_counts() -> None:
    before, after = budget(SMALL_VARIANT), budget(replace(SMALL_VARIANT, hidden_channels=44))
    attention = (108 * 11 - 104 * 10) + (64 * 11 - 64 * 10)
    projection = 64 * 3 * 4 + 3 * (44 * 44 - 40 * 40)
    gru = 3 * (88 * 44 - 80 * 40)
    classifier = (44 * 11 - 40 * 10) + (11 * 2 - 10 * 2)
    weights = attention + projection + gru + classifier + 4  # the confidence head's
    norms, biases = 2 * (4 + 4) + 2, 1 + 3 * 4 + 1  # two projections, classifier; squeeze, gates, reduce
    assert after.parameters - before.parameters == weights + norms + biases
    macs = (attention + projection + gru) * 7 + classifier
    assert after.macs_per_burst - before.macs_per_burst == macs + 4
    assert after.operations_per_frame - before.operations_per_frame == (macs + (2 * 4 + 1 + 3 * 4) * 7) * 21


def test_the_frame_s_height_changes_nothing_but_the_operations() -> None:
    once, twice = budget(SMALL_VARIANT), budget(replace(SMALL_VARIANT, height=210))
    assert twice.operations_per_frame == 2 * once.operations_per_frame
    assert replace(twice, variant=once.variant, operations_per_frame=once.operations_per_frame) == once


@settings(max_examples=20)
@given(configs)
def test_the_budget_is_what_hooks_count_on_the_network(config: RaScaNetConfig) -> None:
    assert budget(config) == counted_budget(config)


@settings(max_examples=20)
@given(configs)
def test_peak_covers_the_first_convolution(config: RaScaNetConfig) -> None:
    first = 3 * 5 * config.width + config.head_channels[0] * 3 * config.width
    assert budget(config).peak_activation_bytes >= first
