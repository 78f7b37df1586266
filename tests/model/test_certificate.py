import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.certificate import (
    Certificate,
    CertificateError,
    Span,
    binomial_p_value,
    certificate_beside,
    certified_policy,
    least_trials,
    p_value,
)
from model.config import VARIANTS
from tests.networks import random_checkpoint
from tests.server.certificates import certificate_of

CERTIFICATE = replace(
    certificate_of(random_checkpoint(VARIANTS["105x120"], 1)),
    weights="abc",
    person_first=1.0,
    person_last=0.7,
    empty_first=1.2,
    empty_last=0.6,
    processed_ratio=0.7,
)


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 0.5))
def test_the_p_value_is_the_sum_of_the_binomial(trials: int, errors: int, risk: float) -> None:
    found = binomial_p_value(errors, trials, risk)
    expected = sum(
        math.comb(trials, count) * risk**count * (1 - risk) ** (trials - count)
        for count in range(min(errors, trials) + 1)
    )
    assert found == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50)
@given(st.floats(0.001, 0.3), st.floats(0.001, 0.3))
def test_the_least_number_of_pictures_is_the_least(risk: float, delta: float) -> None:
    trials = least_trials(risk, delta)
    assert binomial_p_value(0, trials, risk) <= delta * (1 + 1e-9)
    assert trials == 1 or binomial_p_value(0, trials - 1, risk) > delta * (1 - 1e-9)


def test_a_promise_for_spans_is_as_good_as_the_worst_of_them() -> None:
    spans = (Span(0.0, 0.5, 100, 1), Span(0.5, 1.0, 80, 2))
    assert p_value(spans, 0.05) == binomial_p_value(2, 80, 0.05) > binomial_p_value(1, 100, 0.05)


def test_a_certificate_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    CERTIFICATE.save(path)
    assert Certificate.load(path, "abc") == CERTIFICATE
    policy = CERTIFICATE.policy
    assert (policy.person_first, policy.empty_last, policy.certificate) == (1.0, 0.6, CERTIFICATE.digest)
    assert CERTIFICATE.errors == 12


def test_it_is_found_beside_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    assert certified_policy(weights, "abc") is None
    CERTIFICATE.save(certificate_beside(weights))
    assert certified_policy(weights, "abc") == CERTIFICATE.policy
    with pytest.raises(CertificateError, match=r"for other weights \(abc, not xyz\)"):
        certified_policy(weights, "xyz")


@pytest.mark.parametrize("field", CERTIFICATE.__slots__)
def test_an_altered_one_is_refused(tmp_path: Path, field: str) -> None:
    path = tmp_path / "c.json"
    CERTIFICATE.save(path)
    document = json.loads(path.read_text())
    value = document[field]
    if isinstance(value, list):
        value[0]["errors"] -= 1
    else:
        document[field] = value + "x" if isinstance(value, str) else value / 2
    path.write_text(json.dumps(document))
    with pytest.raises(CertificateError, match="altered after it was made"):
        Certificate.load(path, "abc")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "7",
        "null",
        '"text"',
        "\x00",
        "\ufeff{}",
        json.dumps({"format": "rascanet-stream certificate/2", "digest": ""}),
        "[" * 100_000,
        '{"a":' * 1000 + "1" + "}" * 1000,
        " " * 1_000_001,
        "1" * 5000,
    ],
    ids=range(13),
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(CertificateError, match="not a certificate"):
        Certificate.load(path, "abc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person_last": 0.3}, "'person_last' must be in 0.5..2"),
        ({"spans": (Span(0.0, 1.0, 450, 15),)}, "don't support its promise"),
        ({"risk": 0.01}, "don't support its promise"),
        ({"delta": 0.001}, "don't support its promise"),
        ({"pictures": 440}, "don't add up"),
        ({"pictures": 460}, "don't add up"),
        ({"spans": ()}, "don't add up"),
        ({"loss": "money"}, "loss must be one of"),
        ({"condition": "always"}, "condition must be one of"),
        ({"risk": 1.0}, "between 0 and 1"),
        ({"risk": math.nan}, "between 0 and 1"),
        ({"pictures": 10**12, "spans": (Span(0.0, 1.0, 10**12, 10**9),)}, "at most 1000000 pictures"),
        ({"spans": (Span(0.0, 1.0, 450, -5),)}, "must be counts"),
        ({"pictures": "450"}, "int"),
        ({"spans": ((0.0, 1.0, 450, 5),)}, "object"),
        ({"risk": "0.05"}, "float"),
    ],
)
def test_a_promise_that_cannot_be_is_refused_even_with_a_right_digest(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "c.json"
    replace(CERTIFICATE, **change).save(path)
    with pytest.raises(CertificateError, match=message):
        Certificate.load(path, "abc")
