import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.config import VARIANTS
from model.training.augment import Composition
from model.training.detail import Detail
from model.training.light import Light
from model.training.recipe import Recipe, RecipeError, read_recipe, recipe_from
from model.training.views import ViewPlan

ABLATIONS_FOLDER = Path(__file__).resolve().parents[3] / "model" / "training" / "ablations"
RECIPES_FOLDER = Path(__file__).resolve().parents[3] / "model" / "training" / "recipes"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("*.toml")), ids=lambda path: path.name)
def test_shipped_recipes_are_named_by_their_variant(path: Path) -> None:
    assert path.stem.startswith(read_recipe(path).variant)


def test_a_recipe_is_what_it_notes() -> None:
    recipe = Recipe(frame_size=(45, 48), views=ViewPlan(source_weights={"street": 2.0}), detail=Detail(blur_share=0.5))
    assert recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_each_step_of_the_ablation_adds_one_thing() -> None:
    plain, detail, weighting, taught = (read_recipe(path) for path in sorted(ABLATIONS_FOLDER.glob("*.toml")))
    darker = replace(plain.light, exposure=detail.light.exposure)
    assert detail == replace(plain, detail=detail.detail, light=darker) != plain
    likeness, sources = weighting.views.likeness_power, weighting.views.source_weights
    drawn = replace(detail.views, likeness_power=likeness, source_weights=sources)
    assert weighting == replace(detail, views=drawn) != detail
    assert taught == replace(weighting, teacher_share=taught.teacher_share, hint_loss=taught.hint_loss) != weighting


def test_an_empty_file_is_the_default_recipe(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "")) == Recipe()


def test_fields_and_tables_are_read(tmp_path: Path) -> None:
    text = """
        variant = "210x240"
        epochs = 3
        [views]
        source_weights = { street = 2.0 }
        [views.composition]
        min_area = 0.5
        [light]
        saturation = [0.9, 1.1]
        [detail]
        jpeg_share = 0.5
    """
    assert read_recipe(write(tmp_path, text)) == Recipe(
        variant="210x240",
        epochs=3,
        views=ViewPlan(source_weights={"street": 2.0}, composition=Composition(min_area=0.5)),
        light=Light(saturation=(0.9, 1.1)),
        detail=Detail(jpeg_share=0.5),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "Invalid value"),
        ("epoch = 3", "'epoch' is not a field of a recipe"),
        ("[light]\nblur = 1", "'light.blur' is not a field of a recipe"),
        ("[views.composition]\nblur = 1", "'views.composition.blur' is not a field"),
        ("views = 3", "Expected `object`, got `int` - at `\\$.views`"),
        ("light = { saturation = 3 }", "Expected `array`, got `int` - at `\\$.light.saturation`"),
        ("light = { saturation = [1.0] }", "Expected `array` of length 2, got 1"),
        ("epochs = true", "Expected `int`, got `bool`"),
        ("a = " + "[" * 5000, "recursion"),
        ('variant = "96x96"', "variant must be one of 105x120, 210x240, not '96x96'"),
        ("epochs = 0", "epochs and view_uses must be at least 1"),
        ("view_uses = 0", "epochs and view_uses must be at least 1"),
        ("batch = 1", "batch at least 2"),
        ("epoch_views = 5", "epoch_views must be at least a batch, 128"),
        ("[views]\nswap_share = 1.5", "swap_share must be from 0 to 1"),
        ('epochs = "many"', "Expected `int`, got `str` - at `\\$.epochs`"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=rf"recipe\.toml: .*{message}"):
        read_recipe(write(tmp_path, text))


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"absent\.toml: no such file"):
        read_recipe(tmp_path / "absent.toml")


def test_frames_of_another_size_keep_the_channels(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, 'variant = "210x240"\nframe_size = [105, 120]'))
    full = VARIANTS["210x240"]
    assert recipe.config.frame_shape == (105, 120, 3)
    assert (recipe.config.head_channels, recipe.config.hidden_channels) == (full.head_channels, full.hidden_channels)
