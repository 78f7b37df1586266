import numpy as np
import pytest

from model.config import VARIANTS, RaScaNetConfig
from tests.model.random_networks import LOGITS_TOLERANCE, STATE_TOLERANCE
from tests.vectors.make_network import network_outputs, vector_file


@pytest.mark.parametrize("config", VARIANTS.values(), ids=lambda config: config.name)
def test_our_network_says_what_it_said_when_recorded(config: RaScaNetConfig) -> None:
    found = network_outputs(config)
    with np.load(vector_file(config)) as recorded:
        assert set(recorded) == set(found)
        for name, tolerance in (
            ("logits", LOGITS_TOLERANCE),
            ("confidence", STATE_TOLERANCE),
            ("hidden", STATE_TOLERANCE),
        ):
            np.testing.assert_allclose(found[name], recorded[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=lambda config: config.name)
def test_the_recorded_outputs_can_tell_networks_apart(config: RaScaNetConfig) -> None:
    with np.load(vector_file(config)) as recorded:
        for name in ("logits", "confidence", "hidden"):
            # Frames and bursts differ by far more than the tolerance.
            assert np.abs(np.diff(recorded[name], axis=1)).max() > 1e-2
            assert np.abs(np.diff(recorded[name], axis=0)).max() > 1e-2
