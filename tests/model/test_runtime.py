import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import RaScaNetConfig
from model.preprocess import network_input
from model.runtime import load_runtime
from model.step import StepResult
from model.torch_runtime import network_from
from tests.model.conftest import Oracle
from tests.model.random_networks import (
    LOGITS_TOLERANCE,
    STATE_TOLERANCE,
    configs,
    p_person,
    random_frames,
    seeds,
)
from tests.networks import SMALL, random_checkpoint

Frame = npt.NDArray[np.uint8]


def assert_same(found: StepResult, expected: StepResult) -> None:
    np.testing.assert_allclose(found.logits, expected.logits, rtol=0, atol=LOGITS_TOLERANCE)
    np.testing.assert_allclose(found.confidence, expected.confidence, rtol=0, atol=STATE_TOLERANCE)


def test_folded_steps_are_the_published_network(oracle: Oracle) -> None:
    runtime = load_runtime(oracle.checkpoint)
    for index, (frame, states) in enumerate(zip(oracle["frames"], oracle["hidden_states_first4"], strict=False)):
        hidden = runtime.initial_hidden()
        for burst, rows in enumerate(np.split(frame, len(states))):
            result = runtime.step(rows, hidden)
            logits = oracle["burst_logits"][index, burst]
            np.testing.assert_allclose(result.logits[0], logits, rtol=0, atol=LOGITS_TOLERANCE)
            np.testing.assert_allclose(result.p_person[0], p_person(logits), rtol=0, atol=STATE_TOLERANCE)
            confidence = oracle["burst_confidence"][index, burst]
            np.testing.assert_allclose(result.confidence[0], confidence, rtol=0, atol=STATE_TOLERANCE)
            np.testing.assert_allclose(hidden, states[burst], rtol=0, atol=STATE_TOLERANCE)


@settings(max_examples=25)
@given(configs, seeds, st.data())
def test_any_chunking_of_a_frame_equals_forward(config: RaScaNetConfig, seed: int, data: st.DataObject) -> None:
    bursts = config.bursts_per_frame
    cuts = sorted(data.draw(st.sets(st.integers(1, bursts - 1))) if bursts > 1 else ())
    checkpoint = random_checkpoint(config, seed)
    frame = random_frames(config, 1, seed)[0]
    with torch.inference_mode():
        whole = network_from(checkpoint)(torch.from_numpy(network_input(frame[None])))
    runtime = load_runtime(checkpoint)
    hidden = runtime.initial_hidden()
    parts = [runtime.step(rows, hidden) for rows in np.split(frame, [cut * config.BURST_ROWS for cut in cuts])]
    found = StepResult.of(
        np.concatenate([part.logits for part in parts]), np.concatenate([part.confidence for part in parts])
    )
    assert_same(found, StepResult.of(whole.logits[0].numpy(), whole.confidence_logits[0].sigmoid().numpy()))
    np.testing.assert_allclose(hidden, whole.hidden[0].numpy(), rtol=0, atol=STATE_TOLERANCE)


@settings(max_examples=20)
@given(seeds, st.permutations([0] * SMALL.bursts_per_frame + [1] * SMALL.bursts_per_frame))
def test_interleaved_streams_do_not_see_each_other(seed: int, turns: list[int]) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    frames = random_frames(SMALL, 2, seed)
    alone, alone_hidden = [], []
    for frame in frames:
        hidden = runtime.initial_hidden()
        alone.append(runtime.step(frame, hidden))
        alone_hidden.append(hidden)
    streams = [iter(np.split(frame, SMALL.bursts_per_frame)) for frame in frames]
    states = [runtime.initial_hidden() for _ in frames]
    results: list[list[StepResult]] = [[], []]
    for stream in turns:
        results[stream].append(runtime.step(next(streams[stream]), states[stream]))
    for stream in (0, 1):
        logits = np.concatenate([result.logits for result in results[stream]])
        np.testing.assert_allclose(logits, alone[stream].logits, rtol=0, atol=1e-6)
        np.testing.assert_allclose(states[stream], alone_hidden[stream], rtol=0, atol=1e-6)
    # Streams that cannot be told apart would make this test pass whatever happened.
    assert not np.allclose(states[0], states[1], atol=1e-4)


@settings(max_examples=20)
@given(seeds)
def test_the_same_burst_gives_the_same_answer_whatever_came_before(seed: int) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    first, other = random_frames(SMALL, 2, seed)
    fresh = runtime.initial_hidden()
    answer = runtime.step(first, fresh)
    kept = answer.logits.copy()
    runtime.step(other, runtime.initial_hidden())
    again = runtime.initial_hidden()
    assert not again.any()
    np.testing.assert_array_equal(runtime.step(first, again).logits, kept)
    np.testing.assert_array_equal(again, fresh)
    np.testing.assert_array_equal(answer.logits, kept)  # a result is not overwritten by later steps


def test_step_writes_hidden_and_nothing_else() -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 1))
    frame = random_frames(SMALL, 1, 1)[0]
    frame.flags.writeable = False  # rows come straight out of a message
    hidden = runtime.initial_hidden()
    runtime.step(frame, hidden)
    assert hidden.any()


def test_results_of_a_read_only_view_into_a_larger_array() -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 1))
    frame = random_frames(SMALL, 1, 1)[0]
    wide = np.zeros((SMALL.height, 2 * SMALL.width, 3), np.uint8)
    wide[:, ::2] = frame
    expected = runtime.step(frame, runtime.initial_hidden())
    assert_same(runtime.step(wide[:, ::2], runtime.initial_hidden()), expected)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((5, 32, 3), np.float32),
        np.zeros((5, 32, 3), np.int8),
        np.zeros((4, 32, 3), np.uint8),
        np.zeros((6, 32, 3), np.uint8),
        np.zeros((0, 32, 3), np.uint8),
        np.zeros((5, 31, 3), np.uint8),
        np.zeros((5, 32, 4), np.uint8),
        np.zeros((5, 32), np.uint8),
        np.zeros((1, 5, 32, 3), np.uint8),
    ],
    ids=lambda rows: f"{rows.dtype}-{rows.shape}",
)
def test_rows_that_are_not_bursts_are_refused(rows: Frame) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 1))
    hidden = runtime.initial_hidden()
    with pytest.raises(ValueError, match=r"^rows must"):
        runtime.step(rows, hidden)
    assert not hidden.any()


@pytest.mark.parametrize(
    "hidden",
    [np.zeros((8, 2)), np.zeros((8, 3), np.float32), np.zeros((2, 8), np.float32), np.zeros((1, 8, 2), np.float32)],
    ids=lambda hidden: f"{hidden.dtype}-{hidden.shape}",
)
def test_hidden_states_of_another_network_are_refused(hidden: npt.NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"^hidden must be float32 \(8, 2\)"):
        load_runtime(random_checkpoint(SMALL, 1)).step(np.zeros((5, 32, 3), np.uint8), hidden)


def test_p_person_is_the_softmax_of_the_logits() -> None:
    logits = np.array([[0, 0], [1, 3], [90, -90], [-90, 90]], np.float32)
    result = StepResult.of(logits, np.zeros(4, np.float32))
    np.testing.assert_allclose(result.p_person, p_person(logits), rtol=0, atol=1e-7)
