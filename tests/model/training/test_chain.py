"""The short form of the chains that make the shipped weights: labels alone, then a teacher's answers."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.training.chain import Chain, Run, Teacher, Watcher, chain_from, read_chain, run_chain
from model.training.recipe import Recipe, RecipeError, read_recipe, recipe_from
from model.training.teacher import Taught
from model.training.train import Progress, RunError
from model.training.views import ViewPlan

FOLDER = Path(__file__).resolve().parents[3] / "model" / "training"

SHORT = Recipe(frame_size=(45, 48), seed=3, epochs=2, epoch_views=4, batch=2)
CHAIN = Chain(
    (
        Run("labels", SHORT),
        Run("taught", replace(SHORT, teacher_share=0.8, hint_loss=0.5, views=ViewPlan(swap_share=0.3)), 16),
    )
)


def mean_colours(frames: Tensor) -> Tensor:
    return frames.float().mean((2, 3))


class Told(Watcher):
    """Remembers what it is told; can interrupt a step of a run."""

    def __init__(self, interrupted: str = "") -> None:
        self.interrupted, self.steps = interrupted, list[str]()
        self.answered, self.ends = list[str](), list[str]()

    def taught(self, run: Run, taught: Taught) -> None:
        assert len(taught.answers.p_person) == run.answered_views
        self.answered.append(run.name)

    def training(self, run: Run) -> Progress:
        def step(**at: object) -> None:
            del at
            self.steps.append(run.name)
            if run.name == self.interrupted:
                raise KeyboardInterrupt

        return step

    def ended(self, run: Run, _: object) -> None:
        self.ends.append(run.name)


TEACHER = Teacher("colours", mean_colours)


@pytest.fixture(scope="module")
def finished(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain that was interrupted in its second run, and gone on with."""
    out, first, second = tmp_path_factory.mktemp("chain"), Told(interrupted="taught"), Told()
    with pytest.raises(KeyboardInterrupt):
        run_chain(CHAIN, photo_folder, out, first, teacher=TEACHER, threads=1)
    run_chain(CHAIN, photo_folder, out, second, teacher=TEACHER, threads=1)
    assert (first.answered, first.ends) == (["taught"], ["labels"])
    assert (second.answered, second.ends) == ([], ["labels", "taught"])
    assert "labels" not in second.steps
    return out


def test_each_run_goes_on_with_the_weights_of_the_one_before(finished: Path) -> None:
    home = finished / "105x120"
    labels, taught, shipped = (
        load_checkpoint(home / name / "weights.safetensors") for name in ("1_labels", "2_taught", "")
    )
    assert labels.provenance["start"] is None
    assert taught.provenance["start"] == labels.digest
    assert shipped.digest == taught.digest
    assert shipped.provenance["answers_sha256"]


def test_the_weights_note_the_chain_they_are_from(finished: Path) -> None:
    noted = load_checkpoint(finished / "105x120" / "weights.safetensors").provenance["chain"]
    assert chain_from(noted) == CHAIN


def test_the_same_chain_from_its_file_gives_the_same_weights(
    finished: Path, photo_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "chain.toml"
    head = (
        "recipe.frame_size = [45, 48]\nrecipe.seed = 3\nrecipe.epochs = 2\nrecipe.epoch_views = 4\nrecipe.batch = 2\n"
    )
    taught = "recipe.teacher_share = 0.8\nrecipe.hint_loss = 0.5\nrecipe.views.swap_share = 0.3\nanswered_views = 16\n"
    file.write_text(f'[[runs]]\nname = "labels"\n{head}[[runs]]\nname = "taught"\n{head}{taught}')
    chain = read_chain(file)
    assert chain == CHAIN
    again = run_chain(chain, photo_folder, tmp_path, Watcher(), teacher=TEACHER, threads=1)
    first = load_checkpoint(finished / "105x120" / "weights.safetensors")
    for name, tensor in first.tensors.items():
        assert again.tensors[name] == pytest.approx(tensor, rel=1e-4, abs=1e-5), name


def test_a_finished_chain_is_not_run_again(finished: Path, photo_folder: Path) -> None:
    told = Told()
    run_chain(CHAIN, photo_folder, finished, told, teacher=TEACHER, threads=1)
    assert (told.steps, told.ends) == ([], ["labels", "taught"])


def test_another_chain_in_the_same_folder_is_refused(finished: Path, photo_folder: Path) -> None:
    other = Chain((replace(CHAIN.runs[0], recipe=replace(SHORT, learning_rate=1e-3)), *CHAIN.runs[1:]))
    with pytest.raises(RunError, match=r"1_labels/weights\.safetensors is of another recipe"):
        run_chain(other, photo_folder, finished, Watcher(), teacher=TEACHER, threads=1)


def test_a_chain_with_a_teacher_needs_one(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the chain learns from a teacher"):
        run_chain(CHAIN, photo_folder, tmp_path, Watcher(), teacher=None, threads=1)


def test_runs_that_learn_from_the_same_views_share_their_answers() -> None:
    run = CHAIN.runs[1]
    larger = replace(run, name="large", recipe=replace(run.recipe, variant="210x240", seed=9))
    assert larger.teacher_folder == run.teacher_folder
    for other in (replace(run, answered_views=32), replace(run, recipe=replace(run.recipe, views=ViewPlan(seed=2)))):
        assert other.teacher_folder != run.teacher_folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a chain has at least one"),
        ("runs = 3", "Expected `array`, got `int`"),
        ('epochs = 3\n[[runs]]\nname = "a"', "'epochs' is not a field of a chain"),
        ("[[runs]]\nepochs = 3", "missing required field `name`"),
        ('[[runs]]\nname = "a"\nrecipe.epoch = 3', "'runs.recipe.epoch' is not a field of a chain"),
        ('[[runs]]\nname = "a"\nanswered_views = 9', "goes with teacher_share or hint_loss"),
        ('[[runs]]\nname = "a"\nrecipe.hint_loss = 0.5', "goes with teacher_share or hint_loss"),
        ('[[runs]]\nname = "a"\n[[runs]]\nname = "a"', "different names"),
        ('[[runs]]\nname = "a"\n[[runs]]\nname = "b"\nrecipe.variant = "210x240"', "of one variant"),
        ("runs = ", "Invalid value"),
    ],
)
def test_a_chain_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "chain.toml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=rf"chain\.toml: .*{message}"):
        read_chain(file)


@pytest.mark.parametrize("variant", VARIANTS)
def test_there_is_a_chain_for_each_variant(variant: str) -> None:
    assert read_chain(FOLDER / "chains" / f"{variant}.toml").variant == variant


@pytest.mark.parametrize("variant", VARIANTS)
def test_shipped_weights_are_of_the_chain_or_the_last_recipe_in_the_files(variant: str) -> None:
    noted = load_checkpoint(shipped_weights(variant)).provenance
    if "chain" in noted:
        assert chain_from(noted["chain"]) == read_chain(FOLDER / "chains" / f"{variant}.toml")
    else:
        assert recipe_from(noted["recipe"]) == read_recipe(max((FOLDER / "recipes").glob(f"{variant}_*.toml")))
