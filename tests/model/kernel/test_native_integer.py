from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model.kernel._kernel import ffi, lib

from model.checkpoint import save_checkpoint, shipped_weights
from model.config import VARIANTS, RaScaNetConfig
from model.integer.arithmetic import LOGIT_BITS, SIGMOID_TABLE, UNIT_BITS, sigmoid
from model.integer.checkpoint import load_integer_checkpoint, save_integer_checkpoint
from model.integer.network import IntegerNetwork
from model.integer.quantise import FoldedNetwork, activation_scales, quantise
from model.kernel.instruction_set import supported
from model.kernel.native import NativeRuntime
from model.kernel.native_integer import IntegerRuntime, instruction_sets
from model.runtime import load_any_checkpoint, load_runtime
from model.step import Hidden, RuntimeUnavailableError
from tests.golden import ORACLE, golden_frames, golden_integers
from tests.networks import SMALL, is_config, random_checkpoint, random_integer_network

ISAS = instruction_sets()
SCALES = 2.0 ** -np.array([LOGIT_BITS, LOGIT_BITS, UNIT_BITS, UNIT_BITS])

configs = st.builds(
    RaScaNetConfig,
    height=st.just(15),
    width=st.integers(16, 140),
    head_channels=st.tuples(*[st.integers(1, 20)] * 3, st.integers(1, 45)),
    hidden_channels=st.integers(1, 14).map(lambda quarter: 4 * quarter),
)


def _frame(config: RaScaNetConfig, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, config.frame_shape, np.uint8)


def _start(network: IntegerNetwork, seed: int) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, network.hidden_shape, np.int16)


def _by_reference(
    network: IntegerNetwork, frame: npt.NDArray[np.uint8], hidden: npt.NDArray[np.int16]
) -> tuple[list[list[float]], list[npt.NDArray[np.int16]]]:
    """Outputs and state after each burst."""
    outputs, states = [], []
    for burst in frame.reshape(-1, *network.config.burst_shape):
        made = network.step(burst[None], hidden[None])
        hidden = made.hidden[0]
        outputs.append((np.array([*made.logits[0], made.confidence[0], made.p_person[0]]) * SCALES).tolist())
        states.append(hidden)
    return outputs, states


def _equals_the_reference(network: IntegerNetwork, frame: npt.NDArray[np.uint8], seed: int | None) -> None:
    """Every instruction set, burst by burst, states included."""
    first = np.zeros(network.hidden_shape, np.int16) if seed is None else _start(network, seed)
    outputs, states = _by_reference(network, frame, first)
    for isa in ISAS:
        runtime, hidden = IntegerRuntime(network, isa), first.copy()
        for index, burst in enumerate(frame.reshape(-1, *network.config.burst_shape)):
            assert runtime.step(burst, hidden).outputs == outputs[index], (isa, index)
            assert np.array_equal(hidden, states[index]), (isa, index)


@given(config=configs, seed=st.integers(0, 999))
@example(config=RaScaNetConfig(15, 128, (1, 1, 1, 1), 4), seed=0)
@example(config=RaScaNetConfig(15, 16, (8, 8, 8, 8), 8), seed=1)
@example(config=RaScaNetConfig(15, 240, (6, 10, 17, 42), 52), seed=2)  # 15 columns; one or two channels left over
@example(config=RaScaNetConfig(15, 260, (7, 13, 22, 33), 12), seed=3)
def test_equals_the_reference_for_any_numbers(config: RaScaNetConfig, seed: int) -> None:
    _equals_the_reference(random_integer_network(config, seed), _frame(config, seed), seed)


@given(config=configs, seed=st.integers(0, 999))
@settings(max_examples=10)
def test_equals_the_reference_for_quantised_networks(config: RaScaNetConfig, seed: int) -> None:
    checkpoint, frame = random_checkpoint(config, seed), _frame(config, seed)
    network = quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), frame[None]))
    _equals_the_reference(network, frame, None)


