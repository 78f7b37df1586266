"""`rascanet export`: a network in the form that another program takes."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.command_line import CommandLine
from clients.commands.console import console, fail, failing_on
from clients.commands.policy import Variant
from clients.commands.weights import WeightsFile
from model.config import DEFAULT_VARIANT

HELP = """Writes a network in the form that another program takes.

Examples:
    rascanet export firmware --out rascanet
"""

group = CommandLine(no_args_is_help=True, help=HELP)

if TYPE_CHECKING:
    from model.exit_policy import Policy
    from model.integer.network import IntegerNetwork

FIRMWARE = Path(__file__).parents[2] / "firmware"
KERNEL_FILES = ("integer.h", "integer_math.h", "integer_plain.c", "integer_table.c", "integer_table.inc")


@group.callback()
def _group() -> None:
    """Keeps `firmware` a word of its own while it is the only one."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(group, name="export")


@group.command()
def firmware(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="folder to make; in the layout that Arduino and PlatformIO take")
    ],
    variant: Variant = DEFAULT_VARIANT,
    weights: WeightsFile = None,
) -> None:
    """A C library for microcontrollers: integer weights, kernel and exit policies; no allocation, no float.

    Examples:
        rascanet export firmware --out rascanet --variant 105x120
    """
    from model.certificate import CertificateError, certified_policy
    from model.checkpoint import CheckpointError, shipped_weights
    from model.integer.checkpoint import load_integer_checkpoint

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} is there already; give a new folder")
    with failing_on(CheckpointError, CertificateError, OSError):
        file = weights or shipped_weights(variant, "int8")
        network = load_integer_checkpoint(file)
        policies = device_policies()
        if certified := certified_policy(file, network.digest):
            policies[certified.name] = certified
        write_library(out, network, policies)
    console.print(
        f"{out}: {network.config.name}, digest {network.digest[:16]}…; policies {', '.join(policies)}", soft_wrap=True
    )


def device_policies() -> "dict[str, Policy]":
    """The policies that a device takes from anybody, with their defaults."""
    from model.exit_policy import NeverExitPolicy, PerBurstPolicy, PublishedPolicy, TwoSidedPolicy

    return {each.name: each for each in (NeverExitPolicy(), PublishedPolicy(), TwoSidedPolicy(), PerBurstPolicy())}


def write_library(out: Path, network: "IntegerNetwork", policies: "Mapping[str, Policy]") -> None:
    """Makes the folder of the C library, with a network and policies by the names that they have in C.

    Raises:
        OSError: the folder can't be written.
        PolicyOnDeviceError: a policy that is no thresholds on P(person).
    """
    from model.integer.firmware import integer_policy, weights_header
    from model.kernel import __file__ as kernel

    bursts = network.config.bursts_per_frame
    header = weights_header(network, {name: integer_policy(policy, bursts) for name, policy in policies.items()})
    shutil.copytree(FIRMWARE, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("board"))
    for name in KERNEL_FILES:
        shutil.copy(Path(str(kernel)).with_name(name), out / "src" / name)
    (out / "src" / f"rascanet_{network.config.name}.h").write_text(header)
