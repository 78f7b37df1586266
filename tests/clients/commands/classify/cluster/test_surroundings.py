import os

import pytest

from clients.commands.classify.cluster.surroundings import CLUSTER, USAGE, prepare


def test_nothing_is_reported_and_no_port_opened_unless_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CLUSTER, USAGE):
        monkeypatch.setenv(name, "as before")  # and so again when the test is over
        monkeypatch.delenv(name)
    prepare("10.0.0.1:6379")
    assert os.environ[USAGE] == "0"
    assert CLUSTER not in os.environ
    prepare(None)
    assert os.environ[CLUSTER] == "0"
    monkeypatch.setenv(USAGE, "1")
    prepare(None)
    assert os.environ[USAGE] == "1"
