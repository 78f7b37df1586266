"""A training run as one frozen value, read from a TOML file."""

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from model.config import DEFAULT_VARIANT, VARIANTS, RaScaNetConfig
from model.training.detail import Detail
from model.training.light import Light
from model.training.text_file import read_text
from model.training.views import ViewPlan

T = TypeVar("T")


class RecipeError(ValueError):
    """A recipe file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a run: everything that decides the outcome, beside the data.

    Attributes:
        variant: name of the network.
        frame_size: rows and columns (px) of the frames trained on; None: those of the variant. No weight depends on the
            size, so a network may begin on small frames.
        seed: seed of weights, views and light.
        epochs: number of epochs, each of `epoch_views` views.
        epoch_views: views of an epoch; None: as many as the training split has pictures.
        batch: views of a step.
        view_uses: number of times that a view is used, each time in another light, where the run learns from labels
            alone. More uses save the time of rendering. Answered views are used as often as the run is long.
        learning_rate: peak of the warm-up and cosine schedule (AdamW).
        warmup_share: share of the steps in which the learning rate rises, 0..1.
        weight_decay: weight decay of AdamW (Loshchilov & Hutter 2019).
        burst_loss_share: weight of all bursts' losses (each by the square of the rows seen) beside the final burst's.
        confidence_loss: weight of the confidence head's loss.
        ema_decay: decay of the averaged weights, which are evaluated and shipped.
        start_share: share of the weights that the run began with in those that are shipped, 0..1; the averaged weights
            have the rest. Between the two, a fine-tuned network keeps more of both (Wortsman et al. 2022).
        label_smoothing: the targets of P(person) lie half of this from 0 and 1.
        teacher_share: weight of a teacher's P(person) in the target, 0..1; the label has the rest.
        label_doubt: a label that differs from the teacher's P(person) by more than this is not believed, 0..1.
        hint_loss: weight of the loss by which the network learns to predict the teacher's hints from its hidden state.
        bfloat16: true: convolutions and matrix products in bfloat16, twice as fast, on a GPU or a processor with
            instructions for it; else in float32.
        mixup_share: share of the views that are blended with another, targets too (mixup, Zhang et al. 2018).
        views: the plan by which training pictures are drawn and composed.
        light: changes of light, drawn anew each time a view is seen.
        detail: loss of detail, drawn anew each time a view is seen.

    Raises:
        RecipeError: a value out of its range; the message names the field.
    """

    variant: str = DEFAULT_VARIANT
    frame_size: tuple[int, int] | None = None
    seed: int = 1
    epochs: int = 32
    epoch_views: int | None = None
    batch: int = 128
    view_uses: int = 1
    learning_rate: float = 4e-3
    warmup_share: float = 0.05
    weight_decay: float = 1e-3
    burst_loss_share: float = 0.4
    confidence_loss: float = 0.05
    ema_decay: float = 0.998
    start_share: float = 0.0
    label_smoothing: float = 0.0
    teacher_share: float = 0.0
    label_doubt: float = 1.0
    hint_loss: float = 0.0
    bfloat16: bool = True
    mixup_share: float = 0.0
    views: ViewPlan = field(default_factory=ViewPlan)
    light: Light = field(default_factory=Light)
    detail: Detail = field(default_factory=Detail)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise RecipeError(f"variant must be one of {', '.join(VARIANTS)}, not {self.variant!r}")
        if min(self.epochs, self.view_uses) < 1 or self.batch < 2:
            raise RecipeError("epochs and view_uses must be at least 1, and batch at least 2")
        if self.epoch_views is not None and self.epoch_views < self.batch:
            raise RecipeError(f"epoch_views must be at least a batch, {self.batch}")
        for name, share in (("swap_share", self.views.swap_share), ("start_share", self.start_share)):
            if not 0 <= share <= 1:
                raise RecipeError(f"{name} must be from 0 to 1")

    @property
    def config(self) -> RaScaNetConfig:
        """Config of the network at the size of the frames trained on."""
        config = VARIANTS[self.variant]
        return replace(config, height=self.frame_size[0], width=self.frame_size[1]) if self.frame_size else config

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def recipe_from(values: dict[str, Any]) -> Recipe:
    """Makes a recipe from the tables of a TOML file or of `Recipe.to_dict`; fields left out have their defaults.

    Raises:
        RecipeError: an unknown field, or a value that can't be used; the message names the field.
    """
    return converted(values, Recipe, "a recipe")


def converted(values: dict[str, Any], kind: type[T], what: str) -> T:
    """A dataclass, in words `what`, from tables; fields that aren't named have their defaults.

    Raises:
        RecipeError: a field that there isn't, or one that can't be used; the message names it.
    """
    try:
        found = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise RecipeError(str(error)) from error
    for name in _surplus(values, msgspec.to_builtins(found)):
        raise RecipeError(f"{name!r} is not a field of {what}")
    return found


def _surplus(values: dict[str, Any], known: dict[str, Any], table: str = "") -> Iterator[str]:
    """Names of values that there are no fields for, with the tables that they stand in."""
    for name, value in values.items():
        if name not in known:
            yield table + name
            continue
        several = zip(value, known[name], strict=True) if isinstance(value, list) else [(value, known[name])]
        for one, known_one in several:
            if isinstance(one, dict):
                yield from _surplus(one, known_one, f"{table}{name}.")


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe from TOML: the fields of `Recipe`, with tables `views`, `views.composition`, `light` and `detail`.

    Raises:
        RecipeError: no such file, not TOML, an unknown field, or a value that can't be used.
    """
    return read_toml(path, Recipe, "a recipe")


def read_toml(path: Path, kind: type[T], what: str) -> T:
    """A dataclass from a TOML file, see `converted`.

    Raises:
        RecipeError: no such file, not TOML, or a field that there isn't; the message names the file.
    """
    try:
        return converted(tomllib.loads(read_text(path)), kind, what)
    except OSError as error:
        raise RecipeError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, RecursionError, RecipeError) as error:
        raise RecipeError(f"{path}: {error}") from error
