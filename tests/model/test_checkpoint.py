import gzip
import json
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from model.checkpoint import (
    LABELS,
    PUBLIC_LICENCE,
    STATE_ENTRIES,
    Arithmetic,
    Checkpoint,
    CheckpointError,
    import_public_checkpoint,
    load_checkpoint,
    save_checkpoint,
    shipped_weights,
    tensor_shapes,
)
from model.config import VARIANTS, RaScaNetConfig
from model.rascanet import RaScaNet
from model.runtime import load_any_checkpoint
from tests.golden import ORACLE
from tests.model.random_networks import configs, seeds
from tests.networks import SMALL, float16_checkpoint, random_checkpoint

Tensors = dict[str, npt.NDArray[np.float32]]
PublicState = dict[str, torch.Tensor]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_checkpoint(replace(random_checkpoint(SMALL, 1), provenance={"steps": 3}), path)
    return path


def rewrite(path: Path, change: Callable[[Tensors, dict[str, str]], None]) -> None:
    """Changes tensors or metadata of a file as a program would that knows nothing of digests."""
    with safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    change(tensors, metadata)
    save_file(tensors, path, metadata)


@settings(max_examples=20)
@given(configs)
def test_the_tensors_are_those_of_the_torch_network(config: RaScaNetConfig) -> None:
    with torch.device("meta"):
        state = RaScaNet(config).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    assert tensor_shapes(config) == found


def test_a_saved_checkpoint_comes_back_whole(saved: Path) -> None:
    checkpoint = replace(random_checkpoint(SMALL, 1), provenance={"steps": 3})
    loaded = load_checkpoint(saved)
    assert loaded.config == SMALL
    assert loaded.labels == LABELS
    assert loaded.provenance == {"steps": 3}
    assert loaded.digest == checkpoint.digest
    assert all(np.array_equal(loaded.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]  # nothing partial stays behind


def types_in(path: Path) -> dict[str, str]:
    """Each tensor's type, as the file says it."""
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - not a mapping


@settings(max_examples=30)
@given(configs, seeds, st.sets(st.integers(0, 60)))
def test_numbers_of_float16_take_half_the_bytes_and_every_number_comes_back(
    config: RaScaNetConfig, seed: int, wide: set[int]
) -> None:
    """`wide`: the tensors with numbers that float16 lacks."""
    checkpoint, others = float16_checkpoint(config, seed), random_checkpoint(config, seed)
    names = [name for number, name in enumerate(others.tensors) if number in wide]
    checkpoint = replace(
        checkpoint, tensors={**checkpoint.tensors, **{name: others.tensors[name] + 2**-20 for name in names}}
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_checkpoint(checkpoint, path)
        loaded, any_loaded = load_checkpoint(path), load_any_checkpoint(path)
        types = types_in(path)
    assert loaded.digest == any_loaded.digest == checkpoint.digest
    for name, tensor in checkpoint.tensors.items():
        assert loaded.tensors[name].dtype == np.float32
        assert loaded.tensors[name].tobytes() == tensor.tobytes()
        assert types[name] == ("F16" if np.array_equal(tensor.astype(np.float16), tensor) else "F32")
    assert set(types.values()) >= ({"F16"} if not wide else set())


def test_numbers_of_float16_may_lie_in_a_file_as_float32(tmp_path: Path) -> None:
    checkpoint, path = float16_checkpoint(SMALL, 1), tmp_path / "weights.safetensors"
    save_checkpoint(checkpoint, path)
    assert set(types_in(path).values()) == {"F16"}
    rewrite(path, lambda tensors, _: tensors.update(checkpoint.tensors))
    assert set(types_in(path).values()) == {"F32"}
    assert load_checkpoint(path).digest == checkpoint.digest


def test_an_infinite_number_of_float16_is_refused(saved: Path) -> None:
    def change(tensors: Tensors, _: dict[str, str]) -> None:
        tensors["confidence.weight"] = np.full((1, 8), np.inf, np.float16)

    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=r"'confidence\.weight' holds values that are not finite"):
        load_checkpoint(saved)


def test_whoever_may_read_new_files_may_read_weights(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_the_digest_names_config_and_weights_alone() -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    backwards = {name: checkpoint.tensors[name] for name in sorted(checkpoint.tensors, reverse=True)}
    assert replace(checkpoint, provenance={"a": 1}, tensors=backwards).digest == checkpoint.digest
    assert replace(checkpoint, config=replace(SMALL, height=60)).digest != checkpoint.digest
    changed = dict(checkpoint.tensors)
    changed["confidence.bias"] = changed["confidence.bias"] + 1
    assert replace(checkpoint, tensors=changed).digest != checkpoint.digest


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.safetensors: no such file"):
        load_checkpoint(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", [b"", b"not weights", bytes(1000)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(path)


def test_half_a_file_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(saved)


@pytest.mark.parametrize("wanted", ["rascanet-stream/2", ""])
def test_another_format_is_refused(saved: Path, wanted: str) -> None:
    rewrite(saved, lambda _, metadata: metadata.update(format=wanted))
    with pytest.raises(CheckpointError, match=f"format is '{wanted}', expected 'rascanet-stream/1'"):
        load_checkpoint(saved)


def test_a_file_without_metadata_is_refused(saved: Path) -> None:
    rewrite(saved, lambda _, metadata: metadata.clear())
    with pytest.raises(CheckpointError, match="format is None"):
        load_checkpoint(saved)


@pytest.mark.parametrize("key", ["config", "labels", "provenance"])
def test_missing_metadata_is_named(saved: Path, key: str) -> None:
    rewrite(saved, lambda _, metadata: metadata.__delitem__(key))
    with pytest.raises(CheckpointError, match=f"lacks '{key}'"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "text", ["{", "3", "[]", json.dumps(SMALL.to_dict() | {"height": 31}), json.dumps({"height": 30})]
)
def test_a_config_that_is_none_is_refused(saved: Path, text: str) -> None:
    rewrite(saved, lambda _, metadata: metadata.update(config=text))
    with pytest.raises(CheckpointError, match=str(saved.name)):
        load_checkpoint(saved)


def drop(tensors: Tensors, _: dict[str, str]) -> None:
    del tensors["gru.reset.weight"], tensors["gru.update.weight"]


def add(tensors: Tensors, _: dict[str, str]) -> None:
    tensors["gru.spare"] = np.zeros(3, np.float32)


def reshape(tensors: Tensors, _: dict[str, str]) -> None:
    tensors["attention.squeeze.bias"] = np.zeros(3, np.float32)


def spoil(tensors: Tensors, _: dict[str, str]) -> None:
    tensors["confidence.weight"] = np.full((1, 8), np.nan, np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "tensor 'gru.reset.weight' is missing"),
        (add, "tensor 'gru.spare' is not part of this network"),
        (reshape, r"tensor 'attention.squeeze.bias' has the shape \(3,\), expected \(2,\)"),
        (spoil, "tensor 'confidence.weight' holds values that are not finite"),
    ],
)
def test_wrong_tensors_are_refused_by_name(
    saved: Path, change: Callable[[Tensors, dict[str, str]], None], message: str
) -> None:
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_never_become_a_checkpoint(value: float) -> None:
    tensors = {name: np.array(tensor) for name, tensor in random_checkpoint(SMALL, 1).tensors.items()}
    tensors["heads.1.2.norm.running_var"][0] = value
    with pytest.raises(CheckpointError, match=r"'heads\.1\.2\.norm\.running_var' holds values that are not finite"):
        Checkpoint(SMALL, tensors)


def test_one_flipped_bit_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-4] ^= 1  # the last weight's least significant bit
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="digest does not match"):
        load_checkpoint(saved)


