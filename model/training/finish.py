"""The last steps of making weights: P(person) is scaled, the weights are rounded to float16, the figures are measured.

All that is said of weights is said of the rounded ones: one file, half as large, serves training, service, page and npm
package with the same values.
"""

from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from model import float16
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.preprocess import network_input
from model.rascanet import RaScaNet
from model.torch_runtime import checkpoint_from, network_from
from model.training.device import training_device
from model.training.metrics import BinaryMetrics, binary_metrics
from model.training.photos import load_frames, read_photos
from model.training.scaling import MAX_DISAGREEMENT, apply_scaling, choose_exit_threshold, fit_scaling

STATISTICS: Final = (".running_mean", ".running_var")
"""Ends of the names of batch norm's statistics, which stay float32: 1 % of a network.

They are measured, not learned. The variance of a sum of pixels of +-127 can pass float16's largest number. The variance
of a channel that is nearly silent can have too few digits in float16, and batch norm divides by it.
"""


@torch.inference_mode()
def person_curves(network: RaScaNet, frames: npt.NDArray[np.uint8], batch: int = 128) -> npt.NDArray[np.float64]:
    """P(person) after each burst of frames (N, H, W, 3) uint8: (N, T) in 0..1."""
    device = network.confidence.weight.device
    curves = [
        torch.softmax(network(torch.from_numpy(network_input(part)).to(device)).logits, 2)[..., 1].cpu()
        for part in np.array_split(frames, max(1, ceil(len(frames) / batch)))
    ]
    return torch.cat(curves).double().numpy()


def evaluate_frames(network: RaScaNet, frames: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> BinaryMetrics:
    """Figures of the full-frame decisions on frames (N, H, W, 3) uint8."""
    return binary_metrics(person_curves(network, frames)[:, -1], labels)


def finish(
    network: RaScaNet, frames: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> tuple[Checkpoint, BinaryMetrics]:
    """The weights of a trained network in the form that is shipped.

    Args:
        network: in inference mode, on any device.
        frames: of `val`, (N, H, W, 3) uint8.
        labels: of the frames, (N,) of 0 and 1, both present.

    Returns:
        The weights, scaled and rounded, with what `round_weights` and `judge` note in the provenance; their figures on
        the frames.
    """
    p_person = person_curves(network, frames)[:, -1].clip(1e-9, 1 - 1e-9)
    scaling = fit_scaling(np.log(p_person / (1 - p_person)), labels)
    checkpoint = apply_scaling(checkpoint_from(network), scaling)
    checkpoint = _noting(checkpoint, {"calibration": asdict(scaling) | {"split": "val"}})
    return judge(round_weights(checkpoint), frames, labels)


def round_weights(checkpoint: Checkpoint) -> Checkpoint:
    """The network with its weights rounded to float16; batch norm's statistics stay as they are (`STATISTICS`).

    A tensor that float16 can't hold (`model.float16.rounded`) stays as it is too. The provenance notes under `rounded`
    the digest of the weights before and the names of such tensors.
    """
    tensors, kept = {}, []
    for name, tensor in checkpoint.tensors.items():
        near = None if name.endswith(STATISTICS) else float16.rounded(tensor)
        tensors[name] = tensor if near is None else near
        if near is None and not name.endswith(STATISTICS):
            kept.append(name)
    facts = {"to": "float16", "from": checkpoint.digest, "float32": kept}
    return _noting(replace(checkpoint, tensors=tensors), {"rounded": facts})


def judge(
    checkpoint: Checkpoint, frames: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> tuple[Checkpoint, BinaryMetrics]:
    """The weights with their figures on `val` in the provenance: `val`, `exit_threshold`; and the figures.

    Args:
        checkpoint: the weights.
        frames: of `val`, (N, H, W, 3) uint8.
        labels: of the frames, (N,) of 0 and 1, both present.
    """
    curves = person_curves(network_from(checkpoint).to(training_device()), frames)
    metrics = binary_metrics(curves[:, -1], labels)
    facts = {
        "val": metrics.to_dict(),
        "exit_threshold": choose_exit_threshold(curves),
        "exit_threshold_chosen": f"on val, at most {MAX_DISAGREEMENT:.0%} disagreement with the full frame",
    }
    return _noting(checkpoint, facts), metrics


def round_file(weights: Path, photos: Path, out: Path) -> BinaryMetrics:
    """Rounds weights that were trained before, as the end of a run does, and measures them anew.

    Args:
        weights: float weights; they stay as they are.
        photos: folder of photographs, for its split `val`.
        out: the file to write; the same as `weights` to replace them.

    Returns:
        Figures of the rounded weights on `val`; the provenance has them in the place of the old ones.

    Raises:
        CheckpointError: the weights can't be used.
        PhotosError: the photographs can't be used.
        OSError: the file can't be written.
    """
    checkpoint = load_checkpoint(weights)
    val = read_photos(photos, "val")
    frames = load_frames(val, checkpoint.config.height, checkpoint.config.width)
    checkpoint, metrics = judge(round_weights(checkpoint), frames, val.labels)
    save_checkpoint(checkpoint, out)
    return metrics


def _noting(checkpoint: Checkpoint, facts: dict[str, Any]) -> Checkpoint:
    return replace(checkpoint, provenance={**checkpoint.provenance, **facts})
