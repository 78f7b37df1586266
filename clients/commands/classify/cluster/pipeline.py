"""The run on Ray: each piece of the list is classified by one task, which writes the rows of the piece as one file."""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, Final

import ray
from ray.data import DataContext, TaskPoolStrategy

from clients.commands.classify.cluster.addresses import AddressReader, PlaceError, is_address, reason_of
from clients.commands.classify.cluster.results import RUN, ResultFolder
from clients.commands.classify.local import Classifier, Setup
from clients.commands.sources import Picture
from server.process.cores import usable_cores

STARTS: Final = 3
"""Times that Ray's start on this machine is tried."""
NO_PROGRESS_S: Final = 3600
"""Time (s) without a piece after which the run ends; Ray Data begins a piece anew as often as its process is lost."""
OBJECT_STORE_BYTES: Final = 100_000_000
"""Shared memory of a cluster on this machine; only the names of pieces pass through it."""


class ClusterError(RuntimeError):
    """A cluster that can't be had, or was lost."""


@dataclass(frozen=True)
class Task:
    """Everything that the processes of a run need.

    Attributes:
        place: address of the folder of results.
        kind: format of the rows.
        setup: network, policy and limits, or the place in Ray's object store that has them.
        settings: values that all rows have in common.
        run: name of this run, which a machine that sees the same folder finds there.
        roots: local folders and files that hold the pictures.
    """

    place: str
    kind: str
    setup: "Setup | ray.ObjectRef[Setup]"
    settings: Mapping[str, Any]
    run: str
    roots: tuple[str, ...]


class Classifying:
    """A process of the cluster with the network.

    Args:
        task: what it needs.

    Raises:
        PlaceError: the machine does not see the folder of results, or the pictures.
    """

    def __init__(self, task: Task) -> None:
        self._folder = ResultFolder(task.place, task.kind)
        _check_sight(task, self._folder)
        setup = task.setup
        self._classifier = Classifier(ray.get(setup) if isinstance(setup, ray.ObjectRef) else setup)
        self._settings, self._run = task.settings, task.run
        self._addresses = AddressReader()

    def __call__(self, piece: str) -> int:
        """Classifies the pictures of a piece and writes their rows; returns the number of pictures.

        Raises:
            PlaceError: a place that can't be read or written, or another command's by now.
        """
        classify = partial(self._classifier.classify, read=self._read)
        self._folder.check_run(self._run)
        rows = [(index, classify(picture)) for index, picture in self._folder.pictures(piece)]
        self._folder.check_run(self._run)
        self._folder.write_rows(piece, rows, self._settings)
        return len(rows)

    def _read(self, picture: Picture, most_bytes: int) -> bytes:
        if is_address(picture.path):
            return self._addresses.read(picture.path, most_bytes)
        return picture.read(most_bytes)


def _check_sight(task: Task, folder: ResultFolder) -> None:
    """Raises `PlaceError` on a machine that sees another folder under the same name, or none."""
    node = ray.util.get_node_ip_address()
    found = folder.read(RUN)
    if found is None or found.get("run") != task.run:
        raise PlaceError(f"{task.place}: machine {node} does not see this folder; it must be shared, or an address")
    for root in task.roots:
        if not os.path.lexists(root):
            raise PlaceError(
                f"{root}: machine {node} does not see these pictures; they must be on a shared file system"
            )


_ready: dict[str, Classifying] = {}
"""The network of the run that this process works for. Ray gives one process many tasks, all of one run."""


def classify_piece(row: dict[str, Any], task: Task) -> dict[str, Any]:
    """Classifies a piece in a process of the cluster; returns the number of pictures and the time that it took (s)."""
    if task.run not in _ready:
        _ready[task.run] = Classifying(task)
    began_s = monotonic()
    pictures = _ready[task.run](row["piece"])
    return {"pictures": pictures, "took_s": monotonic() - began_s}


@contextmanager
def cluster(address: str | None, jobs: int | None) -> Iterator[int]:
    """Joins a cluster, or starts one on this machine that ends with the run; gives the number of processes to use.

    Args:
        address: of the cluster, as `ray.init` takes it; None starts one, on 127.0.0.1 alone (see `surroundings`).
        jobs: processes wanted; None for as many as there are CPUs.

    Raises:
        ClusterError: there is none, or it is too small.
    """
    _hush()
    with tempfile.TemporaryDirectory(prefix="rascanet-ray-", ignore_cleanup_errors=True) as place:
        if address is None:
            _start(jobs or usable_cores(), place)
        else:
            _join(address)
        try:
            most = int(ray.cluster_resources().get("CPU", 0))
            if (jobs or 1) > most:
                raise ClusterError(
                    f"the cluster has {most} CPUs; {jobs or 1} processes need one each (--jobs at most {most})"
                )
            yield jobs or most
        finally:
            ray.shutdown()


def _hush() -> None:
    """Leaves Ray's words to its log files: errors are told once, in a sentence."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"ray\.data\.")  # of short runs, that they are short
    data = logging.getLogger("ray.data")
    for handler in list(data.handlers):
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            data.removeHandler(handler)


def _start(cpus: int, place: str) -> None:
    """Starts Ray on this machine; Ray gives a node half a minute to start, which a busy machine may exceed."""
    for attempt in range(STARTS):
        try:
            ray.init(
                "local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=place,
                log_to_driver=False,
                configure_logging=False,
            )
        except Exception as error:  # Ray has no class of its own for it
            ray.shutdown()
            if attempt == STARTS - 1:
                raise ClusterError(f"Ray can't be started on this machine: {reason_of(error)}") from error
        else:
            return


def _join(address: str) -> None:
    try:
        ray.init(address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray has no class of its own for it
        raise ClusterError(f"the Ray cluster at {address} can't be joined: {reason_of(error)}") from error


def classify_on_cluster(task: Task, pieces: list[str], jobs: int) -> Iterator[tuple[int, float]]:
    """Classifies pieces of the list; yields the number of pictures of each that is done, and the time it took (s).

    Args:
        task: what the processes need.
        pieces: paths of the pieces, in the order in which they are begun.
        jobs: tasks at a time.

    Raises:
        PlaceError: a place that can't be read or written.
        ClusterError: the cluster was lost.
    """
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    context.execution_no_progress_timeout_s = NO_PROGRESS_S
    stored = task.setup if isinstance(task.setup, ray.ObjectRef) else ray.put(task.setup)
    rows = [{"piece": piece} for piece in pieces]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        partial(classify_piece, task=replace(task, setup=stored)),
        compute=TaskPoolStrategy(size=jobs),
        num_cpus=1,
    )
    try:
        found: Iterable[Any] = done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        for table in found:
            for row in table.to_pylist():
                yield row["pictures"], row["took_s"]
    except Exception as error:  # Ray raises errors of tasks as classes that it makes on the fly
        raise fault(error) from error


def fault(error: BaseException) -> Exception:
    """Returns what really happened: the error of the task, or that the cluster was lost."""
    link: BaseException | None = error
    while link is not None:
        cause = getattr(link, "cause", None) or link
        if isinstance(cause, PlaceError):
            return PlaceError(str(cause).partition("\n")[0])  # Ray Data adds lines of advice
        link = link.__cause__
    return ClusterError(f"the run was lost, --resume goes on with it: {reason_of(error)}")
