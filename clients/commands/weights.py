"""The weights that a command works with."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from clients.commands.suggestions import no_such

if TYPE_CHECKING:
    from model.exit_policy import CalibratedPolicy
    from model.runtime import AnyCheckpoint
    from model.step import StepRuntime

WeightsFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="weights; those that come with the project if not given")
]


def names_of(files: Collection[Path]) -> dict[Path, str]:
    """Short names of different files: their stems or, where these are alike as those of runs are, with the folder."""
    alike = len({file.stem for file in files}) < len(files)
    return {file: f"{file.parent.name}/{file.stem}" if alike else file.stem for file in files}


@dataclass(frozen=True)
class Weights:
    """A checkpoint with what belongs to it.

    Attributes:
        certified: the policy that the certificate beside the file promises; None without one.
    """

    file: Path
    checkpoint: "AnyCheckpoint"
    runtime: "StepRuntime"
    certified: "CalibratedPolicy | None"

    @classmethod
    def load(cls, file: Path | None, variant: str) -> Self:
        """Those of a file, or those shipped for a variant if None.

        Raises:
            CheckpointError, CertificateError, RuntimeUnavailableError: files that can't be used, or no runtime.
        """
        from model.certificate import certified_policy
        from model.checkpoint import CheckpointError, shipped_weights
        from model.config import VARIANTS
        from model.runtime import load_any_checkpoint, load_runtime

        if file is None and variant not in VARIANTS:
            raise CheckpointError(no_such("shipped network", variant, VARIANTS))
        file = file or shipped_weights(variant)
        checkpoint = load_any_checkpoint(file)
        return cls(file, checkpoint, load_runtime(checkpoint), certified_policy(file, checkpoint.digest))