@pytest.mark.parametrize(("name", "shift"), [("squeeze", -1), ("excite", 14), ("gate0", 5), ("gate1", 5), ("gate2", 5)])
def test_equals_the_reference_where_values_must_be_scaled_one_by_one(name: str, shift: int) -> None:
    """By shifts that neither weights of 16 bits nor sums of 32 have room for."""
    network = random_integer_network(SMALL, 1)
    layer = network.layers[name]
    outputs = np.arange(len(layer.bias), dtype=np.int32)
    largest = (255 if name == "squeeze" else 1 << 15) * 2.0 ** (1 - shift)
    steep = layer._replace(
        weight=layer.weight
        * (outputs == 0)[:, None].astype(np.int8),  # the first has no room, the others do not end at a limit
        bias=np.linspace(-largest, largest, len(outputs)).astype(np.int32),
        multiplier=(1 << 30) + (outputs << 26),
        shift=np.full_like(layer.shift, shift),
    )
    _equals_the_reference(replace(network, layers={**network.layers, name: steep}), _frame(SMALL, 1), 1)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden vectors' folder is not here")
@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_reference_for_the_golden_weights(variant: str) -> None:
    network = golden_integers(variant)
    for frame in golden_frames(variant)[:2]:
        _equals_the_reference(network, frame, None)


@given(
    config=configs,
    seed=st.integers(0, 99),
    isa=st.sampled_from(ISAS),
    cut=st.integers(1, 2),
)
def test_any_cut_gives_the_same_bits(config: RaScaNetConfig, seed: int, isa: str, cut: int) -> None:
    runtime, frame = IntegerRuntime(random_integer_network(config, seed), isa), _frame(config, seed)
    whole, parts = runtime.initial_hidden(), runtime.initial_hidden()
    outputs = runtime.step(frame, whole).outputs
    first, second = (runtime.step(part, parts).outputs for part in np.split(frame, [cut * config.BURST_ROWS]))
    assert outputs == first + second
    assert np.array_equal(whole, parts)


@given(config=configs, seed=st.integers(0, 99), isa=st.sampled_from(ISAS), filling=st.integers(0, 255))
def test_scratch_may_hold_anything(config: RaScaNetConfig, seed: int, isa: str, filling: int) -> None:
    runtime = IntegerRuntime(random_integer_network(config, seed), isa)
    ready, frame = runtime._network, _frame(config, seed)
    expected, hidden = runtime.step(frame, runtime.initial_hidden()), runtime.initial_hidden()
    outputs = np.empty((config.bursts_per_frame, 4), np.int32)
    scratch = np.full(ready.scratch_bytes + 64, filling, np.uint8)
    scratch = scratch[-scratch.ctypes.data % 64 :]
    places = [
        ffi.from_buffer("int16_t[]", hidden),
        ffi.cast("rascanet_integer_output *", ffi.from_buffer(outputs)),
        ffi.from_buffer(scratch),
    ]
    rows = ffi.from_buffer("uint8_t[]", frame)
    assert ready.isa.step(ready.network, ready.packed, rows, config.bursts_per_frame, *places) == 0
    assert (outputs * SCALES).ravel().tolist() == expected.outputs


def test_the_sigmoid_and_its_table_are_the_references() -> None:
    arguments = np.arange(-(1 << 15), 1 << 15)
    assert [lib.rascanet_integer_sigmoid(int(each)) for each in arguments] == sigmoid(arguments).tolist()
    table = Path(__file__).parents[3] / "model" / "kernel" / "integer_table.inc"
    numbers = [int(word) for word in table.read_text().replace("{", " ").replace("}", " ").replace(",", " ").split()]
    assert numbers == SIGMOID_TABLE.ravel().tolist()


def test_threads_do_not_disturb_each_other() -> None:
    runtime = IntegerRuntime(random_integer_network(SMALL, 1))
    frames = [_frame(SMALL, seed) for seed in range(8)]
    expected = [runtime.step(frame, runtime.initial_hidden()).outputs for frame in frames]

    def equal(index: int) -> bool:
        again = (runtime.step(frames[index], runtime.initial_hidden()).outputs for _ in range(200))
        return all(outputs == expected[index] for outputs in again)

    with ThreadPoolExecutor(len(frames)) as pool:
        assert all(pool.map(equal, range(len(frames))))


