import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.exit_policy import WHOLE_PICTURE_POLICY, PatiencePolicy, PublishedPolicy
from server.errors import ServiceError
from server.http.policies import policy_from
from server.networks import ServedNetwork
from tests.conftest import served

SERVED = next(iter(served().values()))


def _policy(wanted: str | None, served: ServedNetwork = SERVED, **parameters: object) -> object:
    return policy_from(wanted, parameters, served, WHOLE_PICTURE_POLICY)


def test_a_name_an_object_or_nothing() -> None:
    assert _policy(None) is WHOLE_PICTURE_POLICY
    assert _policy(None, exit_threshold=None) is WHOLE_PICTURE_POLICY
    assert _policy(None, exit_threshold=0.7) == PublishedPolicy(exit_threshold=0.7)
    assert _policy("published", exit_threshold=0.7, skip_threshold=None) == PublishedPolicy(exit_threshold=0.7)
    assert _policy('{"name": "patience", "bursts": 3}') == PatiencePolicy(bursts=3)
    assert _policy(' {"name": "published", "exit_threshold": 0.6}', exit_threshold=0.7) == PublishedPolicy(0.7)


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("often", "'often' is not one of"),
        ("", "'' is not one of"),
        ("{", "not a JSON object"),
        ("{" * 100_000, "not a JSON object"),
        ('{"name":' * 100_000, "not a JSON object"),
        ('{"a": 1}', "needs a 'name'"),
        ('{"name": "patience", "bursts": 18446744073709551616}', "beyond 64 bits"),
        ('{"name": "published", "exit_threshold": NaN}', "exit_threshold"),
        ('{"name": "published", "exit_threshold": 1e999}', "exit_threshold"),
        ('{"name": "\\ud800"}', "ud800"),
        ('{"name": ["published"]}', "is not one of"),
        ("calibrated", "no certificate"),
    ],
    ids=range(12),
)
def test_what_can_not_be_had(wanted: str, complaint: str) -> None:
    with pytest.raises(ServiceError, match=complaint) as refused:
        _policy(wanted)
    assert refused.value.code == "bad_policy"
    str(refused.value).encode()


@given(st.text() | st.text().map(lambda text: "{" + text) | st.text().map(lambda text: f'{{"name": "{text}"}}'))
def test_whatever_comes_is_a_policy_or_refused(wanted: str) -> None:
    try:
        _policy(wanted)
    except ServiceError as error:
        assert error.code == "bad_policy"  # noqa: PT017 - or it is one
