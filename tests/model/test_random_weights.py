import numpy as np

from model.checkpoint import tensor_shapes
from model.runtime import load_runtime
from tests.model.random_networks import random_frames
from tests.networks import SMALL, person_curve, random_checkpoint


def test_the_seed_makes_the_weights() -> None:
    assert random_checkpoint(SMALL, 1).digest == random_checkpoint(SMALL, 1).digest
    assert random_checkpoint(SMALL, 1).digest != random_checkpoint(SMALL, 2).digest
    assert {name: tensor.shape for name, tensor in random_checkpoint(SMALL, 1).tensors.items()} == tensor_shapes(SMALL)


def test_random_networks_say_different_things_of_different_frames() -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 1))
    curves = np.array([person_curve(runtime, frame) for frame in random_frames(SMALL, 6, 3)])
    assert len(np.unique(curves[:, -1])) == 6
    assert ((curves > 0) & (curves < 1)).all()
