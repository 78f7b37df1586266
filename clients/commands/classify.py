"""`rascanet classify`: photographs in this process, without a service."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("classify")(classify)


def classify(
    photos: Annotated[list[Path], typer.Argument(help="photographs")],
    variant: Variant = "105x120",
    weights: Annotated[Path | None, typer.Option(help="weights; those that come with the project if not given")] = None,
    policy: Policy = "published",
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
) -> None:
    """Reads each photograph burst by burst and prints the decision."""
    from model.checkpoint import CheckpointError, load_checkpoint, shipped_weights
    from model.exit_policy import PolicyError, parse_policy
    from model.runtime import RuntimeUnavailableError, load_runtime
    from model.scan import scan_frame
    from sensor_sim.burst import SensorGeometry
    from sensor_sim.scene import SceneError, photo_frame

    with failing_on(CheckpointError, RuntimeUnavailableError, PolicyError, SceneError):
        chosen = parse_policy(policy_of(policy, exit_threshold, skip_threshold))
        runtime = load_runtime(load_checkpoint(weights or shipped_weights(variant)))
        geometry = SensorGeometry(runtime.config.height, runtime.config.width, runtime.config.BURST_ROWS)
        for path in photos:
            scan = scan_frame(runtime, photo_frame(path, geometry), chosen)
            console.print(
                f"{path}: {'person' if scan.person else 'no person'}, P(person) {scan.p_person:.3f}, "
                f"{scan.processed} of {scan.bursts_per_frame} bursts processed",
                soft_wrap=True,
            )