def test_another_digest_is_noticed(saved: Path) -> None:
    rewrite(saved, lambda _, metadata: metadata.update(digest="0" * 64))
    with pytest.raises(CheckpointError, match="digest does not match"):
        load_checkpoint(saved)


def test_number_types_that_numpy_lacks_are_refused(saved: Path) -> None:
    """Numpy gets bfloat16 where a library has brought it (ml_dtypes); it is refused there too."""
    from safetensors.torch import save_file as save_torch_file

    with safe_open(saved, framework="numpy") as file:
        metadata = file.metadata()
    tensors = {name: torch.zeros(shape, dtype=torch.bfloat16) for name, shape in tensor_shapes(SMALL).items()}
    save_torch_file(tensors, saved, metadata)
    with pytest.raises(CheckpointError, match="must be float32"):
        load_checkpoint(saved)


@pytest.mark.parametrize("variant", VARIANTS)
def test_shipped_weights_are_of_their_variant(variant: str) -> None:
    path = shipped_weights(variant)
    assert path.name == f"rascanet_{variant}.safetensors"
    if not path.is_file():
        pytest.skip(f"the project ships no weights of {variant}")
    assert load_checkpoint(path).config == VARIANTS[variant]


@pytest.mark.parametrize("arithmetic", get_args(Arithmetic))
@pytest.mark.parametrize(("variant", "most_bytes"), [("105x120", 65_000), ("210x240", 95_000)])
def test_shipped_weights_are_small_enough_for_a_page(variant: str, most_bytes: int, arithmetic: Arithmetic) -> None:
    path = shipped_weights(variant, arithmetic)
    assert len(gzip.compress(path.read_bytes())) < most_bytes


