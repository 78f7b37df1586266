"""A run on this machine or by a service: pictures in, rows out."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any

import typer

from clients.commands.classify.options import ResultChoice
from clients.commands.console import INTERRUPTED, SOME_FAILED, Terminal, fail, say
from clients.commands.names import ENCODING, ERRORS, open_text
from clients.commands.outputs import is_regular, naming, whole_text
from clients.commands.table import counted
from server.process.file_lock import lock

if TYPE_CHECKING:
    from clients.commands.classify.engine import Engine
    from clients.commands.classify.rows import Row, RowWriter
    from clients.commands.sources import Picture
    from model.picture import PictureLimits


class Run:
    """One run over pictures: rows to the file, sums and the page beside it."""

    def __init__(self, engine: "Engine", limits: "PictureLimits", results: ResultChoice, kind: str) -> None:
        from clients.commands.classify.report import Report
        from clients.commands.classify.summary import Summary

        self._engine, self._results, self._kind = engine, results, kind
        self._told = Terminal(stderr=True, quiet=results.quiet)
        self._page: Report = Report(engine.height, engine.width, engine.burst_rows, limits)
        self._summary: Summary = Summary()
        self._interrupted = False
        self._paths: list[str] = []
        self.standard_input: str | None = None

    def classify(self, paths: list[str]) -> None:
        """Classifies what the paths name; an interruption ends it, and keeps what is done."""
        with self._alone():
            self._classify(paths)
        if self._results.report:
            with whole_text(self._results.report) as html:
                html.writelines(self._page.page(f"{self._engine.variant}: {self._summary.classified:,} pictures"))

    def _classify(self, paths: list[str]) -> None:
        from clients.commands.classify.progress import progress
        from clients.commands.classify.rows import RowWriter
        from clients.commands.sources import pictures

        self._paths = paths
        earlier = self._earlier()
        bar = progress(
            self._told,
            self._results.file or self._kind != "text",
            lambda: sum(1 for _ in pictures(paths, self.standard_input)),
        )
        with self._file(go_on=bool(earlier)) as file, bar as advance:
            writer = RowWriter(file, self._kind, self._engine.settings, fresh=not earlier)

            def fresh() -> "Iterator[Picture]":
                for picture in pictures(paths, self.standard_input):
                    rows = earlier.get(picture.name)
                    if rows:
                        self._take(picture, rows.pop())
                        advance(1)
                    else:
                        yield picture

            self._write(self._engine.classify(fresh()), writer, advance)

    def _write(self, results: Any, writer: "RowWriter", advance: Callable[[int], None]) -> None:
        with closing(results):
            try:
                for picture, row in results:
                    writer.add(row)
                    self._take(picture, row)
                    self._summary.clock()
                    advance(1)
            except KeyboardInterrupt:
                self._interrupted = True
        writer.close()

    def tell(self) -> None:
        """Prints the sums, and ends with the status that they mean.

        Raises:
            NoPicturesError: there was none.
            typer.Exit: interrupted, or some not classified.
        """
        from clients.commands.classify.rows import RESUMABLE
        from clients.commands.sources import NoPicturesError

        found = self._summary.classified + self._summary.errors.total()
        told = found == 1 and self._kind == "text" and not self._results.file
        if found and not told and not self._results.quiet:
            self._summary.table().show(self._told)
        if self._interrupted:
            on = "; the same command with --resume continues"
            resumable = self._results.file and self._kind in RESUMABLE
            say(f"interrupted after {counted(found, 'picture')}{on if resumable else ''}")
            raise typer.Exit(INTERRUPTED)
        if not found:
            raise NoPicturesError(self._paths)
        if self._summary.errors:
            raise typer.Exit(SOME_FAILED)

    def _take(self, picture: "Picture", row: "Row") -> None:
        self._summary.add(row)
        self._page.add(picture, row)

    def _earlier(self) -> "dict[str, list[Row]]":
        """The rows of an earlier run by name; a picture that is named twice has two."""
        from clients.commands.classify.rows import read_rows

        out = self._results.file
        if not (self._results.resume and out and out.exists()):
            return {}
        earlier: defaultdict[str, list[Row]] = defaultdict(list)
        for row in read_rows(out, self._kind, self._engine.settings):
            earlier[row["name"]].append(row)
        return dict(earlier)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other commands away from the file; ends the command where one is at work on it."""
        out = self._results.file
        if out is None or not is_regular(out):
            yield
            return
        with naming(out), out.open("ab") as file:
            if not lock(file):
                fail(f"{out}: another command is writing it")
            yield

    @contextmanager
    def _file(self, *, go_on: bool) -> Iterator[IO[str]]:
        out = self._results.file
        if out is None and self._kind == "csv" and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding=ENCODING, errors=ERRORS, newline="")
        if out is None:
            yield sys.stdout
        else:
            with naming(out), open_text(out, "a" if go_on else "w") as file:
                yield file
