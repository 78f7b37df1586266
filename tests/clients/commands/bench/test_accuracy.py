from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from clients.commands.bench.accuracy import load_pictures, of_runtime, of_streams
from clients.commands.bench.baselines import INTEGER_BASELINES, Baseline, Streams
from model.kernel.native import NativeRuntime
from tests.model.random_networks import p_person, random_frames
from tests.model.training.folders import write_twelve
from tests.networks import SMALL, person_curve, random_checkpoint


def _streams(runtime: NativeRuntime) -> Streams:
    """A single one, on the kernel."""
    hidden = runtime.initial_hidden()

    def step(rows: npt.NDArray[np.uint8]) -> npt.ArrayLike:
        return [runtime.step(rows[0], hidden).outputs[:2]]

    def begin() -> None:
        hidden[:] = 0

    return Streams(step, begin)


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_is_judged_as_a_runtime_is(seed: int, tmp_path: Path) -> None:
    """Every picture begins anew, and its last burst decides."""
    pictures = load_pictures(write_twelve(tmp_path), SMALL)
    assert (len(pictures.judged), len(pictures.seen)) == (6, 6)
    runtime = NativeRuntime(random_checkpoint(SMALL, seed))
    assert of_streams(_streams(runtime), pictures, SMALL) == of_runtime(runtime, pictures)


@pytest.mark.parametrize("baseline", INTEGER_BASELINES, ids=lambda each: each.name)
def test_integers_of_others_are_near_the_float_network_and_begin_anew(baseline: Baseline) -> None:
    if baseline.missing:
        pytest.skip(f"{baseline.missing} is not installed (`make full`)")
    checkpoint, frames = random_checkpoint(SMALL, 1), random_frames(SMALL, 2, 1)
    streams, runtime = baseline.make(checkpoint, 1, frames), NativeRuntime(checkpoint)
    for frame in (*frames, frames[0]):
        streams.begin()
        bursts = frame.reshape(-1, 1, *SMALL.burst_shape)
        found = [float(p_person(np.array(streams.step(burst)))[0]) for burst in bursts]
        wanted = person_curve(runtime, frame)
        assert np.abs(found - wanted).max() < 0.1
        assert found != wanted.tolist()
