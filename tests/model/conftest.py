from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.checkpoint import Checkpoint, import_public_checkpoint
from model.config import VARIANTS
from tests.golden import ORACLE


class Oracle:
    """The published network's outputs for one variant, and its weights through our import."""

    def __init__(self, variant: str) -> None:
        weights, vectors = ORACLE / f"random_weights_{variant}.pth", ORACLE / f"vectors_{variant}.npz"
        if not weights.is_file() or not vectors.is_file():
            pytest.skip(f"the golden vectors of {variant} are not beside this repository")
        self.checkpoint: Checkpoint = import_public_checkpoint(weights)
        with np.load(vectors) as arrays:
            self._arrays: dict[str, npt.NDArray[Any]] = dict(arrays)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]


@pytest.fixture(scope="session", params=list(VARIANTS))
def oracle(request: pytest.FixtureRequest) -> Oracle:
    return Oracle(request.param)
