import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import Checkpoint, load_checkpoint
from model.rascanet import FrameOutput
from model.torch_runtime import network_from
from model.training.batches import LabelledViews, TaughtViews, TrainingData, load_training_data
from model.training.finish import evaluate_frames, person_curves, round_weights
from model.training.recipe import Recipe, read_recipe
from model.training.scaling import choose_exit_threshold
from model.training.train import RunError, learning_rate, train, training_loss
from tests.networks import SMALL, random_checkpoint

RECIPE = Recipe(epochs=2, batch=2, hint_loss=0.5)
STEPS = 6


class Losses:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.by_step: dict[int, float] = {}

    def __call__(self, *, step: int, steps: int, loss: float, images_per_s: float, val: float | None) -> None:
        assert steps == STEPS
        assert images_per_s > 0
        assert (val is not None) == (step % (STEPS // 2) == 0)
        self.by_step[step] = loss


@pytest.fixture(scope="module")
def data(photo_folder: Path) -> TrainingData:
    data = load_training_data(photo_folder, replace(RECIPE, hint_loss=0.0))
    assert isinstance(data.source, LabelledViews)
    views = data.source.views.render(np.arange(12), (105, 120))
    hints = np.random.default_rng(0).choice((-1, 1), (12, 2))
    targets = np.column_stack((views.labels, hints)).astype(np.float32)
    return replace(data, source=TaughtViews(torch.from_numpy(views.frames), torch.from_numpy(targets), RECIPE, None))


Run = tuple[Checkpoint, dict[int, float], Path]


@pytest.fixture(scope="module")
def whole_run(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, losses = tmp_path_factory.mktemp("whole"), Losses()
    checkpoint, _ = train(RECIPE, data, folder, losses, threads=1)
    return checkpoint, losses.by_step, folder


def assert_same_weights(found: Checkpoint, expected: Checkpoint) -> None:
    """All but a step of float16, which a sum in another order can cause."""
    for name, tensor in expected.tensors.items():
        np.testing.assert_allclose(found.tensors[name], tensor, rtol=2**-10, atol=1e-5, err_msg=name)


def test_the_same_recipe_from_its_file_gives_the_same_run(whole_run: Run, data: TrainingData, tmp_path: Path) -> None:
    file, losses = tmp_path / "recipe.toml", Losses()
    file.write_text("epochs = 2\nbatch = 2\nhint_loss = 0.5\n")
    checkpoint, _ = train(read_recipe(file), data, tmp_path, losses, threads=1)
    assert list(losses.by_step) == list(range(1, STEPS + 1))
    assert losses.by_step == pytest.approx(whole_run[1], abs=1e-4)
    assert_same_weights(checkpoint, whole_run[0])


def test_an_interrupted_run_ends_where_an_uninterrupted_one_ends(
    whole_run: Run, data: TrainingData, tmp_path: Path
) -> None:
    losses = Losses()
    half, _ = train(RECIPE, data, tmp_path, losses, threads=1, stop_after=2)  # in the middle of an epoch
    assert list(losses.by_step) == [1, 2]
    resumed, _ = train(RECIPE, data, tmp_path, losses, threads=1)
    assert list(losses.by_step) == list(range(1, STEPS + 1))
    assert losses.by_step == pytest.approx(whole_run[1], abs=1e-4)
    assert_same_weights(resumed, whole_run[0])
    assert half.digest != resumed.digest


def test_a_run_leaves_its_weights_and_its_log(whole_run: Run, data: TrainingData) -> None:
    checkpoint, losses, folder = whole_run
    assert load_checkpoint(folder / "weights.safetensors").digest == checkpoint.digest
    assert checkpoint.provenance["steps"] == STEPS
    assert checkpoint.provenance["photos_index_sha256"] == data.train.index_digest
    assert checkpoint.provenance["recipe"] == RECIPE.to_dict()
    assert checkpoint.provenance["calibration"]["split"] == "val"
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6")]
    assert float(rows[0]["loss"]) == pytest.approx(sum(losses[step] for step in (1, 2, 3)) / 3, rel=1e-4)


def test_the_figures_of_a_run_are_those_of_its_rounded_weights(whole_run: Run, data: TrainingData) -> None:
    checkpoint, _, folder = whole_run
    saved = load_checkpoint(folder / "weights.safetensors")
    assert round_weights(saved).digest == saved.digest
    network = network_from(saved)
    assert checkpoint.provenance["val"] == evaluate_frames(network, data.val_frames, data.val.labels).to_dict()
    assert saved.provenance["exit_threshold"] == choose_exit_threshold(person_curves(network, data.val_frames))
    state = torch.load(folder / "state.pt", weights_only=True)
    kept = [state[part][name] for part in ("network", "average") for name in saved.tensors]
    assert {each.dtype for each in kept} == {torch.float32}
    assert any((each.half() != each).any() for each in kept), "what is resumed is not rounded"


def test_hints_add_their_error_to_the_loss(whole_run: Run, data: TrainingData, tmp_path: Path) -> None:
    losses = Losses()
    train(replace(RECIPE, hint_loss=0.0), data, tmp_path, losses, threads=1, stop_after=1)
    assert 0.3 < whole_run[1][1] - losses.by_step[1] < 0.8  # half of their mean square, which is 1, about


def test_a_folder_of_another_recipe_is_not_gone_on_with(whole_run: Run, data: TrainingData) -> None:
    with pytest.raises(RunError, match="holds a run of another recipe"):
        train(replace(RECIPE, learning_rate=1e-3), data, whole_run[2], Losses(), threads=1)


def test_the_learning_rate_rises_once_and_falls_to_nothing() -> None:
    recipe, steps = replace(RECIPE, learning_rate=0.01, warmup_share=0.1), 100
    rates = [learning_rate(step, steps, recipe) for step in range(steps + 1)]
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(0.01)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.005)
    assert rates[-1] == pytest.approx(0)


def frame_output(logits: list[list[list[float]]], confidence_logit: float = 0.0) -> FrameOutput:
    values = torch.tensor(logits)
    return FrameOutput(values, torch.full(values.shape[:2], confidence_logit), torch.zeros(1))


def test_the_loss_of_a_network_that_knows_nothing_is_ln_2() -> None:
    recipe = replace(RECIPE, confidence_loss=0.0)
    loss = training_loss(frame_output([[[0.0, 0.0]] * 3]), torch.tensor([1.0]), recipe)
    assert loss.item() == pytest.approx(np.log(2))


def test_later_bursts_count_by_the_square_of_the_rows_seen() -> None:
    # Right beyond doubt at all bursts but one, where it knows nothing.
    recipe = replace(RECIPE, confidence_loss=0.0, burst_loss_share=0.4)
    sure, unsure = [-50.0, 50.0], [0.0, 0.0]
    losses = []
    for burst in range(3):
        logits = [sure] * 3
        logits[burst] = unsure
        losses.append(training_loss(frame_output([logits]), torch.tensor([1.0]), recipe).item())
    ln_2 = float(np.log(2))
    assert losses == pytest.approx([0.4 * ln_2 / 14, 0.4 * ln_2 * 4 / 14, 0.6 * ln_2 + 0.4 * ln_2 * 9 / 14])


def test_confidence_learns_agreement_with_the_final_decision() -> None:
    person, empty = [-50.0, 50.0], [50.0, -50.0]
    recipe = replace(RECIPE, burst_loss_share=0.0, confidence_loss=1.0)
    labels = torch.tensor([1.0])
    agreeing = training_loss(frame_output([[person, person]], 20.0), labels, recipe).item()
    changing = training_loss(frame_output([[empty, person]], 20.0), labels, recipe).item()
    assert agreeing == pytest.approx(0, abs=1e-6)
    assert changing == pytest.approx(10, abs=1e-3)  # wrongly sure at one of two bursts


def test_a_run_begins_with_given_weights(whole_run: Run, data: TrainingData, tmp_path: Path) -> None:
    still = replace(RECIPE, learning_rate=0.0)
    found, _ = train(still, data, tmp_path, Losses(), threads=1, start=whole_run[0])
    assert found.provenance["start"] == whole_run[0].digest
    kernels = [name for name, tensor in found.tensors.items() if tensor.ndim == 4 and tensor.shape[-1] > 1]
    assert kernels
    for name in kernels:
        np.testing.assert_array_equal(found.tensors[name], whole_run[0].tensors[name], err_msg=name)


def test_the_start_keeps_its_share_of_the_weights(data: TrainingData, tmp_path: Path) -> None:
    start = random_checkpoint(RECIPE.config, 3)
    end, half, still = (
        train(replace(RECIPE, start_share=share), data, tmp_path / str(share), Losses(), threads=1, start=start)[0]
        for share in (0.0, 0.5, 1.0)
    )
    kernels = [name for name, tensor in start.tensors.items() if tensor.ndim == 4 and tensor.shape[-1] > 1]
    assert kernels
    for name in kernels:
        first, last = start.tensors[name], end.tensors[name]
        np.testing.assert_allclose(still.tensors[name], first, rtol=2**-10, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(half.tensors[name], (first + last) / 2, rtol=2**-9, atol=1e-4, err_msg=name)
        assert not np.allclose(first, last, rtol=2**-8)


def test_a_share_of_no_start_is_refused(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="name them with --start"):
        train(replace(RECIPE, start_share=0.5), data, tmp_path, Losses(), threads=1)


def test_a_run_refuses_weights_of_another_network(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="other channels"):
        train(RECIPE, data, tmp_path, Losses(), threads=1, start=random_checkpoint(SMALL, 1))
