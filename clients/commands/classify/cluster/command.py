"""The run as a whole: folder of results, list of pictures, cluster, sums."""

import os
import uuid
from collections.abc import Mapping
from typing import Any

import typer

from clients.commands.classify.cluster.pipeline import Task, classify_on_cluster, cluster
from clients.commands.classify.cluster.results import LIST, RUN, SUCCESS, ResultFolder, ResultsError
from clients.commands.classify.cluster.work_list import check_manifests, counted_in, listed, write_list
from clients.commands.classify.local import Setup
from clients.commands.classify.progress import progress
from clients.commands.classify.summary import Summary
from clients.commands.console import INTERRUPTED, SOME_FAILED, Terminal, say
from clients.commands.sources import NoPicturesError, check_paths


class ClusterRun:
    """One run over pictures.

    Args:
        folder: where results go.
        setup: network, policy and limits.
        settings: values that all rows have in common.
        told: the terminal.
    """

    def __init__(self, folder: ResultFolder, setup: Setup, settings: Mapping[str, Any], told: Terminal) -> None:
        self._folder, self._setup, self._settings, self._told = folder, setup, settings, told
        self._summary = Summary()

    def classify(
        self,
        paths: list[str],
        manifests: list[str],
        *,
        address: str | None,
        jobs: int | None,
        resume: bool,
        overwrite: bool,
    ) -> None:
        """Classifies what the paths and manifests name, and prints the sums.

        Raises:
            SourceError, ManifestError, NoPicturesError: nothing is there to be classified.
            PlaceError, ResultsError, ClusterError: the run can't be had, or ended; `resume` goes on with it.
            typer.Exit: with the status of what was found.
        """
        run = self._begun(paths, manifests, resume=resume, overwrite=overwrite)
        success = self._folder.read(SUCCESS)
        waiting = [] if success else self._folder.waiting()
        if waiting:
            run = run | {"run": uuid.uuid4().hex}  # from here on the folder is this command's
            self._folder.write(RUN, run)
            self._work(run, waiting, paths, address, jobs)
            self._folder.check_run(run["run"])
        summary = self._summary
        missing = self._add_all(run["pictures"])
        if missing:
            raise ResultsError(
                f"{self._folder.place}: {missing:,} pictures have no row, though the run came to its end: "
                "files of rows were lost; --overwrite begins anew"
            )
        if success is None:
            self._folder.write(SUCCESS, {**self._settings, "pictures": run["pictures"], **summary.in_short()})
        self._folder.done()
        if run["pictures"] and not self._told.quiet:
            summary.table().show(self._told)
        if not run["pictures"]:
            raise NoPicturesError([*paths, *manifests])
        if summary.errors:
            raise typer.Exit(SOME_FAILED)

    def _work(
        self, run: Mapping[str, Any], waiting: list[str], paths: list[str], address: str | None, jobs: int | None
    ) -> None:
        task = Task(
            self._folder.place,
            self._folder.kind,
            self._setup,
            self._settings,
            run["run"],
            tuple(os.path.abspath(path) for path in paths if os.path.lexists(path)),  # noqa: PTH100
        )
        done = run["pictures"] - sum(map(counted_in, waiting))
        try:
            with cluster(address, jobs) as processes, progress(self._told, True, lambda: run["pictures"]) as advance:
                advance(done)
                for count, took_s in classify_on_cluster(task, waiting, processes):
                    self._summary.clock(count, took_s)
                    advance(count)
        except KeyboardInterrupt:
            say(f"{self._folder.place}: what is done stays done; --resume goes on with it")
            raise typer.Exit(INTERRUPTED) from None

    def _begun(self, paths: list[str], manifests: list[str], *, resume: bool, overwrite: bool) -> dict[str, Any]:
        """Begins the run, or finds the one to go on with."""
        limits = self._setup.limits
        asked = {
            **self._settings,
            "curve": self._setup.curve,
            "max_bytes": limits.most_bytes,
            "max_pixels": limits.most_px,
            "format": self._folder.kind,
            "paths": paths,
            "manifests": manifests,
        }
        earlier = self._folder.read(RUN) if resume else None
        if earlier is not None:
            for key, value in asked.items():
                if earlier.get(key) != value:
                    raise ResultsError(
                        f"{self._folder.place}: was made with another {key}: {earlier.get(key)}, not {value}"
                    )
            return earlier
        if resume and self._folder.has_rows:
            raise ResultsError(
                f"{self._folder.place}: has rows, but no {RUN} that says of which run; --overwrite begins anew"
            )
        check_paths(paths)  # before anything of an earlier run goes
        check_manifests(manifests)
        self._folder.begin(overwrite=overwrite or resume)
        count = write_list(self._folder.filesystem, self._folder.inside(LIST), listed(paths, manifests))
        begun = asked | {"pictures": count}
        self._folder.write(RUN, begun)
        return begun

    def _add_all(self, pictures: int) -> int:
        """Sums up all rows; returns the number of pictures without one.

        Raises:
            ResultsError: a picture has two rows, or a row no picture.
        """
        seen = bytearray(pictures)
        for rows in self._folder.rows():
            for row in rows:
                index = row["index"]
                if not 0 <= index < pictures or seen[index]:
                    raise ResultsError(
                        f"{self._folder.place}: the picture {index} has two rows, or is none of this run; "
                        "--overwrite begins anew"
                    )
                seen[index] = 1
                self._summary.add(row)
        return pictures - sum(seen)
