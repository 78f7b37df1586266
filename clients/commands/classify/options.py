"""The options of the command."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import fail
from clients.commands.outputs import check_outputs
from clients.commands.service import PANEL as SERVICE
from clients.commands.service import BearerToken
from clients.commands.suggestions import no_such
from clients.commands.weights import ChosenVariant, WeightsFile

if TYPE_CHECKING:
    from model.picture import PictureLimits

RESULTS, LIMITS, CLUSTER = "Results", "Limits", "Many machines"
LOCAL, RAY = "local", "ray"


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
        typer.Option("--curve", rich_help_panel=RESULTS, help="add P(person) after each burst (not in text, csv)"),
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=RESULTS, help="HTML page: a gallery that shows where each scan stopped"
        ),
    ] = None
    resume: Annotated[
        bool,
        typer.Option("--resume", rich_help_panel=RESULTS, help="continue an earlier run (csv, ndjson, parquet)"),
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
            resumed=[path for path in (out, self.report) if path and self.resume],
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
            help="number of processes (if not given: one a core), or with --url of connections (two a core)",
        ),
    ] = None
    max_bytes: Annotated[
        int | None, typer.Option(min=1, metavar="BYTES", rich_help_panel=LIMITS, help="largest picture file")
    ] = None
    max_pixels: Annotated[
        int | None, typer.Option(min=1, metavar="PX", rich_help_panel=LIMITS, help="most pixels in a picture")
    ] = None

    @property
    def limits(self) -> "PictureLimits":
        """Limits of a picture."""
        from model.picture import PictureLimits

        usual = PictureLimits()
        return PictureLimits(self.max_bytes or usual.most_bytes, self.max_pixels or usual.most_px)
