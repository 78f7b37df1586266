"""Several processes on one port, and the parent that keeps them alive.

The parent listens and shares its sockets, hands every worker the same arguments through a pipe (so that none of them
is in an environment or a list of processes), and then does three things:

- A worker that ends is replaced, at once the first time, then after pauses that double up to `LONGEST_S`: whatever
  ends every worker must not become a storm of starts.
- A worker whose event loop did not turn for `HANGS_S` is killed, and so replaced. Time is added up in the parent's
  own steps, so that a machine that was suspended finds no worker guilty.
- On SIGTERM, SIGINT or SIGHUP the workers are told to end. Those that have not ended `LAST_S` after their drain are
  killed.
"""

import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait
from time import monotonic
from typing import Any, Final

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
LAST_S: Final = 10.0
"""Time beyond `drain_s` for the end of requests and connections."""
HANGS_S: Final = 60.0
FIRST_S, LONGEST_S, STEADY_S = 0.5, 30.0, 60.0
"""Pauses between restarts; a worker that lived for `STEADY_S` begins the count anew."""

SPAWN: Final = multiprocessing.get_context("spawn")
"""Context in which workers start without their parent's memory, threads or locks."""

STOP: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Restarts:
    """Pauses before a worker that ended is started again."""

    def __init__(self) -> None:
        self._deaths = 0

    def pause_s(self, lived_s: float) -> float:
        """Seconds until the next start of a worker that lived for `lived_s`."""
        self._deaths = 0 if lived_s >= STEADY_S else self._deaths + 1
        return 0.0 if self._deaths <= 1 else min(LONGEST_S, FIRST_S * 2.0 ** (self._deaths - 2))


class Heart:
    """The parent's view of a worker's event loop.

    Args:
        beats: returns the number of beats so far.
    """

    def __init__(self, beats: Callable[[], int]) -> None:
        self._beats, self._seen, self._silent_s = beats, -1, 0.0

    def silent_s(self, step_s: float) -> float:
        """Seconds without a beat; `step_s` have passed since the last call, of which at most two polls count."""
        beats = self._beats()
        self._silent_s = self._silent_s + min(step_s, 2 * POLL_S) if beats == self._seen else 0.0
        self._seen = beats
        return self._silent_s


class _Place:
    """Place of a worker and its replacements."""

    def __init__(
        self, number: int, start: "Callable[[int], tuple[multiprocessing.process.BaseProcess, Heart]]"
    ) -> None:
        self._number, self._start = number, start
        self.restarts = Restarts()
        self.due = 0.0
        self.began = 0.0
        self.process: multiprocessing.process.BaseProcess | None = None
        self.heart: Heart | None = None

    def begin(self, now: float) -> None:
        self.process, self.heart = self._start(self._number)
        self.began = now


def run_workers(
    count: int,
    target: Callable[..., None],
    arguments: Iterable[Any],
    drain_s: float,
    ended: Callable[[int], None],
) -> None:
    """Keeps `count` workers alive until a signal; returns once all have ended.

    Args:
        count: number of processes.
        target: function of a worker; its last arguments are its number, from 0, which a replacement takes over, and a
            counter, which it increments while its loop turns.
        arguments: arguments before these two; they can be pickled.
        drain_s: longest time that a worker may take to end, beside `LAST_S`.
        ended: called with the process id of every worker that ended.
    """
    arguments = tuple(arguments)

    def start(number: int) -> tuple[multiprocessing.process.BaseProcess, Heart]:
        beats = SPAWN.Value("Q", 0, lock=False)
        process = SPAWN.Process(target=target, args=(*arguments, number, beats))
        process.start()
        return process, Heart(lambda: int(beats.value))

    asked: list[int] = []
    heard = [number for number in STOP if signal.getsignal(number) is not signal.SIG_IGN]  # `nohup` ignores SIGHUP
    before = {number: signal.signal(number, lambda found, _frame: asked.append(found)) for number in heard}
    places = [_Place(number, start) for number in range(count)]
    looked = monotonic()
    try:
        while not asked:
            now = monotonic()
            for place in places:
                _care(place, now, now - looked, ended)
            looked = now
            wait([place.process.sentinel for place in places if place.process is not None], POLL_S)
    finally:
        _end(places, drain_s, ended)
        for number, handler in before.items():
            signal.signal(number, handler)


def _care(place: _Place, now: float, step_s: float, ended: Callable[[int], None]) -> None:
    """Starts, reaps or kills the worker of a place."""
    process, heart = place.process, place.heart
    if process is None or heart is None:
        if now >= place.due:
            place.begin(now)
        return
    if process.is_alive():
        if heart.silent_s(step_s) > HANGS_S:
            log.error("worker %s hangs and is killed", process.pid)
            process.kill()
        return
    process.join()
    pause_s = place.restarts.pause_s(now - place.began)
    log.error("worker %s ended with status %s; another starts in %.3g s", process.pid, process.exitcode, pause_s)
    ended(process.pid or 0)
    place.process, place.due = None, now + pause_s


def _end(places: list[_Place], drain_s: float, ended: Callable[[int], None]) -> None:
    """Tells the workers to end, and kills those that do not."""
    processes = [place.process for place in places if place.process is not None]
    for process in processes:
        process.terminate()
    deadline = monotonic() + drain_s + LAST_S
    for process in processes:
        process.join(max(0.0, deadline - monotonic()))
        if process.is_alive():
            log.error("worker %s did not end in time and is killed", process.pid)
            process.kill()
            process.join()
        ended(process.pid or 0)
