"""The command itself."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.classify.options import LOCAL, RAY, EngineChoice, ResultChoice
from clients.commands.console import Terminal, fail, failing_on, need
from clients.commands.policy import PolicyChoice
from clients.commands.suggestions import no_such
from clients.commands.takes import takes
from clients.commands.weights import weights_file
from model.config import DEFAULT_VARIANT

if TYPE_CHECKING:
    from clients.commands.classify.engine import Engine

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
            weights_file(engine.weights, engine.variant), policy.wanted(), curve=results.curve, limits=engine.limits
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
    from clients.commands.classify.run import Run
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
        run = Run(_engine(engine, policy, curve=results.curve), engine.limits, results, kind)
        if STANDARD_INPUT in paths:
            run.standard_input = held.enter_context(spooled(sys.stdin.buffer))
        run.classify(paths)
        run.tell()


def _engine(choice: EngineChoice, policy: PolicyChoice, *, curve: bool) -> "Engine":
    from clients.commands.classify.engine import local_engine, local_setup, remote_engine
    from server.process.cores import usable_cores

    if choice.url and choice.weights:
        fail("the weights are the service's: give --weights or --url, not both")
    wanted, limits = policy.wanted(), choice.limits
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
