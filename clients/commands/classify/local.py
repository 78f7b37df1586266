"""Classification in this process, or in as many processes as there are cores."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from clients.commands.classify.engine import Done
from clients.commands.classify.rows import Row
from clients.commands.sources import Picture
from model.exit_policy import Policy
from model.picture import PictureLimits, load_decoders
from model.runtime import AnyCheckpoint, load_runtime
from server.errors import ServiceError
from server.pictures.classify import classify_picture

CHUNK: Final = 8
"""Pictures handed to a process at a time."""
AHEAD: Final = 4
"""Chunks a process may be behind."""


class WorkerError(RuntimeError):
    """A process that ended in the middle of its work."""


@dataclass(frozen=True)
class Setup:
    """Everything that a process needs to classify."""

    checkpoint: AnyCheckpoint
    policy: Policy
    curve: bool = False
    limits: PictureLimits = field(default_factory=PictureLimits)


class Classifier:
    """The network and the policy, ready for pictures."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._runtime, self._policy = load_runtime(setup.checkpoint), setup.policy
        load_decoders()  # not within the time of the first picture

    def classify(self, picture: Picture, read: Callable[[Picture, int], bytes] = Picture.read) -> Row:
        """Reads, decodes, resizes and decides.

        Args:
            picture: the picture.
            read: gives the picture's bytes, at most one more than a number of them; raises `ServiceError`.
        """
        limits = self._setup.limits
        try:
            content = read(picture, limits.most_bytes)
        except ServiceError as error:
            return {"name": picture.name, "code": error.code, "message": str(error)}
        entry = classify_picture(
            content, self._runtime, self._policy, limits, name=picture.name, curve=self._setup.curve
        )
        return {key: value for key, value in dict(entry).items() if key != "index" and value is not None}


def classify_here(pictures: Iterable[Picture], setup: Setup, jobs: int) -> Generator[Done, None, None]:
    """Classifies pictures, in their order; a few of them without further processes.

    Raises:
        WorkerError: a process ended; what came before it was yielded.
    """
    waiting = iter(pictures)
    first = list(islice(waiting, CHUNK + 1))
    if jobs == 1 or len(first) <= CHUNK:
        classifier = Classifier(setup)
        for picture in chain(first, waiting):
            yield picture, classifier.classify(picture)
        return
    all_of_them = chain(first, waiting)
    chunks: Iterator[list[Picture]] = iter(lambda: list(islice(all_of_them, CHUNK)), [])
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _begin, (setup,))
    running: deque[tuple[list[Picture], Future[list[Row]]]] = deque()
    try:
        while True:
            for chunk in islice(chunks, AHEAD * jobs - len(running)):
                running.append((chunk, pool.submit(_work, chunk)))
            if not running:
                return
            chunk, rows = running.popleft()
            yield from zip(chunk, rows.result(), strict=True)
    except BrokenProcessPool as error:
        raise WorkerError(f"a process ended while it worked on {chunk[0].name} or soon after it") from error
    finally:
        pool.shutdown(cancel_futures=True)


_classifier: Classifier


def _begin(setup: Setup) -> None:
    global _classifier
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process tells the others to stop
    _classifier = Classifier(setup)
    threading.Thread(target=_end_with_the_first_process, daemon=True).start()


def _end_with_the_first_process() -> None:
    """Ends this process once the first one is gone, even if it was killed: no more pictures would ever come."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a pool started this process
    parent.join()
    signal.raise_signal(signal.SIGTERM)


def _work(chunk: list[Picture]) -> list[Row]:
    return [_classifier.classify(picture) for picture in chunk]
