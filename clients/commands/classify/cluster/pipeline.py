"""The run on Ray: pieces of the list to processes with the network, rows to files, each piece once."""

import errno
import io
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
import ray
from pyarrow import parquet
from ray.data import ActorPoolStrategy, DataContext
from ray.data.block import BlockAccessor, BlockMetadata
from ray.data.checkpoint import CheckpointConfig
from ray.data.datasource import BlockBasedFileDatasink, Datasource, ReadTask
from ray.exceptions import RayError

from clients.commands.classify.cluster.addresses import AddressReader, PlaceError, filesystem_of, is_address, reason_of
from clients.commands.classify.cluster.columns import (
    INDEX,
    PICTURES,
    pictures_of_table,
    rows_of_table,
    table_of_rows,
    written,
)
from clients.commands.classify.cluster.results import CHECKPOINT, FILES, PARQUET, RUN, ResultFolder
from clients.commands.classify.cluster.work_list import LEAST, counted_in
from clients.commands.classify.local import Classifier, Setup
from clients.commands.classify.rows import RowWriter
from clients.commands.sources import Picture
from server.process.work import usable_cores

SPARE_CPUS: Final = 2
"""Logical CPUs beside those of the classifying processes; Ray Data's filter of a run that goes on takes one of them."""
BATCH: Final = LEAST
"""Pictures that a process classifies before it says so; Ray Data joins pieces of fewer."""
AHEAD: Final = 2
"""Pieces of the list that wait at a process."""
IO_TASKS: Final = 4
"""Pieces that are read, or written, at a time. They need no CPU of their own, so that they never wait for one."""
STARTS: Final = 3
"""Times that Ray's start on this machine is tried."""
POLL_S: Final = 0.5
NO_PROGRESS_S: Final = 3600
"""Time (s) without a piece after which the run ends with an error."""
OBJECT_STORE_BYTES: Final = 200_000_000
"""Shared memory of a cluster on this machine; only places and rows pass through it, no pictures."""
BYTES_A_PICTURE: Final = 200
"""Estimated bytes of a picture's place in the list."""


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


