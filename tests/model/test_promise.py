from dataclasses import replace
from itertools import product

import pytest

from model.promise import CONDITIONS, LOSSES, PROMISES, promise_in_words
from tests.networks import SMALL, random_checkpoint
from tests.server.certificates import certificate_of

SAID = {
    ("disagreement", "marginal"): "Exits change at most 7% of the decisions; ",
    ("disagreement", "halt-time"): (
        "Exits change at most 7% of the decisions, counted separately for early and for late exits; "
    ),
    ("accuracy", "marginal"): "Exits turn at most 7% of the decisions from right to wrong; ",
    ("accuracy", "halt-time"): (
        "Exits turn at most 7% of the decisions from right to wrong, counted separately for early and for late exits; "
    ),
}


def test_every_loss_and_condition_has_its_sentence() -> None:
    assert set(SAID) == set(product(LOSSES, CONDITIONS))
    assert set(SAID) == {(loss, condition) for loss, sentences in PROMISES.items() for condition in sentences}


@pytest.mark.parametrize(("loss", "condition"), SAID)
def test_a_certificates_policy_says_the_promise_that_was_tested(loss: str, condition: str) -> None:
    certificate = certificate_of(random_checkpoint(SMALL, 1))
    policy = replace(certificate, loss=loss, condition=condition, risk=0.07, delta=0.025).policy
    whole = SAID[loss, condition] + "the chance that this promise is wrong is 2.5%."
    assert policy.promise == promise_in_words(loss, condition, 0.07, 0.025) == whole