@pytest.fixture
def public_state() -> PublicState:
    path = ORACLE / "random_weights_105x120.pth"
    if not path.is_file():
        pytest.skip("the golden vectors are not beside this repository")
    state: PublicState = torch.load(path, weights_only=True)
    return state


def put(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "public.pth"
    torch.save(content, path)
    return path


def test_bare_and_wrapped_state_dicts_are_the_same_checkpoint(tmp_path: Path, public_state: PublicState) -> None:
    bare = import_public_checkpoint(put(tmp_path, public_state))
    wrapped = import_public_checkpoint(
        put(tmp_path, {"state_dict": public_state, "optimizer": {"state": {0: torch.zeros(2)}, "lr": 0.1}})
    )
    assert bare.config == VARIANTS["105x120"]
    assert wrapped.digest == bare.digest
    assert bare.provenance == {"imported_from": "public.pth", "licence": PUBLIC_LICENCE}


def test_import_keeps_every_value(tmp_path: Path, public_state: PublicState) -> None:
    tensors = import_public_checkpoint(put(tmp_path, public_state)).tensors
    for ours, public in {
        "heads.1.2.norm.running_var": "raster_cnn_1.conv_block3.bn.running_var",
        "attention.excite.weight": "raster_att.channel_prj.channel_att.2.weight",
        "gru.candidate.bias": "raster_rnn.gru.cell.conv_h.bias",
        "confidence.weight": "raster_confidence.out_classifier.1.weight",
    }.items():
        assert np.array_equal(tensors[ours], public_state[public].numpy())
    values = [tensor for name, tensor in public_state.items() if not name.endswith("num_batches_tracked")]
    assert sum(each.size for each in tensors.values()) == sum(each.numel() for each in values)


def test_an_imported_checkpoint_saves_and_loads(tmp_path: Path, public_state: PublicState) -> None:
    checkpoint = import_public_checkpoint(put(tmp_path, public_state))
    save_checkpoint(checkpoint, tmp_path / "weights.safetensors")
    loaded = load_checkpoint(tmp_path / "weights.safetensors")
    assert loaded.digest == checkpoint.digest
    assert loaded.provenance["licence"] == PUBLIC_LICENCE


@pytest.mark.parametrize("content", [b"", b"hello, I am text", bytes(range(256)) * 8, b"PK\x03\x04 no zip"])
def test_files_that_are_not_torch_s_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "public.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"public\.pth: not a torch file of plain tensors"):
        import_public_checkpoint(path)


def test_a_missing_public_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.pth: no such file"):
        import_public_checkpoint(tmp_path / "absent.pth")


class Payload:
    """Pickles as a call that makes a folder."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        import os

        return os.mkdir, (str(self._target),)


@pytest.mark.parametrize("zipped", [True, False], ids=["torch file", "bare pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path, target = tmp_path / "public.pth", tmp_path / "made by the file"
    content = {"state_dict": {"weight": torch.zeros(1)}, "optimizer": Payload(target)}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))  # the one that torch reads
    with pytest.raises(CheckpointError, match="would run code are refused"):
        import_public_checkpoint(path)
    assert not target.exists()
    torch.load(path, weights_only=False) if zipped else pickle.loads(path.read_bytes())  # noqa: S301 - our own payload
    assert target.exists()  # so the file did hold code that runs


@pytest.mark.parametrize(
    "content",
    [[1], {}, {"state_dict": {}}, {"state_dict": [1]}, {1: torch.zeros(2)}, {"a": 1}],
    ids=repr,
)
def test_torch_files_of_something_else_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(CheckpointError, match="expected a state dict"):
        import_public_checkpoint(put(tmp_path, content))


@pytest.mark.parametrize("entry", ["", *STATE_ENTRIES])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_checkpoints_as_other_programs_save_them(
    tmp_path: Path, public_state: PublicState, entry: str, prefix: str
) -> None:
    expected = import_public_checkpoint(put(tmp_path, public_state)).digest
    state: dict[str, torch.Tensor] = OrderedDict()
    for name, tensor in public_state.items():
        wants_gradients = tensor.is_floating_point()
        state[prefix + name] = torch.nn.Parameter(tensor) if wants_gradients else tensor
    content = {entry: state, "epoch": 7, "args": {"lr": 0.1}} if entry else state
    assert import_public_checkpoint(put(tmp_path, content)).digest == expected


def test_half_precision_is_read(tmp_path: Path, public_state: PublicState) -> None:
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in public_state.items()}
    tensors = import_public_checkpoint(put(tmp_path, {"model": halves})).tensors
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda tensor: tensor.int(), "not torch.int32"),
        (lambda tensor: tensor.to_sparse(), "not torch.float32, torch.sparse_coo"),
        (lambda tensor: tensor.to(torch.complex64), "not torch.complex64"),
        (lambda tensor: tensor.to("meta"), "not torch.float32, torch.strided, on meta"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_tensors_of_another_kind_are_named(
    tmp_path: Path, public_state: PublicState, change: Callable[[torch.Tensor], torch.Tensor], complaint: str
) -> None:
    public_state["raster_rnn.gru.cell.conv_h.bias"] = change(public_state["raster_rnn.gru.cell.conv_h.bias"])
    expected = f"'raster_rnn.gru.cell.conv_h.bias' must hold dense floating-point values, {complaint}"
    with pytest.raises(CheckpointError, match=expected):
        import_public_checkpoint(put(tmp_path, public_state))


def test_a_tensor_that_is_there_twice_is_refused(tmp_path: Path, public_state: PublicState) -> None:
    public_state["module.raster_rnn.gru.cell.conv_h.bias"] = torch.zeros(40)
    with pytest.raises(CheckpointError, match=r"is there twice, once as 'module\.raster"):
        import_public_checkpoint(put(tmp_path, public_state))


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_a_torn_torch_file_is_refused(tmp_path: Path, public_state: PublicState, cut: float) -> None:
    path = put(tmp_path, public_state)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(CheckpointError, match=r"public\.pth: not a torch file of plain tensors"):
        import_public_checkpoint(path)


@pytest.mark.parametrize("labels", [[], ["person"], ["person", "no person"], ["no person", "person", "dog"]])
def test_classes_other_than_ours_are_refused(saved: Path, labels: list[str]) -> None:
    rewrite(saved, lambda _, metadata: metadata.update(labels=json.dumps(labels)))
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: the metadata's labels are .*, expected"):
        load_checkpoint(saved)


@pytest.mark.parametrize("field", ["config", "labels", "provenance"])
@pytest.mark.parametrize("value", ["[" * 100_000, "7", "null", "[7]", '{"a": '])
def test_metadata_of_another_kind_is_refused(saved: Path, field: str, value: str) -> None:
    def change(_: Tensors, metadata: dict[str, str]) -> None:
        metadata[field] = value

    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: "):
        load_checkpoint(saved)


def test_a_variance_below_zero_is_refused(saved: Path) -> None:
    def change(tensors: Tensors, _: dict[str, str]) -> None:
        tensors["heads.0.1.norm.running_var"][0] = -0.5

    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=r"'heads\.0\.1\.norm\.running_var' holds variances below 0"):
        load_checkpoint(saved)


def test_tensors_of_double_precision_are_refused(saved: Path) -> None:
    def change(tensors: Tensors, _: dict[str, str]) -> None:
        tensors["confidence.bias"] = tensors["confidence.bias"].astype(np.float64)

    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=r"'confidence\.bias' must be float32, not float64"):
        load_checkpoint(saved)


def test_a_missing_key_is_named_as_the_file_names_it(tmp_path: Path, public_state: PublicState) -> None:
    del public_state["raster_rnn.gru.cell.conv_h.bias"]
    with pytest.raises(CheckpointError, match=r"'raster_rnn\.gru\.cell\.conv_h\.bias' is missing"):
        import_public_checkpoint(put(tmp_path, public_state))


def test_a_surplus_key_is_named(tmp_path: Path, public_state: PublicState) -> None:
    public_state["raster_rnn.gru.cell.conv_x.bias"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"'raster_rnn\.gru\.cell\.conv_x\.bias' is not part of this network"):
        import_public_checkpoint(put(tmp_path, public_state))


def test_a_wrong_shape_is_named(tmp_path: Path, public_state: PublicState) -> None:
    public_state["out_classifier.out_classifier.0.bias"] = torch.zeros(11)
    with pytest.raises(CheckpointError, match=r"0\.bias' has the shape \(11,\), expected \(10,\)"):
        import_public_checkpoint(put(tmp_path, public_state))


def test_values_that_are_not_finite_are_named(tmp_path: Path, public_state: PublicState) -> None:
    public_state["raster_rnn.gru.cell.conv_h.bias"][0] = torch.nan
    with pytest.raises(CheckpointError, match=r"public\.pth: tensor 'gru\.candidate\.bias' holds values"):
        import_public_checkpoint(put(tmp_path, public_state))


def test_an_unknown_variant_is_refused(tmp_path: Path, public_state: PublicState) -> None:
    public_state["raster_cnn_0.conv_block4.conv.weight"] = torch.zeros(33, 18, 1, 3)
    with pytest.raises(CheckpointError, match="neither of the variants 105x120, 210x240"):
        import_public_checkpoint(put(tmp_path, public_state))
    del public_state["raster_cnn_0.conv_block4.conv.weight"]
    with pytest.raises(CheckpointError, match=r"'raster_cnn_0\.conv_block4\.conv\.weight' is missing"):
        import_public_checkpoint(put(tmp_path, public_state))
