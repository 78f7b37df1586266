"""`rascanet export`: a network in the form that another program takes."""

import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.commands.command_line import CommandLine
from clients.commands.console import SOME_FAILED, console, fail, failing_on, need
from clients.commands.outputs import Overwrite, check_outputs, naming
from clients.commands.weights import ChosenVariant, WeightsFile, weights_file

HELP = """Writes a network in the form that another program takes.

Examples:
    rascanet export firmware --out rascanet
    rascanet export onnx --out step.onnx
"""

group = CommandLine(no_args_is_help=True, help=HELP)

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint
    from model.exit_policy import Policy
    from model.integer.network import IntegerNetwork

FIRMWARE = Path(__file__).parents[2] / "firmware"
KERNEL_FILES = ("integer.h", "integer_math.h", "integer_plain.c", "integer_table.c", "integer_table.inc")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(group, name="export")


@group.command()
def firmware(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="folder to make; in the layout that Arduino and PlatformIO take")
    ],
    variant: ChosenVariant = None,
    weights: WeightsFile = None,
) -> None:
    """Writes a C library for microcontrollers: integer weights, kernel and exit policies; no allocation, no float.

    Examples:
        rascanet export firmware --out rascanet --variant 105x120
    """
    from model.certificate import CertificateError, certified_policy
    from model.checkpoint import CheckpointError
    from model.integer.checkpoint import load_integer_checkpoint

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} is there already; give a new folder")
    with failing_on(CheckpointError, CertificateError, OSError):
        file = weights_file(weights, variant, "int8")
        network = load_integer_checkpoint(file)
        policies = device_policies()
        if certified := certified_policy(file, network.digest):
            policies[certified.name] = certified
        write_library(out, network, policies)
    console.print(
        f"{out}: {network.config.name}, digest {network.digest[:16]}…; policies {', '.join(policies)}", soft_wrap=True
    )


TOLERANCE: Final = 1e-4
"""Largest difference of P(person) and confidence between an exported step in ONNX Runtime and the kernel."""
CHECKED_FRAMES: Final = 4


@group.command()
def onnx(
    out: Annotated[Path, typer.Option(metavar="FILE", help="file to write, usually .onnx")],
    variant: ChosenVariant = None,
    weights: WeightsFile = None,
    batch: Annotated[
        int, typer.Option(min=1, max=1024, metavar="N", help="streams that one call advances; fixed in the file")
    ] = 1,
    form: Annotated[
        str, typer.Option(metavar="FORM", help="conv or gemm; the faster one depends on the program that runs it")
    ] = "conv",
    overwrite: Overwrite = False,
) -> None:
    """Writes the step as ONNX, with its state in and out, and checks it in ONNX Runtime against the kernel.

    Inputs: rows uint8 (N, 5, width, 3), hidden float32, zeros before a frame's first burst. Outputs: logits (N, 2),
    p_person (N,), confidence (N,), next_hidden, which is the next call's hidden.

    Examples:
        rascanet export onnx --out step.onnx --variant 105x120
    """
    need("torch", "onnx", "onnxscript", "onnxruntime")
    from model.checkpoint import CheckpointError, load_checkpoint
    from model.export import export_step
    from model.step import RuntimeUnavailableError

    check_outputs(overwrite=overwrite, out=out)
    if form not in ("conv", "gemm"):
        fail(f"--form is conv or gemm, not {form[:40]!r}")
    with failing_on(CheckpointError, RuntimeUnavailableError), naming(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, like what it logs
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        checkpoint = load_checkpoint(weights_file(weights, variant))
        export_step(checkpoint, out, batch=batch, form="gemm" if form == "gemm" else "conv")
        difference = difference_from_kernel(out, checkpoint)
    if difference > TOLERANCE:
        out.unlink()
        fail(f"in ONNX Runtime the step differs from the kernel by {difference:.1g}; {out} is removed", SOME_FAILED)
    console.print(
        f"{out}: {checkpoint.config.name}, digest {checkpoint.digest[:16]}…; over {CHECKED_FRAMES} frames ONNX Runtime "
        f"is within {difference:.0e} of the kernel",
        soft_wrap=True,
    )


def difference_from_kernel(path: Path, checkpoint: "Checkpoint") -> float:
    """Returns the largest difference of P(person) and confidence, over every burst of some frames of noise.

    Raises:
        RuntimeUnavailableError: no runtime is installed.
    """
    import numpy as np
    import onnxruntime

    from model.runtime import load_runtime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    runtime, burst_rows = load_runtime(checkpoint), checkpoint.config.BURST_ROWS
    rows_shape, hidden_shape = (each.shape for each in session.get_inputs())
    rng, difference = np.random.default_rng(0), 0.0
    for _ in range(CHECKED_FRAMES):
        # Uneven rows, so that P(person) moves; every stream of the batch has rows of its own.
        levels = rng.uniform(0, 255, (rows_shape[0], checkpoint.config.height, 1, 3))
        noise = rng.normal(0, 60, (rows_shape[0], *checkpoint.config.frame_shape))
        frames = np.clip(levels + noise, 0, 255).astype(np.uint8)
        states = [runtime.initial_hidden() for _ in frames]
        hidden = np.zeros(hidden_shape, np.float32)
        for first in range(0, checkpoint.config.height, burst_rows):
            rows = np.ascontiguousarray(frames[:, first : first + burst_rows])
            p_person, confidence, hidden = session.run(
                ["p_person", "confidence", "next_hidden"], {"rows": rows, "hidden": hidden}
            )
            for number, state in enumerate(states):
                expected = runtime.step(rows[number], state)
                for found, wanted in ((p_person, expected.p_person), (confidence, expected.confidence)):
                    difference = max(difference, abs(float(found[number]) - wanted[-1]))
    return difference


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
