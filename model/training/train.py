"""Training: one recipe, one seed, one network; resumes to the step after an interruption.

Pictures are drawn by step number, not by position in a stream, so a resumed run sees what an uninterrupted one sees.
On a GPU a step is some thousand small kernels, one burst after another: they are captured as two CUDA graphs, forward
and backward, and nothing in a step waits for the card.
"""

import copy
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from model.checkpoint import Checkpoint, save_checkpoint
from model.layers import pool_columns
from model.rascanet import FrameOutput, RaScaNet
from model.torch_runtime import network_from
from model.training.batches import TrainingData, batches
from model.training.device import computes_bfloat16, training_device
from model.training.finish import evaluate_frames, finish
from model.training.metrics import BinaryMetrics
from model.training.recipe import Recipe, recipe_from
from model.training.training_network import TrainingNetwork

SAVE_EVERY_S = 120
EVALUATIONS = 24
"""Approximate number of evaluations of a long run on `val`; a short run is evaluated after every epoch."""


class RunError(ValueError):
    """A run that can't be resumed."""


class Progress(Protocol):
    """Hears about the steps of a run."""

    def __call__(self, *, step: int, steps: int, loss: float, images_per_s: float, val: float | None) -> None: ...


def training_loss(output: FrameOutput, targets: Tensor, recipe: Recipe) -> Tensor:
    """Loss of a batch: cross entropy of the final decision, of every burst's decision, and of the confidence head.

    A burst's loss weighs by the square of the rows seen. The confidence head learns whether the decision at a burst
    equals the final one.

    Args:
        output: the network's output for the batch.
        targets: P(person) in 0..1, and hints, (B, 1 + H).
        recipe: weights of the parts.

    Returns:
        A scalar.
    """
    bursts = output.logits.shape[1]
    margins = output.logits[..., 1] - output.logits[..., 0]
    losses = functional.binary_cross_entropy_with_logits(margins, targets[:, None].expand(-1, bursts), reduction="none")
    growth = torch.arange(1, bursts + 1, device=losses.device, dtype=losses.dtype) ** 2
    every = (losses * growth / growth.sum()).sum(1).mean()
    decisions = output.logits.detach().argmax(2)
    agrees = (decisions == decisions[:, -1:]).to(losses.dtype)
    confidence = functional.binary_cross_entropy_with_logits(output.confidence_logits, agrees)
    share = recipe.burst_loss_share
    loss: Tensor = (1 - share) * losses[:, -1].mean() + share * every + recipe.confidence_loss * confidence
    return loss


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine down to zero (Loshchilov & Hutter 2017)."""
    warmup = max(1, round(steps * recipe.warmup_share))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


def _values(network: nn.Module) -> list[Tensor]:
    """Weights and running statistics of batch norm."""
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]


def _capture(network: RaScaNet, recipe: Recipe) -> None:
    """Captures the network in training as CUDA graphs, forward and backward, so that small kernels start at once."""
    state, config = copy.deepcopy(network.state_dict()), recipe.config
    example = torch.zeros(recipe.batch, config.INPUT_CHANNELS, config.height, config.width, device="cuda")
    with torch.autocast("cuda", torch.bfloat16, enabled=recipe.bfloat16, cache_enabled=False):
        torch.cuda.make_graphed_callables(network, (example,))
    # The capture has run the example through batch norm, so its statistics are put back.
    network.load_state_dict(state)


class _Run:
    """State of a run: network, averaged network, layer that predicts hints, optimiser, step; kept in `state.pt`."""

    PARTS = ("network", "average", "hints", "optimiser")

    def __init__(
        self, recipe: Recipe, folder: Path, device: torch.device, start: Checkpoint | None, hints: int
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.device = recipe, folder, device
        self.bfloat16 = recipe.bfloat16 and computes_bfloat16(device)
        self.network = TrainingNetwork(recipe.config).to(device).train()
        if start is not None:
            ours, theirs = self.network.config, start.config
            if (theirs.head_channels, theirs.hidden_channels) != (ours.head_channels, ours.hidden_channels):
                raise RunError(f"a run of {recipe.variant} can't begin with weights of {theirs.name}: other channels")
            self.network.load_state_dict(network_from(start).state_dict())
        self.average = copy.deepcopy(self.network).eval()
        # Predicts the hints from the hidden state; not part of the network.
        self.hints = nn.Linear(recipe.config.hidden_channels, hints).to(device)
        parameters = [*self.network.parameters(), *self.hints.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, weight_decay=recipe.weight_decay, fused=True)
        self.step = 0
        self.state_file = folder / "state.pt"
        if self.state_file.is_file():
            self._resume()
        if device.type == "cuda":
            _capture(self.network, recipe)

    def _resume(self) -> None:
        state = torch.load(self.state_file, map_location=self.device, weights_only=True)
        if recipe_from(json.loads(state["recipe"])) != self.recipe:
            raise RunError(f"{self.folder} holds a run of another recipe; name another folder to start afresh")
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]

    def save(self) -> None:
        partial = self.state_file.with_suffix(".partial")
        state = {name: getattr(self, name).state_dict() for name in self.PARTS}
        torch.save(state | {"step": self.step, "recipe": json.dumps(self.recipe.to_dict())}, partial)
        partial.replace(self.state_file)

    def advance(self, frames: Tensor, targets: Tensor, rate: float) -> Tensor:
        """Runs one optimiser step; returns the loss without synchronising with the GPU."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.network(frames)
        output = FrameOutput(*(part.float() for part in output))
        loss = training_loss(output, targets[:, 0], self.recipe)
        if self.recipe.hint_loss:
            told = self.hints(pool_columns(output.hidden))
            loss = loss + self.recipe.hint_loss * functional.mse_loss(told, targets[:, 1:])
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        # A short memory in the first steps, while the weights change fast.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        average(_values(self.average), _values(self.network), self.step)
        self.step += 1
        return loss.detach()


