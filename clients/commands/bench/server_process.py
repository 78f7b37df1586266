"""The process of a service and its children, seen from outside."""

from pathlib import Path

import psutil


class ServerProcess:
    """Processor time and memory of a service.

    Args:
        pid: process id of the service.
    """

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self._processes = [process, *process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time so far: in nanoseconds where the system tells, else in its ticks of 10 ms."""
        return sum(_cpu_s(process) for process in self._processes)

    def rss_bytes(self) -> int:
        return sum(int(process.memory_info().rss) for process in self._processes)


def _cpu_s(process: psutil.Process) -> float:
    try:
        threads = [(task / "schedstat").read_text() for task in Path(f"/proc/{process.pid}/task").iterdir()]
        return sum(int(thread.split()[0]) for thread in threads) / 1e9
    except (OSError, ValueError, IndexError):
        times = process.cpu_times()
        return float(times.user + times.system)
