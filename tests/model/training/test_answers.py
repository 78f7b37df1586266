from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.answers import Answers, AnswersError
from model.training.augment import Composition
from model.training.views import ViewPlan

ANSWERS = Answers(
    ViewPlan(seed=3, source_weights={"street": 2.0}, composition=Composition(patch_share=0.5)),
    "digest of an index",
    np.array([1, 0, -1], np.int8),
    np.array([0.75, 0.5, 0.25], np.float32),
    np.array([[1, 2], [3, 4], [5, 6]], np.float16),
)


def test_answers_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    ANSWERS.save(path)
    read = Answers.load(path)
    assert (read.plan, read.index_digest) == (ANSWERS.plan, ANSWERS.index_digest)
    assert np.array_equal(read.labels, ANSWERS.labels)
    assert np.array_equal(read.p_person, ANSWERS.p_person)
    assert np.array_equal(read.hints, ANSWERS.hints)
    assert len(read.digest) == 64


@pytest.mark.parametrize(
    ("share", "targets"), [(0.0, [1, 0, 0.25]), (0.5, [0.875, 0.25, 0.25]), (1.0, [0.75, 0.5, 0.25])]
)
def test_targets_mix_label_and_answer(share: float, targets: list[float]) -> None:
    assert ANSWERS.targets(share)[:, 0].tolist() == pytest.approx(targets)
    assert np.array_equal(ANSWERS.targets(share)[:, 1:], ANSWERS.hints)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-1, 1), st.floats(0, 1, width=32)), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_label_is_believed_unless_the_answer_is_farther_than_the_doubt(
    views: list[tuple[int, float]], share: float, doubt: float
) -> None:
    labels, p_person = np.array([each[0] for each in views], np.int8), np.array([each[1] for each in views], np.float32)
    answers = Answers(ViewPlan(), "", labels, p_person, np.zeros((len(views), 1), np.float16))
    for (label, answer), target in zip(views, answers.targets(share, doubt)[:, 0], strict=True):
        believed = label >= 0 and abs(np.float32(answer) - np.float32(label)) <= np.float32(doubt)
        assert target == pytest.approx(share * answer + (1 - share) * label if believed else answer, abs=1e-6)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_a_torn_file_is_refused_by_name(tmp_path: Path, cut: float) -> None:
    path = tmp_path / "answers.npz"
    ANSWERS.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(AnswersError, match=r"answers\.npz: not a file of a teacher's answers"):
        Answers.load(path)


@pytest.mark.parametrize("plan", ["7", "[" * 100_000, '{"seed": "one"}', '{"composition": 3}'])
def test_a_plan_that_is_none_is_refused_by_name(tmp_path: Path, plan: str) -> None:
    path = tmp_path / "answers.npz"
    ANSWERS.save(path)
    with np.load(path) as file:
        arrays = dict(file) | {"plan": np.array(plan)}
    np.savez(path, **arrays)
    with pytest.raises(AnswersError, match=r"answers\.npz: not a file of a teacher's answers"):
        Answers.load(path)


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    for content in (b"no archive", None):
        path = tmp_path / "answers.npz"
        if content is None:
            np.savez(path, something=np.zeros(3))
        else:
            path.write_bytes(content)
        with pytest.raises(AnswersError, match=r"answers\.npz: not a file of a teacher's answers"):
            Answers.load(path)
    with pytest.raises(AnswersError, match=r"absent\.npz"):
        Answers.load(tmp_path / "absent.npz")
