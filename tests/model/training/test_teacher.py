from pathlib import Path

import numpy as np
import pytest

from model.training.photos import Photo
from model.training.teacher import Answers, AnswersError

CROPS = np.array([[0, 0, 1, 1], [0.25, 0.25, 0.5, 0.5]])
ANSWERS = Answers({"a.jpg": CROPS}, {"a.jpg": np.array([1, 0])}, {"a.jpg": np.array([0.75, 0.125])})


def test_answers_survive_the_file(tmp_path: Path) -> None:
    ANSWERS.save(tmp_path / "answers.npz")
    read = Answers.load(tmp_path / "answers.npz")
    rng = np.random.default_rng(0)
    photo = Photo(Path("images/a.jpg"), 1, "street", None)
    drawn = {read.draw(rng, photo) for _ in range(20)}
    assert drawn == {((0.0, 0.0, 1.0, 1.0), 1, 0.75), ((0.25, 0.25, 0.5, 0.5), 0, 0.125)}


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
