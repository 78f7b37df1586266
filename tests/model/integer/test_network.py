from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from model.config import VARIANTS, RaScaNetConfig
from model.integer.arithmetic import REDUCED_BITS, multiplier_of
from model.integer.network import (
    IntegerLayer,
    IntegerNetwork,
    IntegerNetworkError,
    hard_swish,
    layer_shapes,
    pooling,
)
from tests.model.random_networks import configs, random_frames, seeds
from tests.networks import SMALL, random_integer_network

NETWORK = random_integer_network(SMALL, 1)


def _with(name: str, **parts: Any) -> dict[str, IntegerLayer]:
    return {**NETWORK.layers, name: NETWORK.layers[name]._replace(**parts)}


def _set(array: Any, value: int) -> Any:
    """A copy whose first value is another."""
    changed = array.copy()
    changed.flat[0] = value
    return changed


@given(config=configs, seed=seeds)
def test_frames_do_not_disturb_each_other_and_outputs_stay_in_their_ranges(config: RaScaNetConfig, seed: int) -> None:
    network = random_integer_network(config, seed)
    bursts = random_frames(config, 3, seed)[:, : config.BURST_ROWS]
    hidden = np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, (3, *network.hidden_shape), np.int16)
    together = network.step(bursts, hidden)
    for index in range(3):
        alone = network.step(bursts[index : index + 1], hidden[index : index + 1])
        for one, of_all in zip(alone, together, strict=True):
            assert np.array_equal(one[0], of_all[index])
    assert together.hidden.dtype == np.int16
    for values in (together.confidence, together.p_person):
        assert values.min() > 0
        assert values.max() < 1 << 15
    assert np.abs(together.logits).max() < 1 << 23


def test_the_state_is_a_mix_of_the_last_one_and_a_candidate() -> None:
    """With the update gate open the state stays to the bit: nothing is lost to rounding over a frame."""
    gate = NETWORK.layers["gate1"]
    kept = gate._replace(weight=np.zeros_like(gate.weight), bias=np.full_like(gate.bias, (1 << 31) - 1))
    network = replace(NETWORK, layers={**NETWORK.layers, "gate1": kept})
    hidden = np.random.default_rng(0).integers(-(1 << 14), 1 << 14, (1, *network.hidden_shape), np.int16)
    after = network.step(random_frames(SMALL, 1, 0)[:, :5], hidden).hidden
    assert np.abs(after.astype(int) - hidden).max() <= 24  # the gate is 1 - 2^-11.5 at most


@pytest.mark.parametrize("columns", [1, 7, 15])
def test_pooling_halves_and_divides_by_the_columns(columns: int) -> None:
    multiplier, shift = pooling(columns)
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(1 / (2 * columns), rel=2**-30)


def test_hard_swish_is_that_of_the_float_network() -> None:
    values = np.arange(-(1 << 15), 1 << 15)
    reals = values / 2**REDUCED_BITS
    expected = reals * np.clip(reals + 3, 0, 6) / 6
    assert np.abs(hard_swish(values) / 2**REDUCED_BITS - expected).max() <= 2.0 ** -(REDUCED_BITS + 1) + 1e-6


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shapes_are_those_of_the_budget(variant: str) -> None:
    assert sum(int(np.prod(shape)) for shape in layer_shapes(VARIANTS[variant]).values()) in (31132, 46242)


def test_the_digest_tells_networks_apart() -> None:
    same = replace(NETWORK, provenance={"other": 1})
    assert same.digest == NETWORK.digest
    layer = NETWORK.layers["reduce"]
    others: list[IntegerNetwork] = [replace(NETWORK, gating=multiplier_of(2.0**-16.5))]
    for part in IntegerLayer._fields:
        array = getattr(layer, part)
        value = {"multiplier": (1 << 30) + 1, "shift": -9}.get(part, int(array.flat[0]) // 2 + 1)
        others.append(replace(NETWORK, layers=_with("reduce", **{part: _set(array, value)})))
    assert len({NETWORK.digest, *(each.digest for each in others)}) == 1 + len(others)


def _damages() -> dict[str, tuple[dict[str, Any], str]]:
    conv, gate = NETWORK.layers["conv0"], NETWORK.layers["gate0"]
    missing = {name: layer for name, layer in NETWORK.layers.items() if name != "gate2"}
    return {
        "missing": ({"layers": missing}, r"missing \['gate2'\]"),
        "surplus": ({"layers": {**NETWORK.layers, "gate3": gate}}, r"surplus \['gate3'\]"),
        "dtype": ({"layers": _with("gate0", bias=gate.bias.astype(np.int64))}, "gate0.bias is int64"),
        "shape": ({"layers": _with("gate0", weight=gate.weight[1:])}, r"gate0.weight is int8 \(7, 16\)"),
        "-128": ({"layers": _with("conv0", weight=_set(conv.weight, -128))}, "conv0.weight holds -128"),
        "multiplier": ({"layers": _with("conv0", multiplier=_set(conv.multiplier, 5))}, "multiplier of conv0"),
        "shift": ({"layers": _with("gate0", shift=_set(gate.shift, -32))}, "shift of gate0"),
        "left": ({"layers": _with("conv0", shift=_set(conv.shift, 0))}, "shift of conv0"),
        "sum": ({"layers": _with("gate0", bias=_set(gate.bias, -(2**31)))}, "sum of gate0 .* below 2147483648"),
        "doubled sum": ({"layers": _with("conv0", bias=_set(conv.bias, 2**30))}, "sum of conv0 .* below 1073741824"),
        "value": (
            {"layers": _with("gate0", shift=_set(gate.shift, 30), multiplier=_set(gate.multiplier, 2**30))},
            "value of gate0",
        ),
        "gating": ({"gating": (1 << 30, 0)}, "shift of gating"),
    }


@pytest.mark.parametrize("damage", _damages())
def test_numbers_that_are_no_network_are_named(damage: str) -> None:
    change, complaint = _damages()[damage]
    with pytest.raises(IntegerNetworkError, match=complaint):
        replace(NETWORK, **change)
