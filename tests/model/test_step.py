import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.step import StepResult, check_step_arguments
from model.torch_runtime import TorchRuntime
from tests.networks import SMALL, random_checkpoint

LOGITS = st.floats(-1e4, 1e4, width=32)


@given(st.lists(st.tuples(LOGITS, LOGITS, st.floats(0, 1, width=32)), min_size=1, max_size=5))
def test_a_result_keeps_logits_and_confidence_and_adds_the_softmax(outputs: list[tuple[float, float, float]]) -> None:
    logits = np.array([pair[:2] for pair in outputs], np.float32)
    confidence = np.array([each[2] for each in outputs], np.float32)
    result = StepResult.of(logits, confidence)
    assert np.array_equal(result.logits, logits)
    assert result.confidence == confidence.tolist()
    margins = logits[:, 1].astype(np.float64) - logits[:, 0]
    assert result.p_person == pytest.approx(1 / (1 + np.exp(np.minimum(-margins, 700))), abs=1e-6)


RUNTIME = TorchRuntime(random_checkpoint(SMALL, 0))
HIDDEN = RUNTIME.initial_hidden()


@pytest.mark.parametrize("bursts", [1, 3])
def test_bursts_are_counted(bursts: int) -> None:
    assert check_step_arguments(RUNTIME, np.zeros((bursts * 5, SMALL.width, 3), np.uint8), HIDDEN) == bursts


@pytest.mark.parametrize(
    ("rows", "hidden", "complaint"),
    [
        (np.zeros((5, SMALL.width, 3), np.int16), HIDDEN, r"rows must be uint8 \(n \* 5, 32, 3\), not int16"),
        (np.zeros((4, SMALL.width, 3), np.uint8), HIDDEN, r"not uint8 \(4, 32, 3\)"),
        (np.zeros((5, SMALL.width), np.uint8), HIDDEN, r"not uint8 \(5, 32\)"),
        (np.zeros((0, SMALL.width, 3), np.uint8), HIDDEN, "at least one burst"),
        (
            np.zeros((5, SMALL.width, 3), np.uint8),
            HIDDEN.astype(np.float64),
            r"hidden must be float32 \(8, 2\), not float64",
        ),
        (np.zeros((5, SMALL.width, 3), np.uint8), HIDDEN[1:], r"not float32 \(7, 2\)"),
        (np.zeros((5, SMALL.width, 3), np.uint8), np.asfortranarray(HIDDEN), "hidden must be in C order"),
    ],
)
def test_arguments_of_another_shape_are_named(rows: object, hidden: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_step_arguments(RUNTIME, rows, hidden)  # type: ignore[arg-type]  # wrong on purpose
