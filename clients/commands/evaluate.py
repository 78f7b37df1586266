"""`rascanet evaluate`: how well weights do on labelled photographs, with and without early exit."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.data import Coco, MinivalIds, Year
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of
from clients.commands.weights import Weights, WeightsFile


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    photos: Annotated[Path | None, typer.Option(help="folder of photographs with an index.csv")] = None,
    data: Annotated[str | None, typer.Option(help="vww: Visual Wake Words, from --coco, instead of --photos")] = None,
    coco: Coco = None,
    year: Year = None,
    minival_ids: MinivalIds = None,
    split: Annotated[str, typer.Option(help="split to evaluate")] = "val",
    variant: Variant = "105x120",
    weights: WeightsFile = None,
    policy: Policy = "published",
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
) -> None:
    """Prints balanced accuracy with its 95 % interval, AUROC and the processed ratio, by source."""
    from rich.table import Table

    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.exit_policy import NeverExitPolicy, PolicyError, describe_policy, parse_policy
    from model.runtime import RuntimeUnavailableError
    from model.training.evaluate import evaluate_split
    from model.training.photos import PhotosError, read_photos, write_index
    from model.training.vww import vww_rows

    if (photos is None) == (data is None) or data not in (None, "vww") or (data is None) != (coco is None):
        fail("give either --photos FOLDER, or --data vww with --coco FOLDER")
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PolicyError, PhotosError):
        used = Weights.load(weights, variant)
        runtime = used.runtime
        chosen = parse_policy(policy_of(policy, exit_threshold, skip_threshold), used.certified)
        with TemporaryDirectory() as made:
            if coco:
                write_index(Path(made), vww_rows(coco, year, minival_ids), check=False)
            pictures = read_photos(photos or Path(made), split)
        for each in (NeverExitPolicy(), chosen) if chosen != NeverExitPolicy() else (chosen,):
            table = Table(
                title=f"{runtime.config.name} on {split}, policy {_in_words(describe_policy(each))}",
                title_justify="left",
            )
            for heading in ("source", "person\n+ no", "balanced\naccuracy", "person\nfound", "empty\nkept", "AUROC"):
                table.add_column(heading)
            table.add_column("exits")
            table.add_column("processed:\nall / person / no")
            for row in evaluate_split(runtime, pictures, each):
                metrics = row.metrics
                low, high = metrics.interval
                table.add_row(
                    row.source,
                    f"{metrics.persons}\n+ {metrics.empties}",
                    f"{metrics.balanced_accuracy:.1%}\n{low:.1%}..{high:.1%}",
                    f"{metrics.persons_found:.1%}",
                    f"{metrics.empties_kept:.1%}",
                    f"{metrics.auroc:.3f}",
                    str(row.exits),
                    " / ".join(f"{ratio:.3f}" for ratio in row.processed_ratios),
                )
            console.print(table)


def _in_words(description: dict[str, Any]) -> str:
    return ", ".join(str(value) if key == "name" else f"{key} {value}" for key, value in description.items())
