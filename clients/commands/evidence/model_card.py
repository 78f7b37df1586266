"""`rascanet model-card`: every figure of docs/figures/model-card.md, beside those of the authors' checkpoints."""

import csv
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.commands.console import console, fail, failing_on

if TYPE_CHECKING:
    from clients.commands.table import Table

LOG: Final = Path("docs/held-out.csv")
LOG_HEADER: Final = "date,variant,digest,source,pictures,balanced_accuracy,low,high,auroc"

MARKS: Final = {
    ("105x120", "val", "coco"): (0.885, 0.949, 0.865),
    ("105x120", "test", "coco"): (0.875, 0.941, 0.890),
    ("105x120", "val", "voc"): (0.754, 0.826, 0.963),
    ("105x120", "test", "voc"): (0.734, 0.831, 0.964),
    ("210x240", "val", "coco"): (0.912, 0.966, 0.815),
    ("210x240", "test", "coco"): (0.879, 0.945, 0.842),
    ("210x240", "val", "voc"): (0.821, 0.886, 0.919),
    ("210x240", "test", "voc"): (0.797, 0.892, 0.929),
}
"""Balanced accuracy, AUROC and processed ratio under the published rule of the authors' checkpoints on these."""

SIZES: Final = (0.005, 0.02, 0.1, 0.3, 1.0)
"""Bounds of the largest person's box, as shares of the frame."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("model-card")(model_card)


def model_card(
    photos: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of photographs with an index.csv")],
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="measure on held-out pictures (split test); needs --card; leaves out weights that --log records",
        ),
    ] = False,
    weights: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="other weights than the shipped ones")
    ] = None,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the page whose figures are replaced; none if not given")
    ] = None,
    log: Annotated[
        Path, typer.Option(metavar="FILE", help="file that records evaluations on the held-out split")
    ] = LOG,
) -> None:
    """Prints every figure of the model card and, with --card, writes it there.

    Examples:
        rascanet model-card --photos folder
        rascanet model-card --photos folder --card docs/figures/model-card.md
    """
    from clients.commands.table import PageError, refresh_page
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError, shipped_weights
    from model.config import VARIANTS
    from model.runtime import load_any_checkpoint
    from model.step import RuntimeUnavailableError
    from model.training.photos import PhotosError

    if weights and card:
        fail("the card is for the shipped weights alone; --weights or --card, not both")
    if weights and held_out:
        fail("the held-out split is for the shipped weights alone; --weights or --held-out, not both")
    if held_out and not card:
        fail("--held-out needs --card, because its figures are measured only once")
    split = "test" if held_out else "val"
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError, PageError, OSError):
        checkpoints = {file: load_any_checkpoint(file) for file in weights or map(shipped_weights, VARIANTS)}
        if held_out:
            judged = {row["digest"] for row in _logged(log)}
            checkpoints = {file: each for file, each in checkpoints.items() if each.digest not in judged}
            if not checkpoints:
                fail(f"{log}: the shipped weights have been judged on the held-out split, once is enough")
        for file, checkpoint in checkpoints.items():
            tables = _tables(file, checkpoint, photos, split, log if held_out else None)
            for table in tables:
                table.show(console)
            if card:
                refresh_page(card, {f"card {split} {checkpoint.config.name}": tables})


def _logged(log: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(log.read_text().splitlines())) if log.is_file() else []


def _tables(file: Path, checkpoint: Any, folder: Path, split: str, log: Path | None) -> "list[Table]":
    import numpy as np

    from clients.commands.table import MISSING, Table
    from model.certificate import certified_policy
    from model.exit_policy import PERSON_FROM, Policy, PublishedPolicy
    from model.runtime import load_runtime
    from model.training.candidates import two_sided_path
    from model.training.evaluate import Evaluation
    from model.training.metrics import binary_metrics, calibration_error
    from model.training.photos import read_photos
    from model.training.scaling import MAX_DISAGREEMENT, fitted_on

    runtime, variant = load_runtime(checkpoint), checkpoint.config.name
    photos = read_photos(folder, split)
    evaluation = Evaluation(runtime, photos)
    curves = evaluation.curves
    elsewhere = "val" if split == "test" else "calibration"
    others = Evaluation(runtime, read_photos(folder, elsewhere))

    whole = []
    for source, which in evaluation.sources.items():
        p_person, labels = curves.p_person[which, -1], curves.labels[which]
        metrics = binary_metrics(p_person, labels)
        mark = MARKS.get((variant, split, source))
        low, high = metrics.interval
        whole.append(
            (
                source,
                f"{metrics.persons} + {metrics.empties}",
                f"{metrics.balanced_accuracy:.1%} ({low:.1%} to {high:.1%})",
                f"{metrics.persons_found:.1%}",
                f"{metrics.empties_kept:.1%}",
                f"{metrics.auroc:.3f}",
                f"{metrics.average_precision:.3f}",
                f"{mark[0]:.1%}, {mark[1]:.3f}" if mark else MISSING,
            )
        )
        if log:
            _record(log, variant, checkpoint.digest, source, metrics)

    sizes = []
    largest = np.array([max((w * h for _, _, w, h in photo.boxes or ()), default=0.0) for photo in photos.photos])
    for least, most in pairwise(SIZES):
        which = (curves.labels == 1) & (largest >= least) & (largest < (most if most < 1 else 2))
        found = f"{(curves.p_person[which, -1] >= PERSON_FROM).mean():.1%}" if which.any() else MISSING
        sizes.append((f"{least:.1%} to {most:.0%}", str(int(which.sum())), found))

    scaling = checkpoint.provenance.get("calibration")
    final = curves.p_person[:, -1]
    note = f"Expected calibration error over 15 bins: {calibration_error(final, curves.labels):.3f}"
    if scaling:
        margins = (np.log(final / (1 - final)) - scaling["offset"]) / scaling["slope"]
        before = calibration_error(1 / (1 + np.exp(-margins)), curves.labels)
        note += f"; {before:.3f} before P(person) was scaled on `{fitted_on(checkpoint)}`"

    agreeing = [
        policy for policy in two_sided_path(others.curves) if others.figures(policy).disagreement <= MAX_DISAGREEMENT
    ]
    two_sided = min(agreeing, key=lambda policy: others.figures(policy).ratios[0])
    policies: dict[str, Policy] = {"published": PublishedPolicy(), f"two-sided, 1 % on `{elsewhere}`": two_sided}
    certified = certified_policy(file, checkpoint.digest)
    if certified:
        policies[f"calibrated, risk {certified.risk:g}"] = certified
    exits = []
    for name, policy in policies.items():
        for source, figures in evaluation.by_source(policy):
            mark = MARKS.get((variant, split, source)) if name == "published" else None
            exits.append(
                (
                    name,
                    source,
                    " / ".join(f"{ratio:.3f}" for ratio in figures.ratios),
                    f"{figures.disagreement:.1%}",
                    f"{figures.accuracy:.1%}",
                    f"{mark[2]:.3f}" if mark else MISSING,
                )
            )
    title = f"{variant} on {split}"
    return [
        Table(
            f"{title}, whole frames, threshold 0.5",
            (
                "source",
                "person + no",
                "balanced accuracy",
                "persons found",
                "empty kept",
                "AUROC",
                "average precision",
                "authors': balanced accuracy, AUROC",
            ),
            whole,
            (f"{note}.",),
        ),
        Table(f"{title}, by the largest person's box", ("share of the frame", "persons", "found"), sizes),
        Table(
            f"{title}, early exits",
            (
                "policy",
                "source",
                "processed: all / person / no",
                "disagreement",
                "balanced accuracy",
                "authors' processed",
            ),
            exits,
        ),
    ]


def _record(log: Path, variant: str, digest: str, source: str, metrics: Any) -> None:
    """One line a source."""
    fresh = not log.exists()
    with log.open("a") as file:
        if fresh:
            file.write(LOG_HEADER + "\n")
        low, high = metrics.interval
        date = datetime.now(UTC).date().isoformat()
        figures = ",".join(f"{each:.4f}" for each in (metrics.balanced_accuracy, low, high, metrics.auroc))
        file.write(f"{date},{variant},{digest},{source},{metrics.persons + metrics.empties},{figures}\n")
