import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.certificate import (
    Certificate,
    CertificateError,
    binomial_p_value,
    certificate_beside,
    certified_policy,
    last_safe,
    least_trials,
)

CERTIFICATE = Certificate(
    variant="105x120",
    weights="abc",
    exit_above=0.9,
    exit_below=0.1,
    loss="disagreement",
    risk=0.05,
    delta=0.05,
    pictures=450,
    errors=12,
    processed_ratio=0.7,
    candidates=60,
    tested=20,
    photos_index_sha256="def",
    made_by="rascanet calibrate",
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


def test_testing_stops_at_the_first_that_fails() -> None:
    # 450 pictures at risk and delta 0.05: 14 errors pass, 15 do not.
    assert last_safe([0, 3, 14, 15, 2], 450, 0.05, 0.05) == 2
    assert last_safe([15], 450, 0.05, 0.05) == -1
    assert last_safe([0, 1], 450, 0.05, 0.05) == 1


def test_a_certificate_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    CERTIFICATE.save(path)
    assert Certificate.load(path, "abc") == CERTIFICATE
    policy = CERTIFICATE.policy
    assert (policy.exit_above, policy.exit_below, policy.certificate) == (0.9, 0.1, CERTIFICATE.digest)


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
    document[field] = value + "x" if isinstance(value, str) else value / 2
    path.write_text(json.dumps(document))
    with pytest.raises(CertificateError, match="altered after it was made"):
        Certificate.load(path, "abc")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps({"format": "rascanet-stream certificate/1", "digest": ""}), "\x00"]
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(CertificateError, match="not a certificate"):
        Certificate.load(path, "abc")


def test_thresholds_that_cross_are_refused_even_with_a_right_digest(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    replace(CERTIFICATE, exit_above=0.1, exit_below=0.9).save(path)
    with pytest.raises(CertificateError, match="exit_below < exit_above"):
        Certificate.load(path, "abc")
