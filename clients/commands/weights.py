"""The weights that a command works with."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from clients.commands.suggestions import no_such
from model.config import DEFAULT_VARIANT, VARIANTS

if TYPE_CHECKING:
    from model.checkpoint import Arithmetic
    from model.exit_policy import CalibratedPolicy
    from model.runtime import AnyCheckpoint
    from model.step import StepRuntime

ChosenVariant = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help=f"network: {' or '.join(VARIANTS)}; {DEFAULT_VARIANT} if not given; "
        "not with --weights: the file says its network",
    ),
]
WeightsFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="weights; those that come with the project if not given")
]


def names_of(files: Collection[Path]) -> dict[Path, str]:
    """Short names of different files: their stems or, where these are alike as those of runs are, with the folder."""
    alike = len({file.stem for file in files}) < len(files)
    return {file: f"{file.parent.name}/{file.stem}" if alike else file.stem for file in files}


def weights_file(file: Path | None, variant: str | None, arithmetic: "Arithmetic" = "float32") -> Path:
    """The file that --weights names or, without it, the one that comes with the project for --variant.

    Raises:
        CheckpointError: both are given, or no such network comes with the project.
    """
    from model.checkpoint import CheckpointError, shipped_weights

    if file is None:
        name = variant or DEFAULT_VARIANT
        if name not in VARIANTS:
            raise CheckpointError(no_such("shipped network", name, VARIANTS))
        return shipped_weights(name, arithmetic)
    if variant is not None:
        raise CheckpointError("give --variant or --weights, not both: a file of weights names its network itself")
    return file


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
    def load(cls, file: Path) -> Self:
        """Those of a file.

        Raises:
            CheckpointError, CertificateError, RuntimeUnavailableError: files that can't be used, or no runtime.
        """
        from model.certificate import certified_policy
        from model.runtime import load_any_checkpoint, load_runtime

        checkpoint = load_any_checkpoint(file)
        return cls(file, checkpoint, load_runtime(checkpoint), certified_policy(file, checkpoint.digest))
