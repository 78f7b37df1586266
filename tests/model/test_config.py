import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings

from model.config import VARIANTS, RaScaNetConfig
from tests.model.random_networks import configs

VALID = VARIANTS["105x120"]


@pytest.mark.parametrize(
    ("variant", "bursts", "hidden_shape", "features", "burst_shape", "frame_shape"),
    [
        ("105x120", 21, (40, 7), 64, (5, 120, 3), (105, 120, 3)),
        ("210x240", 42, (48, 15), 84, (5, 240, 3), (210, 240, 3)),
    ],
)
def test_derived_counts_of_the_variants(
    variant: str,
    bursts: int,
    hidden_shape: tuple[int, int],
    features: int,
    burst_shape: tuple[int, int, int],
    frame_shape: tuple[int, int, int],
) -> None:
    config = VARIANTS[variant]
    assert config.name == variant
    assert config.bursts_per_frame == bursts
    assert config.hidden_shape == hidden_shape
    assert config.hidden_width == hidden_shape[1]
    assert config.feature_channels == features
    assert config.burst_shape == burst_shape
    assert config.frame_shape == frame_shape


def test_there_are_two_variants() -> None:
    assert list(VARIANTS) == ["105x120", "210x240"]


@settings(max_examples=20)
@given(configs)
def test_bursts_cover_the_frame_exactly(config: RaScaNetConfig) -> None:
    assert config.bursts_per_frame * config.burst_shape[0] == config.frame_shape[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "height"),
        ({"height": -5}, "height"),
        ({"height": 104}, "height"),
        ({"width": 15}, "width"),
        ({"head_channels": (5, 9, 18)}, "head_channels"),
        ({"head_channels": (5, 9, 18, 0)}, "head_channels"),
        ({"hidden_channels": 0}, "hidden_channels"),
        ({"hidden_channels": 42}, "hidden_channels"),
        ({"height": 4100}, "height"),
        ({"height": 5 * 10**30}, "height"),
        ({"width": 4097}, "width"),
        ({"width": 2**32 + 16}, "width"),
        ({"head_channels": (1, 1, 1, 513)}, "head_channels"),
        ({"hidden_channels": 1028}, "hidden_channels"),
    ],
)
def test_sizes_that_the_structure_cannot_take_are_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message} must be"):
        replace(VALID, **change)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        VALID.height = 110  # type: ignore[misc]


@settings(max_examples=20)
@given(configs)
def test_a_dict_through_json_gives_the_config_back(config: RaScaNetConfig) -> None:
    assert RaScaNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"height": 105, "width": 120, "head_channels": [5, 9, 18, 32]},
        VALID.to_dict() | {"depth": 3},
        VALID.to_dict() | {"height": 105.0},
        VALID.to_dict() | {"height": "105"},
        VALID.to_dict() | {"head_channels": 5},
        VALID.to_dict() | {"head_channels": "5918"},
        VALID.to_dict() | {"head_channels": [5, 9, 18, None]},
        VALID.to_dict() | {"head_channels": []},
        VALID.to_dict() | {"head_channels": [5, 9, 18, True]},
    ],
)
def test_malformed_dicts_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"config|head_channels"):
        RaScaNetConfig.from_dict(fields)
