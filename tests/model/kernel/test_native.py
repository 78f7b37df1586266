from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from model.kernel._kernel import ffi, lib
from torch import Tensor

from model.checkpoint import Checkpoint, import_public_checkpoint
from model.config import VARIANTS, RaScaNetConfig
from model.kernel.instruction_set import supported
from model.kernel.native import NativeRuntime, instruction_sets
from model.preprocess import network_input, pixel_table
from model.runtime import load_runtime
from model.step import Hidden, RuntimeUnavailableError
from model.torch_runtime import TorchRuntime, network_from
from tests.golden import ORACLE
from tests.networks import SMALL, is_config, random_checkpoint

ISAS = instruction_sets()

configs = st.builds(
    RaScaNetConfig,
    height=st.just(15),
    width=st.integers(16, 140),
    head_channels=st.tuples(*[st.integers(1, 20)] * 3, st.integers(1, 45)),
    hidden_channels=st.integers(1, 14).map(lambda quarter: 4 * quarter),
)


def _frame(config: RaScaNetConfig, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, config.frame_shape, np.uint8)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden vectors' folder is not here")
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_golden_vectors(variant: str, isa: str) -> None:
    runtime = NativeRuntime(import_public_checkpoint(ORACLE / f"random_weights_{variant}.pth"), isa)
    vectors = np.load(ORACLE / f"vectors_{variant}.npz")
    for index, frame in enumerate(vectors["frames"]):
        whole = runtime.step(frame, runtime.initial_hidden())
        assert whole.logits == pytest.approx(vectors["burst_logits"][index], abs=1e-4)
        assert whole.confidence == pytest.approx(vectors["burst_confidence"][index], abs=2e-5)
        if index < len(vectors["hidden_states_first4"]):
            hidden = runtime.initial_hidden()
            for burst, expected in enumerate(vectors["hidden_states_first4"][index]):
                runtime.step(frame[5 * burst : 5 * burst + 5], hidden)
                assert hidden == pytest.approx(expected, abs=2e-5)


@torch.inference_mode()
def _in_float64(checkpoint: Checkpoint, frame: npt.NDArray[np.uint8], hidden: Hidden) -> tuple[list[Tensor], Tensor]:
    """Logits and confidence of each burst, and the last hidden state: torch in float32 errs more than the kernel."""
    network, state = network_from(checkpoint).double(), torch.from_numpy(hidden).double()[None]
    outputs = []
    for burst in torch.from_numpy(network_input(frame.reshape(-1, *checkpoint.config.burst_shape))).double():
        outputs.append(network.step(burst[None], state))
        state = outputs[-1].hidden
    return [torch.cat([getattr(each, name) for each in outputs]) for name in ("logits", "confidence")], state[0]


@given(config=configs, seed=st.integers(0, 999), isa=st.sampled_from(ISAS))
@example(
    config=RaScaNetConfig(height=15, width=58, head_channels=(7, 17, 17, 1), hidden_channels=48), seed=401, isa=ISAS[0]
)
def test_equals_the_definition_for_any_network(config: RaScaNetConfig, seed: int, isa: str) -> None:
    checkpoint, frame = random_checkpoint(config, seed), _frame(config, seed)
    hidden = np.random.default_rng(seed).uniform(-1, 1, config.hidden_shape).astype(np.float32)
    (logits, confidence), expected = _in_float64(checkpoint, frame, hidden)
    found = NativeRuntime(checkpoint, isa).step(frame, hidden)
    assert found.logits == pytest.approx(logits.numpy(), abs=1e-4, rel=1e-4)
    assert found.confidence == pytest.approx(confidence.numpy(), abs=2e-5)
    assert hidden == pytest.approx(expected.numpy(), abs=2e-5)


@given(isa=st.sampled_from(ISAS), cut=st.integers(1, SMALL.bursts_per_frame - 1), seed=st.integers(0, 99))
def test_any_cut_gives_the_same_bits(isa: str, cut: int, seed: int) -> None:
    runtime = NativeRuntime(random_checkpoint(SMALL, 1), isa)
    frame = _frame(SMALL, seed)
    whole, parts = runtime.initial_hidden(), runtime.initial_hidden()
    logits = runtime.step(frame, whole).logits
    first, second = (runtime.step(part, parts).logits for part in np.split(frame, [cut * SMALL.BURST_ROWS]))
    assert np.array_equal(logits, np.concatenate([first, second]))
    assert np.array_equal(whole, parts)


@given(config=configs, seed=st.integers(0, 99), isa=st.sampled_from(ISAS))
@example(config=RaScaNetConfig(15, 128, (1, 1, 1, 1), 4), seed=0, isa=ISAS[0])  # the hidden state fills its vectors
def test_scratch_may_hold_anything(config: RaScaNetConfig, seed: int, isa: str) -> None:
    runtime = NativeRuntime(random_checkpoint(config, seed), isa)
    network, frame = runtime._network, _frame(config, seed)
    expected, hidden = runtime.step(frame, runtime.initial_hidden()), runtime.initial_hidden()
    outputs = np.empty(4 * config.bursts_per_frame, np.float32)
    scratch = np.full(network.scratch_floats, np.nan, np.float32)
    places = [ffi.from_buffer("float[]", each) for each in (hidden, outputs, scratch)]
    rows = ffi.from_buffer("uint8_t[]", frame)
    shape = ffi.addressof(network.shape)
    assert network.isa.step(shape, network.packed, rows, config.bursts_per_frame, *places) == 0
    assert outputs.tolist() == expected.outputs