def test_rows_that_are_not_contiguous() -> None:
    runtime, frame = IntegerRuntime(random_integer_network(SMALL, 1)), _frame(SMALL, 0)
    wide = np.repeat(frame, 2, axis=1)[:, ::2]
    outputs = [runtime.step(each, runtime.initial_hidden()).outputs for each in (frame, wide)]
    assert outputs[0] == outputs[1]


SHAPE = SMALL.hidden_shape[::-1]


@pytest.mark.parametrize(
    "hidden",
    [
        np.zeros(SHAPE, np.float32),
        np.zeros(SHAPE, np.uint16),
        np.zeros(SHAPE[::-1], np.int16),
        np.zeros(SHAPE[::-1], np.int16).T,
        np.frombuffer(np.zeros(SHAPE, np.int16).tobytes(), np.int16).reshape(SHAPE),
        np.zeros(2 * SHAPE[0] * SHAPE[1] + 1, np.uint8)[1:].view(np.int16).reshape(SHAPE),
    ],
    ids=["float32", "unsigned", "turned", "not in C order", "read-only", "not aligned"],
)
def test_hidden_states_that_cannot_be_advanced_are_refused(hidden: Hidden) -> None:
    with pytest.raises(ValueError, match="hidden must be"):
        IntegerRuntime(random_integer_network(SMALL, 1)).step(_frame(SMALL, 0), hidden)


@given(
    width=st.integers(-(2**31), 2**31 - 1) | st.integers(10, 4100),
    hidden=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 256).map(lambda quarter: 4 * quarter),
    head=st.tuples(*[st.integers(1, 513)] * 4),
)
@example(width=4096, hidden=1024, head=(512, 512, 512, 512))
@example(width=4097, hidden=1024, head=(512, 512, 512, 512))
@example(width=4096, hidden=1028, head=(512, 512, 512, 512))
@example(width=4096, hidden=1024, head=(512, 512, 512, 513))
def test_hostile_shapes_are_refused(width: int, hidden: int, head: tuple[int, int, int, int]) -> None:
    network = ffi.new("rascanet_integer_network *", {"width": width, "hidden": hidden, "head": head})
    legal = is_config(width, hidden, head)
    for _, isa in supported(lib.rascanet_integer_isa_at):
        assert (isa.packed_bytes(network) > 0) == legal
        assert (isa.scratch_bytes(network) > 0) == legal
        if not legal:
            assert isa.pack(network, ffi.NULL) == -1
            assert isa.step(network, *[ffi.NULL] * 2, 1, *[ffi.NULL] * 3) == -1


def test_instruction_set_is_forced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RASCANET_INTEGER_ISA", "plain")
    assert IntegerRuntime(random_integer_network(SMALL, 1)).isa == "plain"
    monkeypatch.setenv("RASCANET_INTEGER_ISA", "abacus")
    with pytest.raises(RuntimeUnavailableError, match=r"RASCANET_INTEGER_ISA asks for 'abacus'.*plain"):
        IntegerRuntime(random_integer_network(SMALL, 1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_reference_for_the_shipped_weights(variant: str) -> None:
    network = load_integer_checkpoint(shipped_weights(variant, "int8"))
    _equals_the_reference(network, _frame(network.config, 1), None)


def test_load_runtime_takes_what_the_file_holds(tmp_path: Path) -> None:
    save_checkpoint(random_checkpoint(SMALL, 1), tmp_path / "float.safetensors")
    save_integer_checkpoint(random_integer_network(SMALL, 1), tmp_path / "integer.safetensors")
    integers = load_any_checkpoint(tmp_path / "integer.safetensors")
    assert isinstance(load_runtime(load_any_checkpoint(tmp_path / "float.safetensors")), NativeRuntime)
    assert isinstance(load_runtime(integers), IntegerRuntime)
    assert isinstance(load_runtime(integers, "native"), IntegerRuntime)
    with pytest.raises(RuntimeUnavailableError, match="not on torch"):
        load_runtime(integers, "torch")
