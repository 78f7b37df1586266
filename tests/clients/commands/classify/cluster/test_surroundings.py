import os

import pytest

from clients.commands.classify.cluster.surroundings import AUTHENTICATION, CLUSTER, LOG_LEVEL, TOKEN, USAGE, prepare


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """None of the variables, now; all as before when the test is over."""
    for name in (AUTHENTICATION, CLUSTER, LOG_LEVEL, TOKEN, USAGE):
        monkeypatch.setenv(name, "as before")
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_a_cluster_that_is_joined_is_as_it_is() -> None:
    prepare("10.0.0.1:6379")
    assert os.environ[USAGE] == "0"
    assert not {AUTHENTICATION, CLUSTER, TOKEN} & set(os.environ)


@pytest.mark.usefixtures("environment")
def test_a_ray_that_is_started_is_closed_to_others() -> None:
    prepare(None)
    assert os.environ[USAGE] == os.environ[CLUSTER] == "0"
    assert os.environ[AUTHENTICATION] == "token"
    assert len(os.environ[TOKEN]) == 64
    first = os.environ[TOKEN]
    prepare(None)
    assert os.environ[TOKEN] == first


def test_what_the_user_says_stays(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(USAGE, "1")
    environment.setenv(CLUSTER, "1")
    environment.setenv(AUTHENTICATION, "disabled")
    prepare(None)
    assert (os.environ[USAGE], os.environ[CLUSTER], os.environ[AUTHENTICATION]) == ("1", "1", "disabled")
    assert TOKEN not in os.environ
