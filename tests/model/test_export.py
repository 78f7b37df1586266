from typing import get_args

import numpy as np
import pytest
import torch

from model.config import VARIANTS, RaScaNetConfig
from model.export import Form, RowsStep, folded_network
from model.preprocess import network_input
from model.torch_runtime import network_from
from tests.model.random_networks import random_frames
from tests.networks import SMALL, random_checkpoint


@torch.inference_mode()
@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("config", [SMALL, VARIANTS["105x120"]], ids=lambda config: config.name)
def test_every_form_is_the_network(form: Form, config: RaScaNetConfig) -> None:
    checkpoint = random_checkpoint(config, 1)
    plain, folded = network_from(checkpoint), folded_network(checkpoint, form)
    frames = torch.from_numpy(network_input(random_frames(config, 3, 2)))
    expected, found = plain(frames), folded(frames)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.confidence_logits, expected.confidence_logits, rtol=1e-4, atol=1e-4)
    hidden = found.hidden.transpose(1, 2) if form == "gemm" else found.hidden
    torch.testing.assert_close(hidden, expected.hidden, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("form", get_args(Form))
def test_a_step_takes_rows_as_the_sensor_gives_them(form: Form) -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    plain, step = network_from(checkpoint), RowsStep(folded_network(checkpoint, form)).eval()
    rows = random_frames(SMALL, 2, 3)[:, : SMALL.BURST_ROWS]
    logits, confidence, _ = step(torch.from_numpy(rows), step.network.initial_hidden(2))
    expected = plain.step(torch.from_numpy(network_input(rows)), plain.initial_hidden(2))
    torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(confidence, expected.confidence, rtol=1e-4, atol=1e-4)


def test_pixels_are_scaled_without_a_table() -> None:
    step = RowsStep(folded_network(random_checkpoint(SMALL, 1), "conv"))
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    assert np.array_equal(step.network_input(torch.from_numpy(pixels)).numpy(), network_input(pixels))
