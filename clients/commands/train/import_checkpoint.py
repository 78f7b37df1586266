"""`rascanet import-checkpoint`: a user's own copy of a public checkpoint into our format."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on, need
from clients.commands.outputs import Overwrite, check_outputs


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import-checkpoint")(import_checkpoint)


def import_checkpoint(
    file: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="the public checkpoint, .pth.tar")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="file to write; beside the checkpoint if not given")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Reads a public checkpoint (no code in it is run) and writes safetensors.

    Examples:
        rascanet import-checkpoint rascanet.pth.tar
    """
    need("torch")
    from model.checkpoint import PUBLIC_LICENCE, CheckpointError, import_public_checkpoint, save_checkpoint

    target = out or file.with_name(f"{file.name.split('.')[0]}.safetensors")
    check_outputs(overwrite=overwrite, out=target)
    with failing_on(CheckpointError, OSError):
        checkpoint = import_public_checkpoint(file)
        save_checkpoint(checkpoint, target)
    console.print(f"{target}: {checkpoint.config.name}, digest {checkpoint.digest[:16]}…")
    console.print(PUBLIC_LICENCE)
