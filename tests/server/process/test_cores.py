import os

import pytest

from server.process.cores import usable_cores


def test_a_process_may_use_one_core_or_more_of_the_machine() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_process_that_is_held_to_some_cores_counts_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5}, raising=False)
    assert usable_cores() == 2


def test_a_system_without_affinity_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7
