"""A training run as one frozen value, read from a TOML file."""

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from model.config import VARIANTS, RaScaNetConfig
from model.training.augment import Augmentation

RECIPES_FOLDER = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run, beside the data.

    Attributes:
        variant: name of the network.
        frame_size: rows and columns (px) of the frames trained on; the variant's own if None. No weight depends on it,
            so a network may begin on small frames.
        epochs: passes; one draws as many pictures as the training split has.
        learning_rate: peak of the warm-up and cosine schedule (AdamW).
        person_share: how many of the drawn pictures show a person.
        count_power: pictures of a source are drawn in proportion to their number to this power,
        source_weights: times this factor (1 where not named).
        burst_loss_share: weight of all bursts' losses (each by the square of the rows seen) beside the final one's.
        confidence_loss: weight of the confidence head's loss.
        ema_decay: of the averaged weights, which are the ones evaluated and shipped.
        label_smoothing: how far targets stay from 0 and 1.
        teacher_share: weight of a teacher's P(person) in the target, beside the label; needs a file of its answers.
        fresh_share: how often a picture whose boxes are known is cut anew, labelled by its boxes, instead of along one
            of the teacher's cuts.
        stored_scale: pictures are kept at this multiple of the network's size, so that crops keep detail.
    """

    variant: str = "105x120"
    frame_size: tuple[int, int] | None = None
    seed: int = 1
    epochs: int = 32
    batch: int = 128
    learning_rate: float = 4e-3
    warmup_share: float = 0.05
    weight_decay: float = 1e-3
    person_share: float = 0.55
    count_power: float = 0.75
    source_weights: dict[str, float] = field(default_factory=dict)
    burst_loss_share: float = 0.4
    confidence_loss: float = 0.05
    ema_decay: float = 0.998
    label_smoothing: float = 0.0
    teacher_share: float = 0.0
    fresh_share: float = 0.0
    stored_scale: float = 1.5
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise RecipeError(f"variant must be one of {', '.join(VARIANTS)}, not {self.variant!r}")
        if self.epochs < 1 or self.batch < 2:
            raise RecipeError("epochs must be at least 1 and batch at least 2")

    @property
    def config(self) -> RaScaNetConfig:
        """The network at the size of the frames trained on."""
        config = VARIANTS[self.variant]
        return replace(config, height=self.frame_size[0], width=self.frame_size[1]) if self.frame_size else config

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """A recipe from TOML: the fields of `Recipe`, with a table `augmentation`.

    Raises:
        RecipeError: no such file, not TOML, or a field that a recipe doesn't have.
    """
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    try:
        values = tomllib.loads(path.read_text())
        augmentation = values.pop("augmentation", {})
        for given, known in ((values, Recipe), (augmentation, Augmentation)):
            surplus = set(given) - {each.name for each in fields(known)}
            if surplus:
                raise RecipeError(f"{sorted(surplus)[0]!r} is not a field of {known.__name__}")
        for pair in {"saturation", "white_electrons"} & set(augmentation):
            augmentation[pair] = tuple(augmentation[pair])
        if "frame_size" in values:
            values["frame_size"] = tuple(values["frame_size"])
        return Recipe(**values, augmentation=Augmentation(**augmentation))
    except (tomllib.TOMLDecodeError, RecipeError, TypeError) as error:
        raise RecipeError(f"{path}: {error}") from error
