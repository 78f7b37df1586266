from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training.answers import Answers
from model.training.batches import (
    LabelledViews,
    OtherViewsError,
    Source,
    TaughtViews,
    batches,
    draw_batch,
    load_training_data,
    load_views,
)
from model.training.dataset import UNKNOWN
from model.training.light import Dice, Light
from model.training.recipe import Recipe
from tests.model.training.folders import INDEX_HEADER

RECIPE = Recipe(batch=4, light=Light(brightness=0.0, saturation=(1.0, 1.0)))


@pytest.fixture(scope="module")
def source(photo_folder: Path) -> Source:
    return load_training_data(photo_folder, RECIPE).source


def test_a_batch_depends_on_seed_and_step_alone(source: Source) -> None:
    frames, targets = draw_batch(3, source, RECIPE)
    again, _ = draw_batch(3, source, RECIPE)
    assert frames.shape == (4, 3, 105, 120)
    assert frames.dtype == torch.float32
    assert targets.shape == (4, 1)
    assert set(targets[:, 0].tolist()) <= {0, 1}
    assert torch.equal(frames, again)
    assert not torch.equal(frames, draw_batch(4, source, RECIPE)[0])
    assert not torch.equal(frames, draw_batch(3, source, replace(RECIPE, seed=2))[0])


def test_batches_come_step_by_step(source: Source) -> None:
    for step, (frames, targets) in enumerate(batches(5, 8, source, RECIPE), start=5):
        expected = draw_batch(step, source, RECIPE)
        assert torch.equal(frames, expected[0])
        assert torch.equal(targets, expected[1])


def test_fresh_views_are_seen_once_each(photo_folder: Path) -> None:
    views = load_views(photo_folder, RECIPE.views)
    fresh = LabelledViews(views, RECIPE)
    seen = torch.cat([fresh.batch(Dice(torch.Generator()), step)[0] for step in range(2)])
    assert np.array_equal(seen, views.render(np.arange(8), (105, 120)).frames)


def test_views_are_used_as_often_as_the_recipe_says(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.batches.BLOCK_VIEWS", 8)
    views = load_views(photo_folder, RECIPE.views)
    source = LabelledViews(views, replace(RECIPE, view_uses=3))
    drawn = [source.batch(Dice(torch.Generator()), step) for step in range(12)]
    expected = views.render(np.arange(16), (105, 120))
    for block in range(2):
        ours = expected.frames[8 * block : 8 * block + 8].tobytes()
        for use in range(3):
            pair = drawn[6 * block + 2 * use : 6 * block + 2 * use + 2]
            frames, targets = (torch.cat(parts).numpy() for parts in zip(*pair, strict=True))
            places = [ours.index(frame.tobytes()) // frame.nbytes for frame in frames]
            assert sorted(places) == list(range(8))
            assert np.array_equal(targets[:, 0], expected.labels[8 * block : 8 * block + 8][places])
    again = LabelledViews(views, replace(RECIPE, view_uses=3))
    for step in (9, 4, 11):  # a run that resumes begins anywhere
        assert torch.equal(again.batch(Dice(torch.Generator()), step)[0], drawn[step][0])


def test_smoothing_keeps_targets_off_the_ends(source: Source) -> None:
    _, targets = draw_batch(0, source, replace(RECIPE, label_smoothing=0.1))
    assert targets == pytest.approx(0.05 + 0.9 * draw_batch(0, source, RECIPE)[1])


def test_blended_views_take_their_share_of_both_targets() -> None:
    frames = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 105, 120, 3)
    pair = TaughtViews(frames, torch.tensor([[0.0, 2], [1, -3]]), RECIPE, "")
    assert pair.hints == 1
    inputs, targets = (part.numpy() for part in draw_batch(0, pair, replace(RECIPE, mixup_share=1.0)))
    assert np.ptp(inputs.reshape(4, -1), axis=1).max() == 0
    assert (inputs[:, 0, 0, 0] + 127) / 254 == pytest.approx(targets[:, 0], abs=1e-6)  # the brighter, the likelier
    assert targets[:, 1] == pytest.approx(2 - 5 * targets[:, 0], abs=1e-5)


def test_answered_views_are_learned_by_their_answers(photo_folder: Path, tmp_path: Path) -> None:
    views = load_views(photo_folder, RECIPE.views)
    labels = views.render(np.arange(20), (15, 16)).labels
    p_person, hints = np.linspace(0, 1, 20, dtype=np.float32), np.arange(60, dtype=np.float16).reshape(20, 3)
    answers = Answers(RECIPE.views, views.photos.index_digest, labels, p_person, hints, "abc")
    recipe = replace(RECIPE, teacher_share=0.5)
    data = load_training_data(photo_folder, recipe, answers, store=tmp_path)
    assert data.source.digest == "abc"
    assert isinstance(data.source, TaughtViews)
    assert data.source.targets[:, 0] == pytest.approx((p_person + labels) / 2)
    assert np.array_equal(data.source.targets[:, 1:], hints)
    assert np.array_equal(data.source.frames, views.render(np.arange(20), (105, 120)).frames)


def test_answers_to_other_views_are_refused(photo_folder: Path, tmp_path: Path) -> None:
    views = load_views(photo_folder, RECIPE.views)
    nothing = np.zeros(4, np.int8), np.zeros(4, np.float32), np.zeros((4, 2), np.float16)
    answers = Answers(RECIPE.views, views.photos.index_digest, *nothing)
    other = replace(RECIPE, views=replace(RECIPE.views, seed=2))
    for recipe, foreign in ((other, answers), (RECIPE, replace(answers, index_digest="other"))):
        with pytest.raises(OtherViewsError, match="answered other views"):
            load_training_data(photo_folder, recipe, foreign, store=tmp_path)
    for learner in (replace(RECIPE, teacher_share=0.5), replace(RECIPE, hint_loss=0.5)):
        with pytest.raises(OtherViewsError, match="name its answers"):
            load_training_data(photo_folder, learner)


def test_pictures_without_a_label_are_drawn_where_the_plan_says_so(photo_folder: Path, tmp_path: Path) -> None:
    lines = (photo_folder / "index.csv").read_text().splitlines()[1:]
    lines.append("again.jpg,unlabelled,,street,")
    (tmp_path / "index.csv").write_text("\n".join((INDEX_HEADER, *lines)) + "\n")
    for number in range(12):
        (tmp_path / f"{number}.jpg").symlink_to(photo_folder / f"{number}.jpg")
    (tmp_path / "again.jpg").symlink_to(photo_folder / "0.jpg")
    labels = load_views(tmp_path, replace(RECIPE.views, unlabelled_share=0.5)).render(np.arange(40), (15, 16)).labels
    assert set(labels) == {0, 1, UNKNOWN}
    assert UNKNOWN not in load_views(tmp_path, RECIPE.views).render(np.arange(40), (15, 16)).labels
