"""The command itself."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from clients.commands.console import INTERRUPTED, SOME_FAILED, Terminal, fail, failing_on, need, say
from clients.commands.names import ENCODING, ERRORS, open_text
from clients.commands.outputs import check_outputs, is_regular, naming, whole_text
from clients.commands.policy import PolicyChoice
from clients.commands.service import PANEL as SERVICE
from clients.commands.service import BearerToken
from clients.commands.suggestions import no_such
from clients.commands.table import counted
from clients.commands.takes import takes
from clients.commands.weights import ChosenVariant, WeightsFile, weights_file
from model.config import DEFAULT_VARIANT
from server.process.file_lock import lock

if TYPE_CHECKING:
    from clients.commands.classify.engine import Engine
    from clients.commands.classify.rows import Row, RowWriter
    from clients.commands.sources import Picture

RESULTS, LIMITS, CLUSTER = "Results", "Limits", "Many machines"
LOCAL, RAY = "local", "ray"
HELP = """Classifies pictures: files, folders, globs, ZIP archives, or - for standard input.

Pictures are read whole (policy `never`) unless a policy is named. Exit status: 0 every picture was classified; 1 some
could not be read, each is named; 2 the command can't be run as asked, or the service is lost; 3 there were no pictures;
130 interrupted. With --out, --resume continues a run that was interrupted.

Examples:
    rascanet classify photo.jpg
    rascanet classify folder pictures.zip --out results.csv
    rascanet classify 'folder/**/*.png' --report gallery.html
    rascanet classify folder --url http://127.0.0.1:8000
    rascanet classify --engine ray --manifest list.csv --out s3://bucket/results
