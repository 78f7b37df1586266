"""`rascanet quantize`: integer weights out of float ones."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.outputs import Overwrite, check_outputs
from clients.commands.photos import PhotosFolder


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("quantize")(quantize)


def quantize(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="float weights, safetensors")],
    photos: PhotosFolder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="where to write; WEIGHTS_int8 beside them if not given")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="of the split train, which the scales are for")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="draws the pictures")] = 1,
    overwrite: Overwrite = False,
) -> None:
    """Writes the same network in integers: int8 weights, 8-bit activations, int16 state.

    Examples:
        rascanet quantize model/weights/rascanet_105x120.safetensors --photos folder
    """
    from model.checkpoint import CheckpointError, load_checkpoint
    from model.integer.checkpoint import save_integer_checkpoint
    from model.integer.network import IntegerNetworkError
    from model.integer.quantise import FoldedNetwork, activation_scales, quantise
    from model.training.photos import PhotosError, drawn, load_frames, read_photos

    target = out or weights.with_name(f"{weights.stem}_int8.safetensors")
    check_outputs(overwrite=overwrite, out=target)
    with failing_on(CheckpointError, IntegerNetworkError, PhotosError, OSError):
        checkpoint = load_checkpoint(weights)
        seen = drawn(read_photos(photos, "train"), pictures, seed)
        frames = load_frames(seen, checkpoint.config.height, checkpoint.config.width)
        facts = {"split": seen.split, "pictures": len(frames), "seed": seed, "index_digest": seen.index_digest}
        network = quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), frames), facts)
        save_integer_checkpoint(network, target)
    console.print(
        f"{target}: {network.config.name} in integers, digest {network.digest[:16]}…; "
        f"scales from {len(frames)} pictures of {seen.split}",
        soft_wrap=True,
    )
