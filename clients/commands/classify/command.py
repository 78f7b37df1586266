"""The command itself."""

import json
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from clients.commands.console import fail, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of
from clients.commands.service import BearerToken
from clients.commands.weights import Weights, WeightsFile

if TYPE_CHECKING:
    from clients.commands.classify.local import Done
    from clients.commands.classify.remote import Service
    from clients.commands.sources import Picture

SOME_FAILED, NOTHING_FOUND, INTERRUPTED = 1, 3, 130

HELP = """Classifies pictures: files, folders, globs, ZIP archives, or - for standard input.

Pictures are read whole (policy `never`) unless a policy is named. Exit status: 0 every picture was classified; 1 some
could not be read, each is named; 2 the command can't be run as asked, or the service is lost; 3 there were no pictures;
130 interrupted. With --out, --resume goes on where a run ended.

Examples:
    rascanet classify photo.jpg
    rascanet classify folder pictures.zip --out results.csv
    rascanet classify 'folder/**/*.png' --report gallery.html
    rascanet classify folder --url http://127.0.0.1:8000
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("classify", help=HELP)(classify)


def classify(
    paths: Annotated[list[str], typer.Argument(help="files, folders, globs, ZIP archives, or - for standard input")],
    url: Annotated[str | None, typer.Option(help="address of a service; without one all happens here")] = None,
    variant: Variant = "105x120",
    weights: WeightsFile = None,
    policy: Policy = None,
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
    curve: Annotated[bool, typer.Option("--curve", help="P(person) after each burst too (JSON and NDJSON)")] = False,
    out: Annotated[Path | None, typer.Option(help="file for the results; standard output if not given")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="text, csv, json or ndjson; by the name of --out if not given")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the file of an earlier run (csv, ndjson)")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file of an earlier run")] = False,
    report: Annotated[Path | None, typer.Option(help="HTML page: a gallery with where each scan stopped")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes, or connections; all cores if not given")] = None,
    max_bytes: Annotated[int | None, typer.Option(min=1, help="largest picture file")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="most pixels in a picture")] = None,
    bearer_token: BearerToken = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="neither progress nor summary")] = False,
) -> None:
    """See `HELP`."""
    from clients.commands.classify.local import WorkerError
    from clients.commands.classify.report import Report
    from clients.commands.classify.rows import RowsError, RowWriter
    from clients.commands.classify.summary import Summary
    from clients.commands.sources import SourceError, check_paths, pictures
    from model.checkpoint import CheckpointError
    from model.exit_policy import WHOLE_PICTURE_POLICY, PolicyError, describe_policy
    from model.picture import PictureLimits
    from model.step import RuntimeUnavailableError
    from server.process.work import usable_cores

    if url and weights:
        fail("the weights are the service's: give --weights or --url, not both")
    kind = _format(kind, out, resume=resume, overwrite=overwrite)
    usual = PictureLimits()
    limits = PictureLimits(max_bytes or usual.most_bytes, max_pixels or usual.most_px)
    told = Console(stderr=True, quiet=quiet)
    mendable = (CheckpointError, RuntimeUnavailableError, PolicyError, SourceError, RowsError, WorkerError, OSError)
    with ExitStack() as held, failing_on(*mendable):
        check_paths(paths)
        service = _service(url, jobs or 2 * usable_cores(), bearer_token) if url else None
        wanted = policy_of(policy, exit_threshold, skip_threshold) or describe_policy(WHOLE_PICTURE_POLICY)
        engine = _Engine(service, weights, variant, wanted, jobs or usable_cores(), curve, limits)
        standard_input = held.enter_context(_spooled()) if "-" in paths else None
        page = Report(engine.height, engine.width, engine.burst_rows, limits)
        summary, began = Summary(), monotonic()
        earlier = _earlier(out, kind, engine.settings) if resume and out and out.exists() else {}
        file = _opened(out, held, go_on=bool(earlier))
        writer = RowWriter(file, kind, engine.settings, fresh=not earlier)
        advance = held.enter_context(_progress(told, out or kind != "text", lambda: pictures(paths, standard_input)))

        def fresh() -> Iterator[Any]:
            for picture in pictures(paths, standard_input):
                row = earlier.pop(picture.name, None)
                if row is None:
                    yield picture
                else:
                    summary.add(row)
                    page.add(picture, row)
                    advance()

        interrupted, count = False, 0
        results = held.enter_context(closing(engine.classify(fresh())))
        try:
            for picture, row in results:
                writer.add(row)
                summary.add(row)
                page.add(picture, row)
                advance()
                count += 1
        except KeyboardInterrupt:
            interrupted = True
        writer.close()
        if report:
            with report.open("w") as html:
                html.writelines(page.page(f"{engine.settings['variant']}: {summary.classified:,} pictures"))
        held.close()
        told.print(summary.table(monotonic() - began, count))
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not summary.classified and not summary.errors:
        print("rascanet: there are no pictures", file=sys.stderr)
        raise typer.Exit(NOTHING_FOUND)
    if summary.errors:
        raise typer.Exit(SOME_FAILED)


def _service(url: str, connections: int, bearer_token: str | None) -> "Service":
    from clients.commands.classify.remote import Service  # what speaks HTTP is loaded for this alone

    return Service(url, connections, bearer_token)


class _Engine:
    """What classifies: processes of this machine, or a service."""

    def __init__(
        self,
        service: "Service | None",
        weights: Path | None,
        variant: str,
        policy: dict[str, Any],
        jobs: int,
        curve: bool,
        limits: Any,
    ) -> None:
        from clients.commands.classify.local import Setup, classify_here
        from model.exit_policy import CalibratedPolicy, describe_policy, parse_policy

        self.classify: Callable[[Iterable[Picture]], Generator[Done, None, None]]
        if service:
            model = service.model(variant)
            promised = model.get("calibrated") or {}
            certified = (
                CalibratedPolicy(**{key: promised[key] for key in promised if key != "name"}) if promised else None
            )
            described = describe_policy(parse_policy(policy, certified))
            query: Any = {
                "variant": variant,
                "policy": json.dumps(described),
                "reports": "curve" if curve else "decision",
            }
            self.classify = partial(service.classify, limits=limits, **query)
        else:
            used = Weights.load(weights, variant)  # here, so that what's wrong is said once
            chosen = parse_policy(policy, used.certified)
            described = describe_policy(chosen)
            checkpoint, config = used.checkpoint, used.runtime.config
            self.classify = partial(classify_here, setup=Setup(checkpoint, chosen, curve, limits), jobs=jobs)
            model = {
                "variant": config.name,
                "weights": checkpoint.digest,
                "height": config.height,
                "width": config.width,
                "burst_rows": config.BURST_ROWS,
                "bursts_per_frame": config.bursts_per_frame,
            }
        self.height, self.width, self.burst_rows = model["height"], model["width"], model["burst_rows"]
        self.settings = {
            "variant": model["variant"],
            "weights": model["weights"],
            "policy": described,
            "bursts_per_frame": model["bursts_per_frame"],
        }


def _format(kind: str | None, out: Path | None, *, resume: bool, overwrite: bool) -> str:
    from clients.commands.classify.rows import BY_SUFFIX, FORMATS, RESUMABLE

    kind = kind or (BY_SUFFIX.get(out.suffix.lower(), "text") if out else "text")
    if kind not in FORMATS:
        fail(f"there is no format {kind!r}; there is {', '.join(FORMATS)}")
    if resume and (not out or kind not in RESUMABLE):
        fail(f"--resume needs --out and one of the formats {' and '.join(RESUMABLE)}")
    if resume and overwrite:
        fail("give --resume or --overwrite, not both")
    if out and out.exists() and not (resume or overwrite):
        fail(f"{out}: exists; --resume goes on with it, --overwrite replaces it")
    return kind


def _earlier(out: Path, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    from clients.commands.classify.rows import read_rows

    return {row["name"]: row for row in read_rows(out, kind, settings)}


def _opened(out: Path | None, held: ExitStack, *, go_on: bool) -> IO[str]:
    return held.enter_context(out.open("a" if go_on else "w", newline="")) if out else sys.stdout


@contextmanager
def _spooled() -> Iterator[str]:
    """Standard input in a file of its own, which goes with the run.

    Raises:
        SourceError: it has no end within `MAX_INPUT_BYTES`.
    """
    from clients.commands.sources import MAX_INPUT_BYTES, SourceError

    with tempfile.NamedTemporaryFile(prefix="rascanet-") as file:
        while part := sys.stdin.buffer.read(1 << 20):
            file.write(part)
            if file.tell() > MAX_INPUT_BYTES:
                raise SourceError(f"-: more than the {MAX_INPUT_BYTES} bytes that are taken; give it as a file")
        file.flush()
        yield file.name


@contextmanager
def _progress(told: Console, wanted: object, pictures: Callable[[], Iterable[Any]]) -> Iterator[Callable[[], None]]:
    """A bar with rate and time left where somebody sees it; gives what to call for each picture."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Pictures a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} pictures/s")

    if not (wanted and told.is_terminal) or told.quiet:
        yield lambda: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=told, transient=True) as bar:
        task = bar.add_task("", total=sum(1 for _ in pictures()))
        yield lambda: bar.advance(task)