"""


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """The options that say where results go."""

    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=RESULTS,
            help="file for the results, standard output if not given; with --engine ray a folder, or its address",
        ),
    ] = None
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            rich_help_panel=RESULTS,
            help="text, csv, json or ndjson, by the name of --out if not given; with --engine ray parquet or ndjson",
        ),
    ] = None
    curve: Annotated[
        bool,
        typer.Option("--curve", rich_help_panel=RESULTS, help="add P(person) after each burst (json and ndjson)"),
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=RESULTS, help="HTML page: a gallery that shows where each scan stopped"
        ),
    ] = None
    resume: Annotated[
        bool,
        typer.Option("--resume", rich_help_panel=RESULTS, help="continue the file of an earlier run (csv, ndjson)"),
    ] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=RESULTS, help="replace files that are there already")
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", rich_help_panel=RESULTS, help="neither progress nor summary")] = (
        False
    )

    @property
    def file(self) -> Path | None:
        """File for the results."""
        return Path(self.out) if self.out else None

    def checked_kind(self) -> str:
        """Returns the format; ends the command where options don't go together or a file would be lost."""
        from clients.commands.classify.rows import BY_SUFFIX, FORMATS, RESUMABLE

        out = self.file
        ending = out.suffix.lower() if out and not self.kind else ""
        if ending not in ("", *BY_SUFFIX):
            fail(f"{out}: {no_such('format with the ending', ending, BY_SUFFIX)}; or name the format with --format")
        kind = self.kind or BY_SUFFIX.get(ending, "text")
        if kind not in FORMATS:
            fail(no_such("format", kind, FORMATS))
        if self.resume and (not out or kind not in RESUMABLE):
            fail(f"--resume needs --out and one of the formats {' and '.join(RESUMABLE)}")
        self._check_either()
        check_outputs(
            overwrite=self.overwrite,
            resumed=out if self.resume else None,
            resumable=kind in RESUMABLE,
            out=out,
            report=self.report,
        )
        return kind

    def checked_folder(self) -> tuple[str, str]:
        """Returns folder and format of a run on Ray; ends the command where options don't go together."""
        from clients.commands.classify.cluster.results import KINDS

        kind = self.kind or KINDS[0]
        if kind not in KINDS:
            fail(f"with --engine ray {no_such('format', kind, KINDS)}")
        if not self.out:
            fail("--engine ray needs --out, a folder that all machines of the cluster see")
        if self.report:
            fail("--report shows pictures of this machine; it can't be had with --engine ray")
        self._check_either()
        return self.out, kind

    def _check_either(self) -> None:
        if self.resume and self.overwrite:
            fail("give --resume or --overwrite, not both")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The options that say which engine classifies."""

    engine: Annotated[
        str,
        typer.Option(metavar="NAME", rich_help_panel=CLUSTER, help="local, or ray for many machines (docs/scaling.md)"),
    ] = LOCAL
    manifest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=CLUSTER,
            help="with --engine ray: CSV or Parquet whose column `path` has files and addresses (s3, gs, https, ...)",
        ),
    ] = None
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            envvar="RAY_ADDRESS",
            show_envvar=True,
            rich_help_panel=CLUSTER,
            help="cluster to join; without one, Ray is started on this machine and ends with the run",
        ),
    ] = None
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", rich_help_panel=SERVICE, help="address of a service; without it, this machine decides"
        ),
    ] = None
    bearer_token: BearerToken = None
    variant: ChosenVariant = None
    weights: WeightsFile = None
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=LIMITS,
            help="number of processes, or of connections with --url; one for each core if not given",
        ),
    ] = None
    max_bytes: Annotated[
        int | None, typer.Option(min=1, metavar="BYTES", rich_help_panel=LIMITS, help="largest picture file")
    ] = None
    max_pixels: Annotated[
        int | None, typer.Option(min=1, metavar="PX", rich_help_panel=LIMITS, help="most pixels in a picture")
    ] = None


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("classify", help=HELP)(takes(classify))


def classify(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="files, folders, globs, ZIP archives, or - for standard input"),
    ] = None,
    *,
    engine: EngineChoice,
    policy: PolicyChoice,
    results: ResultChoice,
) -> None:
    """See `HELP`."""
    if engine.engine not in (LOCAL, RAY):
        fail(no_such("engine", engine.engine, (LOCAL, RAY)))
    if engine.manifest and engine.engine != RAY:
        fail(f"--manifest needs --engine {RAY}")
    if not (paths or engine.manifest):
        fail(
            "give files, folders or archives to classify, such as `rascanet classify photo.jpg`"
            + (", or --manifest" if engine.engine == RAY else "")
        )
    (_classify_by_ray if engine.engine == RAY else _classify)(paths or [], engine, policy, results)


def _classify_by_ray(paths: list[str], engine: EngineChoice, policy: PolicyChoice, results: ResultChoice) -> None:
    need("ray", "pyarrow")
    from clients.commands.classify.cluster.surroundings import prepare

    prepare(engine.ray_address)
    from clients.commands.classify.cluster.addresses import PlaceError
    from clients.commands.classify.cluster.command import ClusterRun
    from clients.commands.classify.cluster.pipeline import ClusterError
    from clients.commands.classify.cluster.results import ResultFolder, ResultsError
    from clients.commands.classify.cluster.work_list import ManifestError
    from clients.commands.classify.engine import local_engine, local_setup
    from clients.commands.sources import STANDARD_INPUT, SourceError
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.exit_policy import PolicyError
    from model.step import RuntimeUnavailableError

    place, kind = results.checked_folder()
    if engine.url:
        fail("give --url or --engine ray, not both")
    if STANDARD_INPUT in paths:
        fail("standard input can't be read with --engine ray; name files, folders or archives")
    mendable = (
        CheckpointError, CertificateError, RuntimeUnavailableError, PolicyError, SourceError, ManifestError, PlaceError,
        ResultsError, ClusterError, ValueError,
    )  # fmt: skip
    with failing_on(*mendable):
        setup = local_setup(
            weights_file(engine.weights, engine.variant), policy.wanted(), curve=results.curve, limits=_limits(engine)
        )
        settings = local_engine(setup, 1).settings
        run = ClusterRun(ResultFolder(place, kind), setup, settings, Terminal(stderr=True, quiet=results.quiet))
        run.classify(
            paths,
            engine.manifest or [],
            address=engine.ray_address,
            jobs=engine.jobs,
            resume=results.resume,
            overwrite=results.overwrite,
        )


def _classify(paths: list[str], engine: EngineChoice, policy: PolicyChoice, results: ResultChoice) -> None:
    from clients.commands.classify.local import WorkerError
    from clients.commands.classify.rows import RowsError
    from clients.commands.sources import STANDARD_INPUT, SourceError, check_paths, spooled
    from clients.python.errors import HttpError
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.exit_policy import PolicyError
    from model.step import RuntimeUnavailableError

    kind = results.checked_kind()
    mendable = (
        CheckpointError, CertificateError, RuntimeUnavailableError, PolicyError, SourceError, RowsError, WorkerError,
        HttpError, ValueError,
    )  # fmt: skip
    with ExitStack() as held, failing_on(*mendable):
        check_paths(paths)
        run = _Run(_engine(engine, policy, curve=results.curve), _limits(engine), results, kind)
        if STANDARD_INPUT in paths:
            run.standard_input = held.enter_context(spooled(sys.stdin.buffer))
        run.classify(paths)
        run.tell()


def _limits(choice: EngineChoice) -> Any:
    from model.picture import PictureLimits

    usual = PictureLimits()
    return PictureLimits(choice.max_bytes or usual.most_bytes, choice.max_pixels or usual.most_px)


def _engine(choice: EngineChoice, policy: PolicyChoice, *, curve: bool) -> "Engine":
    from clients.commands.classify.engine import local_engine, local_setup, remote_engine
    from server.process.cores import usable_cores

    if choice.url and choice.weights:
        fail("the weights are the service's: give --weights or --url, not both")
    wanted, limits = policy.wanted(), _limits(choice)
    if choice.url:
        return remote_engine(
            choice.url,
            choice.variant or DEFAULT_VARIANT,
            wanted,
            bearer_token=choice.bearer_token,
            curve=curve,
            limits=limits,
            connections=choice.jobs or 2 * usable_cores(),
        )
    setup = local_setup(weights_file(choice.weights, choice.variant), wanted, curve=curve, limits=limits)
    return local_engine(setup, choice.jobs or usable_cores())


class _Run:
    """One run over pictures: rows to the file, sums and the page beside it."""

    def __init__(self, engine: "Engine", limits: Any, results: ResultChoice, kind: str) -> None:
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
