"""`rascanet calibrate`: early exits with a promise."""

from pathlib import Path
from typing import Annotated, Final

import typer

from clients.commands.console import console, failing_on
from clients.commands.outputs import Overwrite, check_outputs
from clients.commands.photos import PhotosFolder
from clients.commands.policy import note_on
from clients.commands.table import counted
from clients.commands.weights import ChosenVariant, WeightsFile, weights_file

OWN_WEIGHTS: Final = (
    "copy the weights to a folder of your own, and name the copy with --weights (docs/early-exit.md#the-promise)"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    photos: PhotosFolder,
    variant: ChosenVariant = None,
    weights: WeightsFile = None,
    risk: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, metavar="SHARE", help="largest share of the decisions that may be lost"),
    ] = 0.05,
    delta: Annotated[
        float, typer.Option(min=0.0001, max=0.5, metavar="SHARE", help="largest chance that the promise is wrong")
    ] = 0.05,
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="decisions that count as lost. disagreement: all that differ from the whole frame's (needs no "
            "labels); accuracy: of these, only those where the whole frame's decision is right",
        ),
    ] = "disagreement",
    procedure: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="how the candidates are tested: one after the other (fixed-sequence), or all at once (holm)",
        ),
    ] = "fixed-sequence",
    condition: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="the promise is about all pictures (marginal), or separately about early and late exits (halt-time)",
        ),
    ] = "marginal",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="certificate; beside the weights if not given")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Writes a certificate: thresholds, and the promise that exits lose at most the share --risk of the decisions.

    A lost decision differs from the decision after the whole frame. The promise is wrong with a chance of at most
    --delta.

    Examples:
        rascanet calibrate --photos folder --weights my.safetensors
        rascanet calibrate --photos folder --weights my.safetensors --risk 0.08
    """
    from model.certificate import CertificateError, certificate_beside
    from model.checkpoint import CheckpointError
    from model.runtime import load_any_checkpoint, load_runtime
    from model.step import RuntimeUnavailableError
    from model.training.candidates import per_burst_path
    from model.training.certify import certify
    from model.training.outcomes import read_curves
    from model.training.photos import PhotosError, load_frames, read_photos
    from model.training.scaling import fitted_on

    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError, OSError):
        file = weights_file(weights, variant)  # not with its certificate, which may be an old one
        path = out or certificate_beside(file)
        checkpoint = load_any_checkpoint(file)
        runtime = load_runtime(checkpoint)
        config = runtime.config
        labelled = True if loss == "accuracy" else None  # the full frame's decision is the other losses' only measure
        pictures = [read_photos(photos, split, labelled=labelled) for split in ("val", "calibration")]
        # Who replaces the certificate of the shipped weights has to name these weights.
        check_outputs(overwrite=overwrite and bool(weights or out), remedy=OWN_WEIGHTS, out=path)
        val, calibration = (
            read_curves(runtime, load_frames(each, config.height, config.width), each) for each in pictures
        )
        certificate = certify(
            per_burst_path(val),
            val,
            calibration,
            variant=checkpoint.config.name,
            weights=checkpoint.digest,
            index_digest=pictures[1].index_digest,
            risk=risk,
            delta=delta,
            loss=loss,
            procedure=procedure,
            condition=condition,
            made_by=(
                f"rascanet calibrate --risk {risk:g} --delta {delta:g} --loss {loss} "
                f"--procedure {procedure} --condition {condition}"
            ),
        )
        certificate.save(path)
    person = (certificate.person_first, certificate.person_last)
    empty = (certificate.empty_first, certificate.empty_last)
    console.print(
        f"{certificate.variant} exits as person once P(person) reaches a threshold, which runs from {person[0]:.3g} "
        f"at the first row to {person[1]:.3g} at the last. It exits as no person once 1 - P(person) reaches another, "
        f"from {empty[0]:.3g} to {empty[1]:.3g}. It processes {certificate.processed_ratio:.1%} of the bursts.",
        soft_wrap=True,
    )
    if note := note_on((*person, *empty)):
        console.print(note, soft_wrap=True)
    for span in certificate.spans:
        where = (
            f" decided after {span.after:.0%} to {span.until:.0%} of the frame" if len(certificate.spans) > 1 else ""
        )
        console.print(f"{counted(span.errors, 'lost decision')} on {span.pictures} calibration pictures{where}.")
    console.print(f"{certificate.policy.promise} Certificate {certificate.digest[:8]}: {path}", soft_wrap=True)
    if fitted_on(checkpoint) == "calibration":
        console.print("But P(person) of these weights was scaled on the same pictures, so the promise is not valid.")