def train(
    recipe: Recipe,
    data: TrainingData,
    folder: Path,
    progress: Progress,
    *,
    threads: int,
    start: Checkpoint | None = None,
    stop_after: int | None = None,
) -> tuple[Checkpoint, BinaryMetrics]:
    """Trains a network, or resumes the run kept in `folder`.

    Args:
        recipe: the settings of the run.
        data: the views to learn from, and the pictures to judge by.
        folder: folder for `state.pt` (to resume), `log.csv` and, at the end, `weights.safetensors`.
        progress: hears about each step.
        threads: number of torch threads.
        start: weights that a new run begins with, of the same channels; None: random weights.
        stop_after: number of steps after which the call returns, as an interruption would; None: run to the end.

    Returns:
        The averaged weights, with the start's share in them, scaled on `val` and rounded to float16; their figures on
        `val`, full frames.

    Raises:
        RunError: the folder holds another run, `start` has other channels, or it is missing and has a share.
    """
    if recipe.start_share and start is None:
        raise RunError("start_share is a share of the weights that the run begins with; name them with --start")
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(recipe, folder, training_device(), start, data.source.hints if recipe.hint_loss else 1)
    per_epoch = math.ceil((recipe.epoch_views or len(data.train.photos)) / recipe.batch)
    steps = recipe.epochs * per_epoch
    every = per_epoch * max(1, recipe.epochs // EVALUATIONS)
    last = steps if stop_after is None else min(steps, stop_after)
    saved = began = time.monotonic()
    first = run.step
    losses: list[float] = []
    pending: list[Tensor] = []

    def tell(step: int, val: float | None = None) -> None:
        """Reports a step once its loss is there: one step late, so that a GPU works on the next step meanwhile."""
        losses.append(pending.pop(0).item())
        progress(step=step, steps=steps, loss=losses[-1], images_per_s=images_per_s, val=val)

    for frames, targets in batches(run.step, last, data.source, recipe):
        pending.append(run.advance(frames, targets, learning_rate(run.step, steps, recipe)))
        images_per_s = (run.step - first) * recipe.batch / (time.monotonic() - began)
        if len(pending) > 1:
            tell(run.step - 1)
        if run.step % every == 0 or run.step == steps:
            balanced = evaluate_frames(run.average, data.val_frames, data.val.labels).balanced_accuracy
            tell(run.step, balanced)
            _log(
                folder,
                epoch=run.step // per_epoch,
                step=run.step,
                pictures=run.step * recipe.batch,
                loss=sum(losses) / len(losses),
                val=balanced,
                rate=images_per_s,
            )
            losses.clear()
        if time.monotonic() - saved > SAVE_EVERY_S or run.step == last:
            run.save()
            saved = time.monotonic()
    if pending:
        tell(run.step)
    if start is not None:
        _move_towards(run.average, network_from(start), recipe.start_share)
    checkpoint, metrics = finish(run.average, data.val_frames, data.val.labels)
    provenance = {
        "recipe": recipe.to_dict(),
        "start": start.digest if start else None,
        "steps": run.step,
        "photos_index_sha256": data.train.index_digest,
        "answers_sha256": data.source.digest,
        "torch": torch.__version__,
        **checkpoint.provenance,
    }
    checkpoint = replace(checkpoint, provenance=provenance)
    save_checkpoint(checkpoint, folder / "weights.safetensors")
    return checkpoint, metrics


@torch.no_grad()
def _move_towards(network: nn.Module, start: nn.Module, share: float) -> None:
    """Moves each weight and each of batch norm's statistics this share of the way to those of `start`."""
    towards = start.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(towards[name].to(value), share)


def _log(folder: Path, **row: float) -> None:
    log = folder / "log.csv"
    if not log.exists():
        log.write_text(",".join(row) + "\n")
    with log.open("a") as file:
        file.write(",".join(f"{value:.7g}" for value in row.values()) + "\n")