class _Pieces(Datasource):
    """The list of pictures, a block for each of its pieces."""

    def __init__(self, place: str, pieces: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Ray's has no types
        self._place, self._pieces = place, pieces

    def estimate_inmemory_data_size(self) -> int:
        return sum(map(counted_in, self._pieces)) * BYTES_A_PICTURE

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        return [
            ReadTask(
                partial(read_piece, self._place, piece),
                BlockMetadata(
                    num_rows=counted_in(piece), size_bytes=counted_in(piece) * BYTES_A_PICTURE, exec_stats=None
                ),
                schema=PICTURES,
            )
            for piece in self._pieces
        ]


def read_piece(place: str, piece: str) -> list[pa.Table]:
    """Returns the pictures of a piece of the list, in one block."""
    filesystem, _ = filesystem_of(place)
    return [parquet.read_table(piece, filesystem=filesystem, schema=PICTURES)]


class Counter:
    """Counts the pictures that were looked at, for the terminal; a batch that is done once more counts twice."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int) -> None:
        self._count += count

    def total(self) -> int:
        return self._count


class Classifying:
    """A process of the cluster with the network."""

    def __init__(self, task: Task, counter: Any) -> None:
        self._task, self._counter = task, counter
        self._classifier: Classifier | None = None
        self._addresses = AddressReader()

    def __call__(self, batch: pa.Table) -> pa.Table:
        if self._classifier is None:  # an error of the constructor would not be told as what it is
            _check_sight(self._task)
            setup = self._task.setup
            self._classifier = Classifier(ray.get(setup) if isinstance(setup, ray.ObjectRef) else setup)
        classify = partial(self._classifier.classify, read=self._read)
        rows = [(index, classify(picture)) for index, picture in pictures_of_table(batch)]
        self._counter.add.remote(len(rows))
        return table_of_rows(rows)

    def _read(self, picture: Picture, most_bytes: int) -> bytes:
        if is_address(picture.path):
            return self._addresses.read(picture.path, most_bytes)
        return picture.read(most_bytes)


def _check_sight(task: Task) -> None:
    """Raises `PlaceError` on a machine that sees another folder under the same name, or none."""
    node = ray.util.get_node_ip_address()
    found = ResultFolder(task.place, task.kind).read(RUN)
    if found is None or found.get("run") != task.run:
        raise PlaceError(f"{task.place}: machine {node} does not see this folder; it must be shared, or an address")
    for root in task.roots:
        if not os.path.lexists(root):
            raise PlaceError(
                f"{root}: machine {node} does not see these pictures; they must be on a shared file system"
            )


class Rows(BlockBasedFileDatasink):
    """Files of rows, one for each piece of the list."""

    def __init__(self, task: Task, folder: ResultFolder) -> None:
        super().__init__(
            folder.inside(FILES), filesystem=folder.filesystem, try_create_dir=False, file_format=task.kind
        )
        self._kind, self._settings = task.kind, task.settings

    def write_block_to_file(self, block: BlockAccessor, file: pa.NativeFile) -> None:
        table = block.to_arrow()
        if self._kind == PARQUET:
            parquet.write_table(written(table, self._settings), file)
            return
        text = io.StringIO()
        writer = RowWriter(text, self._kind, self._settings)
        for row in rows_of_table(table):
            writer.add(row)
        file.write(text.getvalue().encode())


@contextmanager
def cluster(address: str | None, jobs: int | None) -> Iterator[int]:
    """Joins a cluster, or starts one on this machine that ends with the run; gives the number of processes to use.

    Args:
        address: of the cluster, as `ray.init` takes it; None starts one, on 127.0.0.1 alone (see `surroundings`).
        jobs: processes wanted; None for as many as there are CPUs to spare.

    Raises:
        ClusterError: there is none, or it is too small.
    """
    _hush()
    with tempfile.TemporaryDirectory(prefix="rascanet-ray-", ignore_cleanup_errors=True) as place:
        if address is None:
            _start((jobs or usable_cores()) + SPARE_CPUS, place)
        else:
            _join(address)
        try:
            cpus = int(ray.cluster_resources().get("CPU", 0))
            most = cpus - SPARE_CPUS
            if most < 1 or (jobs or 1) > most:
                raise ClusterError(
                    f"the cluster has {cpus} CPUs; {jobs or 1} processes need {(jobs or 1) + SPARE_CPUS} "
                    f"(--jobs at most {max(0, most)})"
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


def classify_on_cluster(task: Task, folder: ResultFolder, jobs: int, saw: Callable[[int], None]) -> None:
    """Classifies every picture of the list that has no row yet.

    Args:
        task: what the processes need.
        folder: the results, begun.
        jobs: processes.
        saw: called now and then with the number of pictures that were looked at since it was called last.

    Raises:
        PlaceError: a place that can't be read or written.
        OSError: a disk that is full.
        ClusterError: the cluster was lost.
    """
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    context.execution_no_progress_timeout_s = NO_PROGRESS_S
    context.checkpoint_config = CheckpointConfig(
        INDEX,
        folder.inside(CHECKPOINT),
        override_filesystem=folder.filesystem,
        delete_checkpoint_on_success=False,  # it must stay until `_SUCCESS` is there
    )
    pieces = folder.pieces()
    at_a_time = min(IO_TASKS, len(pieces))
    counter = ray.remote(num_cpus=0, max_restarts=-1)(Counter).remote()
    found = ray.data.read_datasource(
        _Pieces(task.place, pieces), num_cpus=0, concurrency=at_a_time, override_num_blocks=len(pieces)
    )
    stored = task.setup if isinstance(task.setup, ray.ObjectRef) else ray.put(task.setup)
    pool = ActorPoolStrategy(min_size=1, max_size=jobs, initial_size=jobs, max_tasks_in_flight_per_actor=AHEAD)
    rows = found.map_batches(
        Classifying,
        fn_constructor_args=(replace(task, setup=stored), counter),
        compute=pool,
        batch_format="pyarrow",
        batch_size=BATCH,
        num_cpus=1,
    )
    with _watched(counter, saw):
        try:
            rows.write_datasink(Rows(task, folder), ray_remote_args={"num_cpus": 0}, concurrency=at_a_time)
        except Exception as error:  # Ray raises errors of tasks as classes that it makes on the fly
            raise fault(error, task.place) from error


def fault(error: BaseException, place: str) -> Exception:
    """Returns what really happened: the error of the task, or that the cluster was lost."""
    link: BaseException | None = error
    while link is not None:
        cause = getattr(link, "cause", None) or link
        if isinstance(cause, PlaceError):
            return PlaceError(str(cause))
        if isinstance(cause, OSError) and cause.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EROFS,
            errno.EACCES,
        ):
            return OSError(cause.errno, os.strerror(cause.errno), place)
        link = link.__cause__
    return ClusterError(f"the run was lost, --resume goes on with it: {reason_of(error)}")


@contextmanager
def _watched(counter: Any, saw: Callable[[int], None]) -> Iterator[None]:
    """Asks the counter now and then, as long as it lasts."""
    over = threading.Event()

    def watch() -> None:
        seen = 0
        while not over.wait(POLL_S):
            try:
                now = ray.get(counter.total.remote(), timeout=10 * POLL_S)
            except (RayError, TimeoutError):
                continue
            saw(max(0, now - seen))
            seen = now

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
