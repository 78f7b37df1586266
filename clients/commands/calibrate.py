"""`rascanet calibrate`: early exits with a promise."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.photos import PhotosFolder
from clients.commands.policy import Variant
from clients.commands.weights import WeightsFile


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    photos: PhotosFolder,
    variant: Variant = "105x120",
    weights: WeightsFile = None,
    risk: Annotated[float, typer.Option(min=0.0001, max=0.5, help="what may be lost at most")] = 0.05,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="how likely the promise may fail")] = 0.05,
    loss: Annotated[str, typer.Option(help="what is lost: disagreement or accuracy")] = "disagreement",
    out: Annotated[Path | None, typer.Option(help="certificate; beside the weights if not given")] = None,
) -> None:
    """Writes a certificate: thresholds that lose at most `risk`, with probability 1 - `delta` over the pictures."""
    from model.certificate import LOSSES, CertificateError, certificate_beside
    from model.checkpoint import CheckpointError, load_checkpoint, shipped_weights
    from model.runtime import RuntimeUnavailableError, load_runtime
    from model.training.exits import careful_to_bold, certify, read_curves
    from model.training.photos import PhotosError, load_frames, read_photos

    if loss not in LOSSES:
        fail(f"the loss {loss!r} is not one of {', '.join(LOSSES)}")
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError, OSError):
        file = weights or shipped_weights(variant)  # not with its certificate, which may be an old one
        checkpoint = load_checkpoint(file)
        runtime = load_runtime(checkpoint)
        config = runtime.config
        pictures = [read_photos(photos, split) for split in ("val", "calibration")]
        val, calibration = (
            read_curves(runtime, load_frames(each, config.height, config.width), each) for each in pictures
        )
        command = f"rascanet calibrate --risk {risk:g} --delta {delta:g} --loss {loss}"
        certificate = certify(
            careful_to_bold(val),
            calibration,
            variant=checkpoint.config.name,
            weights=checkpoint.digest,
            index_digest=pictures[1].index_digest,
            risk=risk,
            delta=delta,
            loss=loss,
            made_by=command,
        )
        path = out or certificate_beside(file)
        certificate.save(path)
    console.print(
        f"{certificate.variant}: exit at P(person) >= {certificate.exit_above:.4f} or <= {certificate.exit_below:.4f}; "
        f"{certificate.errors} of {certificate.pictures} calibration pictures lost, "
        f"processed ratio {certificate.processed_ratio:.3f}"
    )
    console.print(f"with probability {1 - delta:g}, {loss} is at most {risk:g}; certificate in {path}")
