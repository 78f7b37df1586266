"""The package reads the numbers of a file of weights as Python does, whichever way they are stored."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from model.checkpoint import FORMAT, LABELS, load_checkpoint, save_checkpoint
from model.config import RaScaNetConfig
from tests.clients.javascript.engines import MISSING
from tests.model.random_networks import configs, seeds
from tests.networks import SMALL, float16_checkpoint, random_checkpoint

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

READ = Path(__file__).with_name("read_weights.mjs")
LIMIT_S = 60


def in_node(files: Sequence[Path]) -> list[npt.NDArray[np.float32]]:
    """The numbers of each file's tensors, one tensor after the other in the order of their names."""
    subprocess.run(["node", READ, *files], check=True, timeout=LIMIT_S)
    return [np.fromfile(f"{file}.values", "<f4") for file in files]


def test_each_of_the_65536_numbers_of_float16_is_numpys(tmp_path: Path) -> None:
    numbers, file = np.arange(2**16, dtype=np.uint16).view(np.float16), tmp_path / "all.safetensors"
    metadata = {
        "format": FORMAT,
        "config": json.dumps(SMALL.to_dict()),
        "labels": json.dumps(LABELS),
        "provenance": "{}",
        "digest": "none",
    }
    save_file({"all": numbers}, file, metadata)
    [found] = in_node([file])
    expected = numbers.astype(np.float32)
    assert np.isnan(expected).sum() == 2 * 1023
    assert np.array_equal(found, expected, equal_nan=True)
    numbers_alone = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[numbers_alone]), np.signbit(expected[numbers_alone]))


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(configs, seeds, st.booleans()), min_size=4, max_size=12))
def test_networks_have_the_same_numbers_in_node(drawn: list[tuple[RaScaNetConfig, int, bool]]) -> None:
    """Of float16 or not."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.safetensors" for number in range(len(drawn))]
        for file, (config, seed, half) in zip(files, drawn, strict=True):
            save_checkpoint((float16_checkpoint if half else random_checkpoint)(config, seed), file)
        for file, found in zip(files, in_node(files), strict=True):
            tensors = load_checkpoint(file).tensors
            assert found.tobytes() == b"".join(tensors[name].tobytes() for name in sorted(tensors))
