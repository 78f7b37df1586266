"""A short siege: how late answers are is for `make soak`, on a quiet machine."""

import psutil

from tests.service_process import service_process
from tests.soak.neighbours import STREAMS, besieged, kept, measure

LIMITS = ("--busy-limit", "1", "--handshake-s", "1", "--send-s", "1", "--request-s", "5", "--keep-alive-s", "1")
DECODERS = 8
"""Descriptors of processes that decode pictures: they are made at the first."""


def test_streams_go_on_beside_hostile_neighbours_and_nothing_is_kept() -> None:
    with service_process(*LIMITS) as (url, service):
        port, process = int(url.rpartition(":")[2]), psutil.Process(service.pid)
        assert len(measure(port, 0.5)) >= STREAMS
        assert kept(process, process.num_fds()) is None
        descriptors = process.num_fds()
        assert len(besieged(port, 2.0, lambda: measure(port, 2.0))) >= STREAMS
        assert kept(process, descriptors + DECODERS) is None
    assert service.returncode == 0
