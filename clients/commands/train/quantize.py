"""`rascanet quantize`: integer weights out of float ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.outputs import Overwrite, check_outputs
from clients.commands.photos import PhotosFolder

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint
    from model.integer.network import IntegerNetwork

HELD_BACK = 10
"""One in so many of the pictures for fine-tuning is not trained on: what is printed is measured on these."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("quantize")(quantize)


def quantize(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="float weights, safetensors")],
    photos: PhotosFolder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="file to write; WEIGHTS_int8 beside the weights if not given")
    ] = None,
    pictures: Annotated[
        int,
        typer.Option(min=1, max=10_000, metavar="N", help="pictures of the split train that the scales are made from"),
    ] = 200,
    finetune: Annotated[
        int,
        typer.Option(
            min=0, max=1_000_000, metavar="STEPS", help="train the integers to answer as the float weights do; 0: don't"
        ),
    ] = 0,
    finetune_pictures: Annotated[
        int, typer.Option(min=100, max=100_000, metavar="N", help="pictures of the split train for --finetune")
    ] = 5000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="seed by which pictures are drawn")] = 1,
    overwrite: Overwrite = False,
) -> None:
    """Writes the same network in integers: int8 weights, 8-bit activations, int16 state.

    Examples:
        rascanet quantize weights.safetensors --photos folder
        rascanet quantize weights.safetensors --photos folder --finetune 1000
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
        if finetune:
            network = _fine_tuned(checkpoint, network, photos, finetune, finetune_pictures, seed)
        save_integer_checkpoint(network, target)
    console.print(
        f"{target}: {network.config.name} in integers, digest {network.digest[:16]}…; "
        f"scales from {len(frames)} pictures of {seen.split}",
        soft_wrap=True,
    )


def _fine_tuned(
    checkpoint: "Checkpoint", network: "IntegerNetwork", photos: Path, steps: int, pictures: int, seed: int
) -> "IntegerNetwork":
    """Trains, and prints how far the network is from the float one before and after."""
    import numpy as np
    from rich.progress import Progress

    from model.runtime import load_runtime
    from model.training.device import prepare_processor
    from model.training.fine_tuning import FineTuning, difference, fine_tune
    from model.training.photos import PhotosError, drawn, load_frames, read_photos

    prepare_processor(threads=1)  # the order of sums, and so the result, doesn't depend on the machine's cores
    seen = drawn(read_photos(photos, "train"), pictures, seed + 1)
    tuning = FineTuning(steps=steps, seed=seed)
    kept = len(seen.photos) // HELD_BACK
    if len(seen.photos) - kept < tuning.batch or not kept:
        raise PhotosError(f"fine-tuning takes {2 * tuning.batch} pictures of the split train, not {len(seen.photos)}")
    frames = load_frames(seen, checkpoint.config.height, checkpoint.config.width)
    order = np.random.default_rng(seed).permutation(len(frames))
    held = frames[np.sort(order[:kept])]
    with Progress(console=console) as bar:
        task = bar.add_task("fine-tuning", total=steps)
        tuned = fine_tune(
            checkpoint, network, frames[np.sort(order[kept:])], tuning, lambda done, _: bar.update(task, completed=done)
        )
    teacher = load_runtime(checkpoint)
    for name, each in (("quantised", network), ("fine-tuned", tuned)):
        apart = difference(teacher, load_runtime(each), held)
        console.print(
            f"{name}: P(person) differs from the float network's by {apart.mean:.4f} in the mean, "
            f"{apart.decisions:.2%} of the decisions do, on {kept} pictures of train that were not trained on",
            soft_wrap=True,
        )
    return tuned