@pytest.mark.parametrize("isa", ISAS)
def test_every_pixel_value_is_scaled_as_preprocess_says(isa: str) -> None:
    config = RaScaNetConfig(height=5, width=16, head_channels=(1, 1, 1, 1), hidden_channels=4)
    checkpoint = random_checkpoint(config, 3)
    runtime, torch = NativeRuntime(checkpoint, isa), TorchRuntime(checkpoint)
    assert set(np.diff(pixel_table())) == {0.0, 1.0}
    for value in range(256):
        burst = np.full(config.burst_shape, value, np.uint8)
        hidden = [runtime.initial_hidden(), runtime.initial_hidden()]
        runtime.step(burst, hidden[0])
        torch.step(burst, hidden[1])
        assert hidden[0] == pytest.approx(hidden[1], abs=1e-6), value


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("magnitude", [1e-30, 1e4, 1e30])
def test_extreme_weights_stay_finite(isa: str, magnitude: float) -> None:
    checkpoint = random_checkpoint(SMALL, 2)
    tensors = dict(checkpoint.tensors)
    for name in ("gru.update.weight", "gru.candidate.weight", "attention.excite.weight"):
        tensors[name] = tensors[name] * np.float32(magnitude)
    runtime = NativeRuntime(replace(checkpoint, tensors=tensors), isa)
    hidden = runtime.initial_hidden()
    result = runtime.step(_frame(SMALL, 0), hidden)
    assert np.isfinite(hidden).all()
    assert np.abs(hidden).max() <= 1
    assert np.isfinite(result.logits).all()


def test_threads_do_not_disturb_each_other() -> None:
    runtime = NativeRuntime(random_checkpoint(SMALL, 1))
    frames = [_frame(SMALL, seed) for seed in range(8)]
    expected = [runtime.step(frame, runtime.initial_hidden()).logits for frame in frames]

    def equal(index: int) -> bool:
        again = (runtime.step(frames[index], runtime.initial_hidden()).logits for _ in range(200))
        return all(np.array_equal(logits, expected[index]) for logits in again)

    with ThreadPoolExecutor(len(frames)) as pool:
        assert all(pool.map(equal, range(len(frames))))


def test_rows_that_are_not_contiguous() -> None:
    runtime = NativeRuntime(random_checkpoint(SMALL, 1))
    frame = _frame(SMALL, 0)
    wide = np.repeat(frame, 2, axis=1)[:, ::2]
    assert not wide.flags.c_contiguous
    logits = [runtime.step(each, runtime.initial_hidden()).logits for each in (frame, wide)]
    assert np.array_equal(logits[0], logits[1])


@pytest.mark.parametrize(
    "hidden",
    [
        np.zeros(SMALL.hidden_shape),
        np.zeros((SMALL.hidden_channels, SMALL.hidden_width + 1), np.float32),
        np.zeros(SMALL.hidden_shape[::-1], np.float32).T,
        np.frombuffer(np.zeros(SMALL.hidden_shape, np.float32).tobytes(), np.float32).reshape(SMALL.hidden_shape),
        np.zeros(4 * SMALL.hidden_channels * SMALL.hidden_width + 1, np.uint8)[1:]
        .view(np.float32)
        .reshape(SMALL.hidden_shape),
    ],
    ids=["float64", "a column too many", "not in C order", "read-only", "not aligned"],
)
def test_hidden_states_that_cannot_be_advanced_are_refused(hidden: Hidden) -> None:
    with pytest.raises(ValueError, match="hidden must be"):
        NativeRuntime(random_checkpoint(SMALL, 1)).step(_frame(SMALL, 0), hidden)


@given(
    width=st.integers(-(2**31), 2**31 - 1) | st.integers(10, 4100),
    hidden=st.integers(1, 256).map(lambda quarter: 4 * quarter) | st.integers(-(2**31), 2**31 - 1),
    head=st.tuples(*[st.integers(-(2**31), 2**31 - 1) | st.integers(0, 513)] * 4),
)
@example(width=4096, hidden=1024, head=(512, 512, 512, 512))
@example(width=4097, hidden=1024, head=(512, 512, 512, 512))
@example(width=4096, hidden=1028, head=(512, 512, 512, 512))
@example(width=4096, hidden=1024, head=(512, 512, 512, 513))
def test_hostile_shapes_are_refused(width: int, hidden: int, head: tuple[int, int, int, int]) -> None:
    shape = ffi.new("rascanet_shape *", (width, hidden, head))
    legal = is_config(width, hidden, head)
    for _, isa in supported(lib.rascanet_isa_at):
        assert (isa.packed_floats(shape) > 0) == legal
        assert (isa.scratch_floats(shape) > 0) == legal
        if not legal:
            assert isa.pack(shape, ffi.NULL, ffi.NULL) == -1
            assert isa.step(shape, *[ffi.NULL] * 2, 1, *[ffi.NULL] * 3) == -1


def test_instruction_set_is_forced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RASCANET_ISA", "plain")
    assert NativeRuntime(random_checkpoint(SMALL, 1)).isa == "plain"
    monkeypatch.setenv("RASCANET_ISA", "abacus")
    with pytest.raises(RuntimeUnavailableError, match="abacus"):
        NativeRuntime(random_checkpoint(SMALL, 1))


def test_load_runtime_by_name() -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    assert isinstance(load_runtime(checkpoint), NativeRuntime)
    assert isinstance(load_runtime(checkpoint, "native"), NativeRuntime)
    assert isinstance(load_runtime(checkpoint, "torch"), TorchRuntime)
    with pytest.raises(RuntimeUnavailableError, match="abacus"):
        load_runtime(checkpoint, "abacus")
