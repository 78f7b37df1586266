import subprocess
import sys

import pytest

pytest.importorskip("ray", reason="Ray is not installed: .venv/bin/pip install -e '.[ray]'")

from ray.exceptions import RayTaskError

from clients.commands.classify.cluster.addresses import PlaceError
from clients.commands.classify.cluster.pipeline import ClusterError, fault

LISTENING = """
from clients.commands.classify.cluster.surroundings import prepare

prepare(None)
from clients.commands.classify.cluster.pipeline import cluster
import psutil
import ray

with cluster(None, 1) as jobs:
    assert jobs == 1 and ray.cluster_resources()["CPU"] == 1
    own = psutil.Process()
    listening = [
        connection.laddr.ip
        for process in (own, *own.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
print(*listening)
"""


def _of_a_task(cause: Exception) -> BaseException:
    """The error that Ray raises when a task raised another."""
    error: BaseException = RayTaskError("task", "Traceback (most recent call last): ...", cause).as_instanceof_cause()
    return error


def test_errors_of_tasks_are_told_as_what_they_are() -> None:
    lost = fault(_of_a_task(PlaceError("s3://box: can't be read: forbidden\nFailed to apply UDF transform ...")))
    assert isinstance(lost, PlaceError)
    assert str(lost) == "s3://box: can't be read: forbidden"


def test_other_errors_say_how_to_go_on() -> None:
    for error in (_of_a_task(ZeroDivisionError("division by zero")), RuntimeError("the cluster is gone\nand more")):
        told = fault(error)
        assert isinstance(told, ClusterError)
        assert "--resume goes on with it" in str(told)
        assert "\n" not in str(told)


def test_a_ray_that_is_started_listens_on_loopback_alone() -> None:
    pytest.importorskip("psutil", reason="psutil is not installed")
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    listening = done.stdout.split()
    assert len(listening) >= 3
    assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
